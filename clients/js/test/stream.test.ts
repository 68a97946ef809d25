import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import type {
  AttachOptions, ClientOptions, ConnectionState, Frame, LogFrame, SpileError, Stream, StreamEvents, TransportName,
} from "@spile/client";
import { AGENT, ended, Fake, gap, log, SESSION, started, type Script } from "./fake.js";
import { PlainWebSocket } from "./plain.js";
import { newClient, until, within, type Timing } from "./harness.js";

/** Attaches to a server that does as a script says. */
async function attach(
  t: TestContext, script: Script,
  options: Omit<AttachOptions, "from"> & { way?: TransportName; timing?: Timing; maxOffline?: number } = {},
): Promise<{ stream: Stream; fake: Fake }> {
  const fake = await Fake.start(script);
  t.after(() => fake.close());
  const { way = "websocket", timing, maxOffline, ...rest } = options;
  const client = newClient({ baseUrl: fake.url, transports: [way], maxOffline }, timing);
  const stream = await client.attach(SESSION, rest);
  t.after(() => stream.close());
  return { stream, fake };
}

/** The numbers of all logs up to the end. */
async function numbers(stream: Stream): Promise<number[]> {
  const out: number[] = [];
  await within("the end", (async () => {
    for await (const frame of stream) out.push(frame.seq);
  })());
  return out;
}

/** The next event of a name. */
function once<Name extends keyof StreamEvents>(stream: Stream, name: Name): Promise<StreamEvents[Name]> {
  return within(name, new Promise((resolve) => {
    const off = stream.on(name, (...args) => {
      off();
      resolve(args);
    });
  }));
}

