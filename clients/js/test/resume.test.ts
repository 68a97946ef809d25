import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { GapFrame, Stream } from "@spile/client";
import { Fleet, numberOf, until, Way, within, type LogFile } from "./harness.js";
import { PlainWebSocket } from "./plain.js";

/**
 * Takes numbered lines until the last is there, and says that each came once and in order. What a gap stands for counts
 * as come where gaps may be; those that may be lost with a server are what it had sent and nobody had received.
 */
async function takeAll(stream: Stream, last: number, seen?: (n: number) => void, gaps?: GapFrame[]): Promise<void> {
  let next = 1;
  const came = (from: number, to: number) => {
    assert.equal(from, next);
    for (; next <= to; next++) seen?.(next);
  };
  const failed = new Promise<never>((_resolve, reject) => {
    stream.on("gap", (gap) => {
      gaps?.push(gap);
      try {
        if (!gaps || gap.reason !== "position_lost") assert.fail(JSON.stringify(gap));
        came(gap.from as number, gap.to as number);
      } catch (error) {
        reject(error);
      }
      if (next > last) stream.close();
    });
  });
  const taken = (async () => {
    for await (const log of stream) {
      assert.equal(log.seq, numberOf(log));
      came(log.seq, log.seq);
      if (next > last) return;
    }
  })();
  await within(`line ${last}`, Promise.race([taken, failed]));
  assert.equal(next, last + 1, "the stream ended early");
}

for (const [kind, transport, WebSocket] of [
  ["websocket", "websocket", undefined], ["browser", "websocket", PlainWebSocket],
  ["sse", "sse", undefined], ["poll", "poll", undefined],
] as const) {
  describe(kind, () => {
    let fleet: Fleet;
    let log: LogFile;
    before(async () => { fleet = await Fleet.start(); });
    after(() => fleet.close());

    test("a server is killed and started again", async (t) => {
      log = await fleet.agent(`killed-${kind}`);
      const client = fleet.client({ WebSocket, transports: [transport], maxOffline: 600 });
      const stream = await client.startStream({ agentId: `killed-${kind}`, mode: "complete" });
      t.after(() => stream.close());
      assert.equal(stream.transport, transport);
      const told: string[] = [];
      stream.on("connection", (state) => told.push(state.connected ? "back" : `lost ${state.error?.code}`));
      let again = Promise.resolve();
      const taken = takeAll(stream, 3000, (n) => {
        if (n % 1000 === 500) again = fleet.kill().then(() => fleet.serve());
        if (n % 1000 === 0) log.count(1000);
      }, []);
      log.count(1000);
      await taken;
      await again;
      assert.equal(told[0], "lost unavailable");
      assert.equal(told.at(-1), "back");
    });

    test("connections are cut", async (t) => {
      const name = `cut-${kind}`;
      log = await fleet.agent(name);
      const way = await Way.to(fleet.url);
      t.after(() => way.close());
      const options = { baseUrl: way.url, WebSocket, transports: [transport], maxOffline: 600 };
      const client = fleet.client(options, { maxWait: 100 });
      const stream = await client.startStream({ agentId: name, mode: "complete" });
      t.after(() => stream.close());
      let back = 0;
      stream.on("connection", (state) => { back += state.connected ? 1 : 0; });
      let cuts = 0;
      const taken = takeAll(stream, 20_000, (n) => {
        // In the midst of what is under way, at numbers without a pattern.
        if (n % 499 === 0) {
          cuts++;
          way.cut();
        }
        if (n % 2000 === 0) log.count(2000);
      });
      log.count(2000);
      await taken;
      assert.ok(cuts >= 40 && back > 0, `${cuts} cuts, ${back} returns`);
    });

    test("a reader comes back with a cursor", async (t) => {
      const name = `back-${kind}`;
      log = await fleet.agent(name);
      const client = fleet.client({ WebSocket, transports: [transport] });
      const first = await client.startStream({ agentId: name, mode: "complete" });
      log.count(1000);
      await takeAll(first, 10);
      const cursor = first.cursor;
      assert.ok(cursor);
      // What is written while nobody watches is not lost either.
      log.count(1000);
      const second = await client.attach(first.session.id, { after: cursor });
      t.after(() => second.close());
      const numbers: number[] = [];
      second.on("log", (frame) => numbers.push(numberOf(frame)));
      await until("the rest", () => numbers.length >= 1990);
      assert.deepEqual(numbers, Array.from({ length: 1990 }, (_, i) => i + 11));
      const session = await second.stop();
      assert.equal(session.status, "ended");
    });
  });
}
