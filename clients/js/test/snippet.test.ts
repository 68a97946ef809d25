// The snippets that people copy: the streaming guide's with only the names changed, and those of the README.

import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { Fleet, until, within, type LogFile } from "./harness.js";

/** Snippets lie within the package, where its name means it. */
const folder = new URL("./snippets/", import.meta.url);

const guide = `
import { SpileClient } from '@spile/client';

const client = new SpileClient({ token: 'your-jwt-token' });

const stream = await client.startStream({
  agentId: 'agent-uuid',
  timeout: 300,
  filters: { level: ['ERROR'] }
});

stream.on('log', (log) => {
  console.log(\`[\${log.level}] \${log.message}\`);
});

stream.on('ending', (secondsRemaining) => {
  console.log(\`Stream ending in \${secondsRemaining}s\`);
});

// When done
await stream.stop();
`;

/** The page's own way to be done: a line on standard input. */
const whenDone = `// When done
await new Promise((resolve) => process.stdin.once("data", resolve));
process.stdin.destroy();`;

/** A snippet that runs. */
interface Running {
  child: ChildProcess;
  /** What it has printed so far. */
  said: () => string;
  /** What it has printed when it has ended, well and without complaint. */
  ended: Promise<string>;
}

/** A resolver that does not find ws, wherever it may be installed. */
const resolver = 'export function resolve(s,c,n){if(s===%22ws%22)throw new Error(%22not%20installed%22);return n(s,c)}';
const withoutWS = `import{register}from'node:module';register('data:text/javascript,${resolver}')`;

describe("snippets", () => {
  let fleet: Fleet;
  let log: LogFile;
  before(async () => {
    mkdirSync(folder, { recursive: true });
    fleet = await Fleet.start();
    log = await fleet.agent("web-1", "nginx");
  });
  after(() => fleet.close());

  /** Runs a program with a server and a token in its environment. */
  function run(name: string, text: string, options: string[] = []): Running {
    const file = new URL(`${name}.mjs`, folder);
    writeFileSync(file, text);
    const env = { ...process.env, SPILE_SERVER: fleet.url, SPILE_TOKEN: fleet.token };
    const child = spawn(process.execPath, [...options, file.pathname], { env, stdio: "pipe" });
    let out = "";
    let complaints = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => { out += chunk; });
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => { complaints += chunk; });
    const ended = within(name, once(child, "close")).then(([status]) => {
      assert.equal(status, 0, complaints);
      assert.equal(complaints, "");
      return out;
    }).finally(() => child.kill("SIGKILL"));
    return { child, said: () => out, ended };
  }

  /** The guide's snippet for this fleet. */
  async function named(): Promise<string> {
    const { id } = await fleet.client().agent("web-1");
    return guide.replace("your-jwt-token", fleet.token).replace("agent-uuid", id);
  }

  test("the guide's, as it stands", async () => {
    assert.equal(await run("guide", await named()).ended, "");
    assert.deepEqual(await fleet.client().sessions(), []);
  });

  for (const [name, options] of [
    ["with ws", []],
    ["without ws", ["--import", `data:text/javascript,${withoutWS}`]],
  ] as const) {
    test(`the guide's, until somebody is done, ${name}`, async () => {
      const text = (await named()).replace("// When done", whenDone).replace("timeout: 300", "timeout: 31")
        .concat("console.log(stream.transport);\n");
      const { child, said, ended } = run(`guide-${options.length}`, text, [...options]);
      await until("the session", async () => (await fleet.client().sessions()).some((one) => one.viewers > 0));
      log.write(...[["info", "nothing to see"], ["error", "upstream timed out"], ["error", "again"]]
        .map(([level, msg]) => JSON.stringify({ level, msg })));
      await until("the lines and the warning", () => said().includes("again") && said().includes("ending"));
      child.stdin?.write("done\n");
      const lines = (await ended).split("\n");
      assert.deepEqual(lines.filter((line) => line.startsWith("[")), ["[ERROR] upstream timed out", "[ERROR] again"]);
      assert.ok(lines.some((line) => /^Stream ending in (30|2\d)s$/.test(line)), lines.join("\n"));
      assert.equal(lines.at(-2), options.length === 0 ? "websocket" : "sse");
    });
  }

  /** What each of the README's snippets prints at least, in order. */
  const wanted = [
    [/^\S+Z WARN nginx: WARN slow \d+$/m, /^ended \d+$/m],
    [/slow \d+/, /is streaming/, /the session ends in (30|2\d) s/, /stopped \S+/],
    [/^goes on with 11$/m],
    [/^validation_error 400 \{\s+'filters.pattern': /m, /^true$/m],
    [/^web-1 online$/m],
  ];
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const snippets = [...readme.matchAll(/^```js\n(.*?)^```$/gms)].map((found) => found[1] as string);

  test("the README has as many as are tested", () => assert.equal(snippets.length, wanted.length));

  for (const [i, text] of snippets.entries()) {
    test(`the README's ${i + 1}`, async () => {
      let n = 0;
      const write = () => log.write(...Array.from({ length: 20 }, () => `WARN slow ${++n}`));
      write();
      // A snippet waits for lines to come; they come as those of a log do, all the time.
      const timer = setInterval(write, 50);
      try {
        const out = await run(`readme-${i}`, text).ended;
        for (const pattern of wanted[i] as RegExp[]) assert.match(out, pattern);
      } finally {
        clearInterval(timer);
      }
    });
  }
});

test("a fatal error that nobody listens for is not passed over in silence", async () => {
  mkdirSync(folder, { recursive: true });
  const file = new URL("unheard.mjs", folder);
  writeFileSync(file, `
    import { Fake, started, log, SESSION } from "../fake.js";
    import { SpileClient } from "@spile/client";
    const fake = await Fake.start((viewer) => viewer.send(started, log(1)));
    const stream = await new SpileClient({ baseUrl: fake.url, maxOffline: 0.1 }).attach(SESSION);
    process.on("uncaughtException", (error) => {
      console.log(error.code);
      process.exit(0);
    });
    stream.on("log", () => fake.close());
  `);
  const child = spawn(process.execPath, [file.pathname], { stdio: "pipe" });
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => { out += chunk; });
  await within("the end", once(child, "close"));
  assert.equal(out, "unavailable\n");
});