for (const way of ["websocket", "sse"] satisfies TransportName[]) {
  describe(`over ${way}`, () => {
    test("frames come as events, each to those who asked for it", async (t) => {
      const frames: Frame[] = [
        log(1),
        { type: "control", event: "agent_status", agent: AGENT, status: "streaming" },
        gap(2, 4),
        { type: "control", event: "stats", accounts: { agents: {} } },
        { type: "control", event: "session_extended", expires_at: "2026-01-02T05:00:00.000Z" },
        { type: "control", event: "session_ending", reason: "timeout", seconds_remaining: 30 },
        { type: "control", event: "error", agent: AGENT, code: "internal_error", message: "the agent cannot" },
        log(5),
        ended,
      ];
      const { stream } = await attach(t, (viewer) => {
        viewer.send(started, ...frames);
        viewer.end();
      }, { way });
      const heard: unknown[] = [];
      for (const name of ["log", "ending", "gap", "end", "status", "stats"] as const) {
        stream.on(name, (...args: unknown[]) => heard.push([name, ...args.map((arg) => (arg as LogFrame).seq ?? arg)]));
      }
      const controls: string[] = [];
      stream.on("control", (frame) => controls.push(frame.event));
      stream.on("error", (error, fatal) => heard.push(["error", error.code, error.message, fatal]));
      await until("the end", () => heard.some((one) => (one as string[])[0] === "end"));
      assert.deepEqual(heard, [
        ["log", 1], ["status", frames[1]], ["gap", frames[2]], ["stats", frames[3]], ["ending", 30, frames[5]],
        ["error", "internal_error", "the agent cannot", false], ["log", 5], ["end", ended],
      ]);
      assert.deepEqual(controls, [
        "session_started", "agent_status", "gap", "stats", "session_extended", "session_ending", "error",
        "session_ended",
      ]);
      assert.equal(stream.session.expires_at, "2026-01-02T05:00:00.000Z");
      assert.equal(stream.transport, way);
    });

    test("what comes twice is passed on once", async (t) => {
      const { stream, fake } = await attach(t, (viewer) => {
        viewer.send(started);
        if (viewer.number === 1) {
          viewer.send(log(1), log(2), log(2), log(1), log(3), gap(4, 6), gap(4, 6));
          viewer.end();
          return;
        }
        viewer.send(log(2), log(3), gap(4, 6), log(5), gap(7, 7), log(8), log(1, { epoch: 2 }), log(1, { epoch: 2 }));
        viewer.send(log(4, { agent: SECOND }), log(3, { agent: SECOND }), ended);
        viewer.end();
      }, { way });
      const gaps: unknown[] = [];
      stream.on("gap", ({ from, to }) => gaps.push([from, to]));
      assert.deepEqual(await numbers(stream), [1, 2, 3, 8, 1, 4]);
      assert.deepEqual(gaps, [[4, 6], [7, 7]]);
      const asked = fake.requests.filter((request) => request.includes("/stream/") && request.includes("after="));
      assert.equal(asked.length, 1);
    });

    test("a connection on which nothing is heard is given up", async (t) => {
      const states: ConnectionState[] = [];
      const { stream } = await attach(t, (viewer) => {
        viewer.send(started, log(viewer.number));
        // The first says no more, as through a way that has died.
        if (viewer.number > 1) {
          viewer.send(ended);
          viewer.end();
        }
      }, { way, timing: { silence: 300 } });
      stream.on("connection", (state) => states.push(state));
      assert.deepEqual(await numbers(stream), [1, 2]);
      assert.match(states[0]?.error?.message ?? "", /nothing heard for 0\.3 s/);
      assert.equal(states.at(-1)?.connected, true);
    });

    test("heartbeats keep a connection", async (t) => {
      const silence = 2500;
      const { stream } = await attach(t, (viewer) => {
        viewer.send(started, log(viewer.number));
        const begun = performance.now();
        const timer = setInterval(() => {
          if (performance.now() - begun > 1.2 * silence) {
            clearInterval(timer);
            viewer.send(ended);
          } else if (way === "sse") viewer.raw(":\n\n");
          else viewer.send({ type: "control", event: "heartbeat" });
        }, 50);
        t.after(() => clearInterval(timer));
      }, { way, timing: { silence } });
      assert.deepEqual(await numbers(stream), [1]);
    });

    test("the server is lost for too long", async (t) => {
      const { stream, fake } = await attach(t, (viewer) => viewer.send(started, log(1)), { way, maxOffline: 0.2 });
      const failed = numbers(stream);
      failed.catch(() => undefined);
      await until("a log", () => stream.cursor !== undefined);
      await fake.close();
      await assert.rejects(failed, { code: "unavailable", message: /^lost the server for 0\.2 s: / });
    });

    test("a reader that stands still holds the server up", async (t) => {
      const frames = 600;
      const padding = "x".repeat(64 << 10);
      let sent = 0;
      const { stream } = await attach(t, async (viewer) => {
        viewer.send(started);
        for (let n = 1; n <= frames; n++) {
          await viewer.sent(log(n, { metadata: { padding } }));
          sent = n;
        }
        viewer.send(ended);
      }, { way, timing: { socketBuffer: 1 << 20, iteratorBuffer: 4 } });
      const iterator = stream[Symbol.asyncIterator]();
      const seen = [(await iterator.next()).value?.seq];
      // As long as it takes for nothing more to go out: where nobody holds it up, that is when everything has.
      for (let before = -1; before !== sent;) {
        before = sent;
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
      assert.ok(sent < frames, "everything was taken in, and nobody has read it");
      await within("the end", (async () => {
        for await (const frame of iterator) seen.push(frame.seq);
      })());
      assert.deepEqual(seen, Array.from({ length: frames }, (_, i) => i + 1));
    });

    test("a frame that cannot be read", async (t) => {
      let say = () => {};
      const { stream } = await attach(t, (viewer) => {
        viewer.send(started);
        if (viewer.number === 1) say = () => viewer.raw(way === "sse" ? "data: {broken\n\n" : "{broken\n");
        else viewer.send(ended);
      }, { way });
      const lost = once(stream, "connection");
      say();
      assert.deepEqual(await numbers(stream), []);
      assert.equal((await lost)[0].error?.code, "internal_error");
    });
  });
}

/** Another agent. */
const SECOND = "1b4f8a5e-1d2c-4b3a-9f8e-7d6c5b4a3f2e";

describe("listeners", () => {
  test("nothing is handed out before somebody listens, and no log before somebody takes logs", async (t) => {
    const { stream } = await attach(t, (viewer) => {
      viewer.send(started, { type: "control", event: "history_end", agent: AGENT }, log(1), log(2), ended);
      viewer.end();
    });
    await new Promise((resolve) => setImmediate(resolve));
    const heard: string[] = [];
    stream.on("control", (frame) => heard.push(frame.event));
    await until("the frames before the first log", () => heard.length === 2);
    // Later, not in the same breath.
    await new Promise((resolve) => setImmediate(resolve));
    const logs: number[] = [];
    stream.on("log", (frame) => logs.push(frame.seq));
    await until("the end", () => heard.includes("session_ended"));
    assert.deepEqual(logs, [1, 2]);
  });

  test("taking the log listener back halts the stream, and another goes on without loss", async (t) => {
    const { stream } = await attach(t, async (viewer) => {
      viewer.send(started);
      for (let n = 1; n <= 100; n++) viewer.send(log(n));
      viewer.send(ended);
    });
    const logs: number[] = [];
    await new Promise<void>((resolve) => {
      const off = stream.on("log", (frame) => {
        logs.push(frame.seq);
        if (frame.seq === 10) {
          off();
          resolve();
        }
      });
    });
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(logs.length, 10);
    const over = once(stream, "end");
    stream.on("log", (frame) => logs.push(frame.seq));
    await over;
    assert.deepEqual(logs, Array.from({ length: 100 }, (_, i) => i + 1));
  });

  test("off takes a listener back", async (t) => {
    const { stream } = await attach(t, (viewer) => viewer.send(started, log(1), ended));
    const listener = () => assert.fail("called");
    stream.on("log", listener);
    stream.off("log", listener);
    const over = once(stream, "end");
    stream.on("log", () => undefined);
    await over;
  });

  test("with events default only what everybody must know comes", async (t) => {
    const { stream } = await attach(t, (viewer) => {
      viewer.send(started, { type: "control", event: "heartbeat" });
      viewer.send({ type: "control", event: "session_ending", reason: "timeout", seconds_remaining: 1 }, ended);
    }, { events: "default" });
    const heard: string[] = [];
    stream.on("control", (frame) => heard.push(frame.event));
    await once(stream, "end");
    assert.deepEqual(heard, ["session_ending", "session_ended"]);
  });

  test("frames of a later version are passed over", async (t) => {
    const { stream } = await attach(t, (viewer) => {
      const novel = [{ type: "novel" }, { type: "control", event: "novel" }] as unknown as Frame[];
      viewer.send(started, ...novel, log(1), ended);
    });
    assert.deepEqual(await numbers(stream), [1]);
  });
});

describe("refused on the way", () => {
  for (const [name, code, again] of [
    ["too slow", "slow_viewer", true], ["the right has ended", "unauthorized", false],
  ] as const) {
    test(name, async (t) => {
      const fake = await Fake.start((viewer) => {
        viewer.send(started, log(viewer.number));
        if (viewer.number > 1) viewer.send(ended);
        else viewer.send({ type: "control", event: "error", code, message: "said" });
        viewer.end();
      }, (request, response) => {
        if (again || !request.url?.includes("after=")) return false;
        const body = JSON.stringify({ error: code, message: "no more" });
        response.writeHead(401, { "Content-Type": "application/json" }).end(body);
        return true;
      });
      t.after(() => fake.close());
      const stream = await newClient({ baseUrl: fake.url, transports: ["sse"] }).attach(SESSION);
      const errors: [string, boolean][] = [];
      stream.on("error", (error, fatal) => errors.push([error.code, fatal]));
      if (again) {
        assert.deepEqual(await numbers(stream), [1, 2]);
        assert.deepEqual(errors, [[code, false]]);
      } else {
        await assert.rejects(numbers(stream), { code });
        assert.deepEqual(errors, [[code, false], [code, true]]);
      }
    });
  }
});

describe("the iterator", () => {
  test("leaving the loop leaves the stream", async (t) => {
    const { stream } = await attach(t, (viewer) => viewer.send(started, log(1), log(2), log(3)));
    for await (const frame of stream) if (frame.seq === 2) break;
    assert.equal(stream.connected, false);
    assert.deepEqual(await numbers(stream), []);
  });

  test("one at a time", async (t) => {
    const { stream } = await attach(t, (viewer) => viewer.send(started, log(1)));
    stream[Symbol.asyncIterator]();
    assert.throws(() => stream[Symbol.asyncIterator](), /iterated once/);
  });

  test("listeners hear everything at its pace and in order", async (t) => {
    const { stream } = await attach(t, (viewer) => viewer.send(started, log(1),
      gap(2, 2),
      log(3), ended));
    const order: string[] = [];
    stream.on("gap", (gap) => order.push(`gap ${gap.from}`));
    stream.on("end", () => order.push("end"));
    for await (const frame of stream) {
      order.push(`log ${frame.seq}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual(order, ["log 1", "gap 2", "log 3", "end"]);
  });

  test("several may wait at once", async (t) => {
    const { stream } = await attach(t, (viewer) => viewer.send(started, log(1), log(2), ended));
    const iterator = stream[Symbol.asyncIterator]();
    const results = await within("all", Promise.all([1, 2, 3, 4].map(() => iterator.next())));
    assert.deepEqual(results.map((one) => (one.done ? "done" : one.value.seq)), [1, 2, "done", "done"]);
  });

  test("a fatal error comes once and after what was there", async (t) => {
    const { stream, fake } = await attach(t, (viewer) => viewer.send(started, log(1), log(2)), { maxOffline: 0.1 });
    const iterator = stream[Symbol.asyncIterator]();
    assert.equal((await iterator.next()).value?.seq, 1);
    const lost = once(stream, "error");
    await fake.close();
    assert.equal((await lost)[1], true);
    assert.equal((await iterator.next()).value?.seq, 2);
    await assert.rejects(iterator.next(), (error: SpileError) => error.code === "unavailable");
    assert.equal((await iterator.next()).done, true);
  });

  for (const kind of ["messages", "one message"] as const) {
    test(`a slow reader holds no more than it may: ${kind}`, async (t) => {
      let sent = 0;
      const { stream } = await attach(t, async (viewer) => {
        viewer.send(started);
        if (kind === "one message") viewer.send(...Array.from({ length: 5000 }, () => log(++sent)));
        else while (sent < 5000) viewer.send(log(++sent));
        viewer.send(ended);
      }, { timing: { socketBuffer: 10_000, iteratorBuffer: 16 } });
      const seen: number[] = [];
      for await (const frame of stream) {
        seen.push(frame.seq);
        if (frame.seq % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      assert.deepEqual(seen, Array.from({ length: 5000 }, (_, i) => i + 1));
    });
  }
});

describe("a WebSocket that cannot wait", () => {
  test("is closed when its buffer is full, and comes back with the cursor", async (t) => {
    let connections = 0;
    const fake = await Fake.start(async (viewer) => {
      connections = viewer.number;
      viewer.send(started);
      // A real server goes on after the cursor. This one begins anew, and what is double is passed over.
      for (let n = 1; n <= 2000; n++) viewer.send(log(n));
      viewer.send(ended);
    });
    t.after(() => fake.close());
    const options: ClientOptions = { baseUrl: fake.url, transports: ["websocket"], WebSocket: PlainWebSocket };
    const client = newClient(options, { socketBuffer: 100_000, iteratorBuffer: 16 });
    const stream = await client.attach(SESSION);
    const states: ConnectionState[] = [];
    stream.on("connection", (state) => states.push(state));
    const seen: number[] = [];
    for await (const frame of stream) {
      seen.push(frame.seq);
      // Slow in the first half: long enough for everything to come.
      if (frame.seq < 200 && frame.seq % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.deepEqual(seen, Array.from({ length: 2000 }, (_, i) => i + 1));
    assert.ok(connections > 1, "the connection was never closed");
    assert.equal(states[0]?.error?.code, "slow_viewer");
    assert.ok(fake.requests.some((one) => one.includes("after=") && one.includes("ticket=once")));
    assert.ok(fake.requests.every((one) => !one.includes("token=")));
  });
});

describe("ends", () => {
  test("close leaves and is quiet", async (t) => {
    const { stream, fake } = await attach(t, (viewer) => viewer.send(started, log(1)));
    stream.on("error", () => assert.fail("an error"));
    stream.on("connection", () => assert.fail("a connection"));
    await new Promise<void>((resolve) => { stream.on("log", () => resolve()); });
    stream.close();
    stream.close();
    assert.equal(stream.connected, false);
    assert.ok(!fake.requests.some((one) => one.includes("/stream/stop")));
  });

  test("a signal ends the loop with its reason", async (t) => {
    const abort = new AbortController();
    const { stream } = await attach(t, (viewer) => viewer.send(started, log(1)), { signal: abort.signal });
    const reason = new Error("enough");
    await assert.rejects(async () => {
      for await (const frame of stream) if (frame.seq === 1) abort.abort(reason);
    }, reason);
  });

  test("a signal ends the way to the stream", async (t) => {
    const abort = new AbortController();
    const reason = new Error("enough");
    const fake = await Fake.start(() => abort.abort(reason));
    t.after(() => fake.close());
    for (const way of ["websocket", "sse"] as const) {
      const client = newClient({ baseUrl: fake.url, transports: [way] });
      await assert.rejects(client.attach(SESSION, { signal: abort.signal }), reason);
    }
  });

  test("stop without anybody who takes logs still comes to the end", async (t) => {
    const { stream } = await attach(t, (viewer) => viewer.send(started, log(1), log(2), ended));
    const over = once(stream, "end");
    assert.equal((await within("stop", stream.stop())).status, "ended");
    await over;
  });

  test("stop from within the loop", async (t) => {
    let finish = () => {};
    const { stream } = await attach(t, (viewer) => {
      viewer.send(started, log(1));
      finish = () => viewer.send(log(2), ended);
    });
    const seen: number[] = [];
    for await (const frame of stream) {
      seen.push(frame.seq);
      if (frame.seq === 1) {
        await stream.stop();
        finish();
      }
    }
    assert.deepEqual(seen, [1, 2]);
  });
});
