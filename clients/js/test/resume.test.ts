import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Stream, TransportName } from "@spile/client";
import { Fleet, numberOf, until, Way, within, type LogFile } from "./harness.js";

/** Takes numbered lines until the last is there, and says that each came once and in order. */
async function takeAll(stream: Stream, last: number, seen?: (n: number) => void): Promise<void> {
  const gaps: unknown[] = [];
  stream.on("gap", (gap) => gaps.push(gap));
  let next = 1;
  await within(`line ${last}`, (async () => {
    for await (const log of stream) {
      assert.equal(numberOf(log), next++);
      assert.equal(log.seq, next - 1);
      seen?.(next - 1);
      if (next > last) return;
    }
  })());
  assert.equal(next, last + 1, "the stream ended early");
  assert.deepEqual(gaps, []);
}

for (const transport of ["websocket", "sse", "poll"] satisfies TransportName[]) {
  describe(transport, () => {
    let fleet: Fleet;
    let log: LogFile;
    before(async () => { fleet = await Fleet.start(); });
    after(() => fleet.close());

    test("a server is killed and started again", async () => {
      log = await fleet.agent(`killed-${transport}`);
      const client = fleet.client({ transports: [transport], maxOffline: 600 });
      const stream = await client.startStream({ agentId: `killed-${transport}`, mode: "complete" });
      assert.equal(stream.transport, transport);
      const told: string[] = [];
      stream.on("connection", (state) => told.push(state.connected ? "back" : `lost ${state.error?.code}`));
      const taken = takeAll(stream, 3000, (n) => {
        if (n % 1000 === 500) void fleet.kill().then(() => fleet.serve());
        if (n % 1000 === 0) log.count(1000);
      });
      log.count(1000);
      await taken;
      assert.equal(told[0], "lost unavailable");
      assert.equal(told.at(-1), "back");
    });

    test("connections are cut", async (t) => {
      const name = `cut-${transport}`;
      log = await fleet.agent(name);
      const way = await Way.to(fleet.url);
      t.after(() => way.close());
      const client = fleet.client({ baseUrl: way.url, transports: [transport], maxOffline: 600 }, { maxWait: 100 });
      const stream = await client.startStream({ agentId: name, mode: "complete" });
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

    test("a reader comes back with a cursor", async () => {
      const name = `back-${transport}`;
      log = await fleet.agent(name);
      const client = fleet.client({ transports: [transport] });
      const first = await client.startStream({ agentId: name, mode: "complete" });
      log.count(1000);
      await takeAll(first, 10);
      const cursor = first.cursor;
      assert.ok(cursor);
      // What is written while nobody watches is not lost either.
      log.count(1000);
      const second = await client.attach(first.session.id, { after: cursor });
      const numbers: number[] = [];
      second.on("log", (frame) => numbers.push(numberOf(frame)));
      await until("the rest", () => numbers.length >= 1990);
      assert.deepEqual(numbers, Array.from({ length: 1990 }, (_, i) => i + 11));
      const session = await second.stop();
      assert.equal(session.status, "ended");
    });
  });
}
