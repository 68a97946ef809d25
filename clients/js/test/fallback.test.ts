import assert from "node:assert/strict";
import { after, before, describe, test, type TestContext } from "node:test";
import type { ClientOptions, TransportName } from "@spile/client";
import { Fleet, PATIENCE, numberOf, within, type LogFile, type Timing } from "./harness.js";
import { Proxy, type Fault } from "./proxy.js";

/** A way on which nothing comes is given up soon; the last one has as long as a slow machine takes. */
const hasty: Timing = { firstFrame: 1000, lastFrame: PATIENCE };
/** For ways that answer, be it with a refusal: all have as long as it takes. */
const patient: Timing = { firstFrame: PATIENCE, lastFrame: PATIENCE };

describe("a proxy between", () => {
  let fleet: Fleet;
  let log: LogFile;
  before(async () => {
    fleet = await Fleet.start();
    log = await fleet.agent("a");
    log.count(10);
  });
  after(() => fleet.close());

  async function through(t: TestContext, fault: Fault): Promise<Proxy> {
    const proxy = await Proxy.to(fleet.url, fault);
    t.after(() => proxy.close());
    return proxy;
  }

  /** Reads the history and one line more, through the way that the client finds. */
  async function readBy(
    proxy: Proxy, way: TransportName, timing: Timing, options: ClientOptions = {},
  ): Promise<string[]> {
    const client = fleet.client({ baseUrl: proxy.url, ...options }, timing);
    const stream = await client.startStream({ agentId: "a", tail: 10, filters: { pattern: "line" } });
    assert.equal(stream.transport, way);
    const numbers: number[] = [];
    await within("all lines", (async () => {
      for await (const frame of stream) {
        numbers.push(numberOf(frame));
        if (numbers.length === 10) log.count(5);
        if (numbers.length === 15) return;
      }
    })());
    // The history of ten and what came after: nothing is lost to the ways that were given up.
    const first = numbers[0] as number;
    assert.deepEqual(numbers, Array.from({ length: 15 }, (_, i) => first + i));
    const { warnings } = stream;
    await client.stopSession(stream.session.id);
    return warnings;
  }

  test("none", async (t) => {
    const stream = await fleet.client().startStream({ agentId: "a", filters: { pattern: "x" } });
    t.after(() => stream.close());
    assert.equal(stream.transport, "websocket");
    assert.deepEqual(stream.warnings, []);
  });

  for (const [name, fault, timing, warning] of [
    ["strips the upgrade", { strip: true }, patient, /^websocket does not get through \(Upgrade: must be websocket/],
    ["refuses the upgrade", { forbid: true }, patient, /^websocket does not get through \(the server answered 403/],
    ["swallows the upgrade", { swallow: true }, hasty, /^websocket does not get through \(no frame within 1 s\)/],
  ] as const) {
    test(name, async (t) => {
      const warnings = await readBy(await through(t, fault), "sse", timing, { transports: ["websocket", "sse"] });
      assert.equal(warnings.length, 1);
      assert.match(warnings[0] ?? "", warning);
    });
  }

  test("buffers", async (t) => {
    const warnings = await readBy(await through(t, { strip: true, buffer: true }), "poll", hasty);
    assert.equal(warnings.length, 2);
    assert.match(warnings[1] ?? "", /^sse does not get through \(no frame within 1 s\)/);
  });

  test("only the first stream looks for the way", async (t) => {
    const proxy = await through(t, { strip: true, buffer: true });
    const client = fleet.client({ baseUrl: proxy.url }, hasty);
    for (const way of [["stream/ws", "stream/sse", "stream/poll"], ["stream/poll"]]) {
      proxy.asked.length = 0;
      const stream = await client.startStream({ agentId: "a", filters: { pattern: "x" } });
      assert.equal(stream.transport, "poll");
      stream.close();
      assert.deepEqual(proxy.asked.filter((path) => path !== "stream/start"), way);
    }
  });

  test("after a while the best way is tried again", async (t) => {
    const proxy = await through(t, { strip: true });
    const client = fleet.client({ baseUrl: proxy.url }, { ...patient, forget: 0 });
    for (let i = 0; i < 2; i++) {
      const stream = await client.startStream({ agentId: "a", filters: { pattern: "x" } });
      stream.close();
    }
    assert.equal(proxy.asked.filter((path) => path === "stream/ws").length, 2);
  });

  test("only the ways that may be taken are", async (t) => {
    const proxy = await through(t, { strip: true });
    const client = fleet.client({ baseUrl: proxy.url, transports: ["websocket"] }, patient);
    await assert.rejects(client.startStream({ agentId: "a", filters: { pattern: "x" } }), { status: 426 });
    assert.ok(!proxy.asked.includes("stream/sse"));
    await readBy(proxy, "poll", patient, { transports: ["poll", "sse"] });
  });

  test("a refusal of the server itself is no matter of the way", async (t) => {
    const proxy = await through(t, { strip: true });
    const client = fleet.client({ baseUrl: proxy.url }, patient);
    const stream = await client.startStream({ agentId: "a", filters: { pattern: "x" } });
    await stream.stop();
    proxy.asked.length = 0;
    await assert.rejects(client.attach(stream.session.id), { code: "session_ended" });
    assert.deepEqual(proxy.asked, ["sessions", "stream/sse"]);
  });
});
