import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ValidationError, type LogFrame } from "@spile/client";
import { Fleet, within, type LogFile } from "./harness.js";

describe("lines around a match", () => {
  let fleet: Fleet;
  let log: LogFile;
  before(async () => {
    fleet = await Fleet.start();
    log = await fleet.agent("a");
  });
  after(() => fleet.close());

  test("come with it, and tell whether they follow on one another", async () => {
    log.write("INFO far", "INFO one", "ERROR two", "INFO three", "INFO four", "INFO between", "INFO five", "ERROR six");
    const client = fleet.client();
    const stream = await client.startStream({
      agentId: "a", tail: 2, filters: { pattern: "ERROR" }, context: { before: 1, after: 2 },
    });
    assert.deepEqual(stream.session.context, { before: 1, after: 2 });
    const logs: LogFrame[] = [];
    await within("all lines", (async () => {
      for await (const frame of stream) if (logs.push(frame) === 6) return;
    })());
    assert.deepEqual(
      logs.map((frame) => [frame.message, frame.context ?? false]),
      [
        ["INFO one", true], ["ERROR two", false], ["INFO three", true], ["INFO four", true],
        ["INFO five", true], ["ERROR six", false],
      ],
    );
    const follows = logs.slice(1).map((frame, i) => frame.metadata["offset"] === logs[i]?.metadata["end_offset"]);
    assert.deepEqual(follows, [true, true, true, false, true]);
    assert.deepEqual(logs.map((frame) => frame.seq), [1, 2, 3, 4, 5, 6]);
    await client.stopSession(stream.session.id);
  });

  test("have bounds, and the refusal names them", async () => {
    await assert.rejects(fleet.client().startStream({ agentId: "a", context: { after: 101 } }), (error) => {
      assert.ok(error instanceof ValidationError);
      assert.match(error.details["context.after"] ?? "", /from 0 to 100/);
      return true;
    });
  });
});
