import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Positions } from "../dist/cursor.js";
import { Ladder } from "../dist/ladder.js";
import { EventParser } from "../dist/sse.js";
import { Backoff, defaultTiming } from "../dist/timing.js";

const FIRST = "0b4f8a5e-1d2c-4b3a-9f8e-7d6c5b4a3f2e";
const SECOND = "ffffffff-ffff-4fff-bfff-ffffffffffff";

describe("events of a server", () => {
  for (const [name, text, want] of [
    ["one", "data: a\n\n", ["a"]],
    ["without a space", "data:a\n\n", ["a"]],
    ["only the first space goes", "data:  a \n\n", [" a "]],
    ["several lines", "data: a\ndata: b\n\n", ["a\nb"]],
    ["an empty one", "data\n\n", [""]],
    ["two empty lines", "data\ndata\n\n", ["\n"]],
    ["carriage returns", "data: a\rdata: b\r\rdata: c\r\r\n", ["a\nb", "c"]],
    ["both", "data: a\r\n\r\ndata: b\r\n\r\n", ["a", "b"]],
    ["comments, ids and the unknown", ":\n\nid: 1\nevent: x\nretry: 1\nnovel: y\ndata: a\n:c\n\n", ["a"]],
    ["nothing before the empty line", "id: 1\n\n\n\ndata: a\n\n", ["a"]],
    ["a mark at the beginning", "\uFEFFdata: a\n\n", ["a"]],
    ["the last is not complete", "data: a\n\ndata: b\n", ["a"]],
    ["a word that begins like data", "database: x\ndata: a\n\n", ["a"]],
    ["not of the first plane", "data: 𝄞\u2028\u0085ü\n\n", ["𝄞\u2028\u0085ü"]],
  ] as const) {
    test(name, () => {
      assert.deepEqual(new EventParser().push(text), want);
      // However it is cut, it is the same; an event may only come later where a line feed may follow.
      for (let first = 0; first <= text.length; first++) {
        for (let second = first; second <= text.length; second++) {
          const parser = new EventParser();
          const pieces = [text.slice(0, first), text.slice(first, second), text.slice(second), "\n"];
          const got = pieces.flatMap((piece) => parser.push(piece));
          assert.deepEqual(got.slice(0, want.length), want);
        }
      }
    });
  }

  test("one that never ends", () => {
    const parser = new EventParser();
    const piece = "x".repeat(1 << 20);
    assert.throws(() => {
      for (let i = 0; i < 17; i++) parser.push(piece);
    }, { code: "internal_error" });
  });
});

describe("positions", () => {
  test("are told from and become a cursor", () => {
    const positions = new Positions();
    assert.equal(positions.cursor, undefined);
    for (const [agent, epoch, seq] of [
      [FIRST, 1, 1], [SECOND, 3, 127], [FIRST, 1, 128], [SECOND, 300, Number.MAX_SAFE_INTEGER],
    ] as const) {
      assert.ok(positions.advance(agent, epoch, seq));
      const again = new Positions();
      again.seed(positions.cursor ?? "");
      assert.equal(again.cursor, positions.cursor);
      assert.equal(again.advance(agent, epoch, seq), false);
      assert.equal(again.advance(agent, epoch, seq - 1), false);
    }
    // As the server writes it: UUID, then two varints each.
    const bytes = Buffer.from(positions.cursor ?? "", "base64url");
    assert.equal(bytes.subarray(0, 19).toString("hex"), `${FIRST.replaceAll("-", "")}018001`);
  });

  test("a new epoch lies ahead, whatever its numbers", () => {
    const positions = new Positions();
    positions.advance(FIRST, 1, 100);
    assert.ok(positions.advance(FIRST, 2, 1));
    assert.equal(positions.advance(FIRST, 2, 1), false);
  });

  test("what is learned moves nobody", () => {
    const other = new Positions();
    other.advance(FIRST, 1, 5);
    other.advance(SECOND, 1, 7);
    const positions = new Positions();
    positions.advance(FIRST, 1, 9);
    positions.learn(other.cursor ?? "");
    assert.equal(positions.advance(FIRST, 1, 9), false);
    assert.equal(positions.advance(SECOND, 1, 7), false);
    assert.ok(positions.advance(SECOND, 1, 8));
  });

  for (const cursor of ["not one", "AAAA", "=", "////", "A",
    Buffer.from(FIRST.replaceAll("-", ""), "hex").toString("base64url"),
    Buffer.concat([Buffer.alloc(16), Buffer.alloc(10, 255)]).toString("base64url")]) {
    test(`no cursor: ${cursor}`, () => {
      assert.throws(() => new Positions().seed(cursor), { code: "validation_error" });
    });
  }
});

test("waits grow to a bound, and never are nothing", () => {
  const backoff = new Backoff({ ...defaultTiming, minWait: 10, maxWait: 100 });
  for (let series = 0; series < 50; series++) {
    for (let bound = 10, i = 0; i < 8; i++, bound = Math.min(2 * bound, 100)) {
      const wait = backoff.next();
      assert.ok(wait >= 1 && wait <= bound, `${wait} of ${bound}`);
    }
    backoff.reset();
  }
});

describe("the ways", () => {
  const steady = { ...defaultTiming, forget: Infinity };

  test("a way that was found is where the next begins", () => {
    const ladder = new Ladder(undefined, steady);
    assert.equal(ladder.start(), 0);
    ladder.worked(2);
    assert.equal(ladder.start(), 2);
    ladder.failed();
    assert.equal(ladder.start(), 2);
  });

  test("a better way that has worked before is not forgotten for one failure", () => {
    const ladder = new Ladder(undefined, steady);
    ladder.worked(0);
    ladder.worked(1);
    assert.equal(ladder.start(), 0);
  });

  test("where none has worked, all are tried", () => {
    const ladder = new Ladder(undefined, steady);
    ladder.failed();
    assert.equal(ladder.start(), 0);
  });
});
