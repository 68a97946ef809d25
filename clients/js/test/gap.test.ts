import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { GapFrame, LogFrame, TransportName } from "@spile/client";
import { Fleet, numberOf, until, within } from "./harness.js";

/** How many lines of what size are written while the reader stands still: more than everything between can hold. */
const LINES = 100_000;
const SIZE = 800;

describe("a reader that stands still in live mode", () => {
  let fleet: Fleet;
  before(async () => { fleet = await Fleet.start(); });
  after(() => fleet.close());

  for (const transport of ["websocket", "sse", "poll"] satisfies TransportName[]) {
    test(`is told exactly what it missed over ${transport}`, async (t) => {
      const log = await fleet.agent(transport);
      const client = fleet.client({ transports: [transport] });
      const stream = await client.startStream({ agentId: transport, timeout: 600 });
      t.after(() => stream.close());
      // In numbers: what came, and from which to which something is missing.
      const spans: [number, number][] = [];
      let lost = 0;
      stream.on("gap", (gap: GapFrame) => {
        assert.equal(gap.unit, "events");
        assert.equal(gap.count, (gap.to as number) - (gap.from as number) + 1);
        spans.push([gap.from as number, gap.to as number]);
        lost += gap.count as number;
      });
      const iterator = stream[Symbol.asyncIterator]();
      log.count(1, SIZE);
      const first = await within("the first line", iterator.next());
      spans.push([first.value?.seq as number, first.value?.seq as number]);
      const before = process.memoryUsage().rss;
      for (let i = 0; i < LINES; i += 1000) log.count(1000, SIZE);
      await until("the agent to have seen everything, or to have nobody left to see it for", async () => {
        const { accounts, viewers } = await client.session(stream.session.id);
        return viewers === 0 || Object.values(accounts.agents)[0]?.seen === LINES + 1;
      });
      const grown = process.memoryUsage().rss - before;
      let came = 1;
      const read = (async () => {
        for (let one: IteratorResult<LogFrame>; !(one = await iterator.next()).done; came++) {
          spans.push([one.value.seq, one.value.seq]);
          assert.equal(numberOf(one.value), one.value.seq);
        }
      })();
      await until("the last line, or the gap that it is in", () => spans.at(-1)?.[1] === LINES + 1);
      await stream.stop();
      await within("the end", read);
      let next = 1;
      for (const [from, to] of spans) {
        assert.equal(from, next);
        next = to + 1;
      }
      assert.equal(next, LINES + 2);
      assert.equal(came + lost, LINES + 1);
      assert.ok(lost > 0, "nothing was lost: the reader never held anybody up");
      assert.ok(grown < 64 << 20, `grew by ${grown} bytes`);
    });
  }
});
