// What tests need of the world: a real server and agents, and ways to them that misbehave.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, connect, type AddressInfo, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SpileClient, type ClientOptions, type LogFrame } from "@spile/client";

/** How long a test waits for what must come; it bounds a hang and measures nothing. */
export const PATIENCE = 60_000;

/** The hidden second argument of the constructor. */
export type Timing = Partial<Record<"firstFrame" | "lastFrame" | "silence" | "minWait" | "maxWait" | "pollWait" |
  "forget" | "drain" | "socketBuffer" | "iteratorBuffer", number>>;

/** A client with times of its own: by default those under which a slow machine looks like a fast one. */
export function newClient(options: ClientOptions, timing: Timing = {}): SpileClient {
  const Class = SpileClient as new (options: ClientOptions, timing: Timing) => SpileClient;
  return new Class(options, { firstFrame: PATIENCE, lastFrame: PATIENCE, maxWait: 500, ...timing });
}

/** Waits for something to become true, looking whenever something may have changed. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const limit = Date.now() + PATIENCE;
  while (!await holds()) {
    if (Date.now() > limit) throw new Error(`waited in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A promise that fails when it takes too long. */
export async function within<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain for: ${what}`)), PATIENCE);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** One server with its agents, in a folder of its own. */
export class Fleet {
  readonly dir = mkdtempSync(join(tmpdir(), "spile-js-"));
  url = "";
  token = "";
  #server: ChildProcess | undefined;
  readonly #agents = new Map<string, ChildProcess>();

  static async start(): Promise<Fleet> {
    const fleet = new Fleet();
    try {
      await fleet.serve();
    } catch (error) {
      await fleet.close();
      throw error;
    }
    return fleet;
  }

  /** Starts the server, again at the same port if it ran before. */
  async serve(): Promise<void> {
    const port = this.url === "" ? "0" : new URL(this.url).port;
    const child = launch(["serve", "--listen", `127.0.0.1:${port}`, "--data", join(this.dir, "server")]);
    this.#server = child;
    this.url = (await printed(child, /spile listens at (\S+)/))[1] as string;
    this.token = readFileSync(join(this.dir, "server", "admin.token"), "utf8").trim();
  }

  /** Kills the server as the kernel would. */
  async kill(): Promise<void> {
    if (this.#server) await killed(this.#server);
  }

  /** Starts an agent that follows the logs of one source, and waits for it to be online. */
  async agent(name: string, source = "app"): Promise<LogFile> {
    const log = new LogFile(join(this.dir, name), `${source}.log`);
    this.#agents.set(name, launch([
      "agent", "--server", this.url, "--enrol-token-file", join(this.dir, "server", "enrol.token"),
      "--data", join(this.dir, name, "state"), "--name", name, "--file", `${source}=${log.path}`,
    ]));
    const client = newClient({ baseUrl: this.url, token: this.token });
    await until(`${name} to join`, async () => {
      const agent = await client.agent(name).catch(() => undefined);
      return agent?.status === "online";
    });
    return log;
  }

  /** Kills an agent. */
  async killAgent(name: string): Promise<void> {
    const child = this.#agents.get(name);
    if (child) await killed(child);
  }

  /** A client of this server, at another address if a way between is given. */
  client(options: ClientOptions = {}, timing: Timing = {}): SpileClient {
    return newClient({ baseUrl: this.url, token: this.token, ...options }, timing);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#agents.values(), ...this.#server ? [this.#server] : []].map(killed));
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** A log that a test writes. */
export class LogFile {
  readonly path: string;
  #next = 1;

  constructor(dir: string, name: string) {
    mkdirSync(dir, { recursive: true });
    this.path = join(dir, name);
    writeFileSync(this.path, "");
  }

  /** Appends lines. */
  write(...lines: string[]): void {
    appendFileSync(this.path, lines.map((line) => `${line}\n`).join(""));
  }

  /** Appends so many numbered lines, each padded to a size. */
  count(lines: number, size = 0): void {
    const text: string[] = [];
    for (let i = 0; i < lines; i++) text.push(`INFO line ${this.#next++} `.padEnd(size, "x"));
    this.write(...text);
  }
}

/** The number of a numbered line. */
export function numberOf(log: LogFrame): number {
  const found = /line (\d+)/.exec(log.message);
  if (!found) throw new Error(`not a numbered line: ${log.message}`);
  return Number(found[1]);
}

/** What a test that was cut short leaves behind must not outlive it. */
const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

function launch(args: string[]): ChildProcess {
  const binary = process.env.SPILE_E2E_BINARY;
  if (!binary) throw new Error("SPILE_E2E_BINARY must name the binary: run npm test");
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  child.once("exit", () => running.delete(child));
  child.stdout.resume();
  return child;
}

/** Waits for a process to print something on standard error. */
export function printed(child: ChildProcess, pattern: RegExp): Promise<RegExpExecArray> {
  return within(`${child.spawnfile} to print ${pattern.source}`, new Promise((resolve, reject) => {
    let text = "";
    child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      const found = pattern.exec(text);
      if (found) resolve(found);
    });
    child.once("exit", () => reject(new Error(`ended: ${text}`)));
  }));
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

/** A way to a server through which everything can be cut or held back. */
export class Way {
  readonly #target: URL;
  readonly #listener: Server;
  readonly #pairs = new Set<[Socket, Socket]>();
  #held = false;
  /** How many connections were made. */
  made = 0;

  private constructor(target: string) {
    this.#target = new URL(target);
    this.#listener = createServer((near) => this.#pass(near));
  }

  static async to(target: string): Promise<Way> {
    const way = new Way(target);
    way.#listener.listen(0, "127.0.0.1");
    await once(way.#listener, "listening");
    return way;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#listener.address() as AddressInfo).port}`;
  }

  /** How many connections pass now. */
  get open(): number {
    return this.#pairs.size;
  }

  /** Resets everything that passes. */
  cut(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy();
    this.#pairs.clear();
  }

  /** Lets nothing through any more, of connections that are there and of new ones, without ending them. */
  hold(): void {
    this.#held = true;
    for (const pair of this.#pairs) for (const socket of pair) socket.unpipe().pause();
  }

  /** Lets new connections through again. */
  release(): void {
    this.#held = false;
  }

  async close(): Promise<void> {
    this.#listener.close();
    this.cut();
    await once(this.#listener, "close");
  }

  #pass(near: Socket): void {
    this.made++;
    const far = connect({ host: this.#target.hostname, port: Number(this.#target.port) });
    const pair: [Socket, Socket] = [near, far];
    this.#pairs.add(pair);
    for (const [from, to] of [[near, far], [far, near]] as const) {
      if (this.#held) from.pause();
      else from.pipe(to);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        this.#pairs.delete(pair);
        to.destroy();
      });
    }
  }
}
