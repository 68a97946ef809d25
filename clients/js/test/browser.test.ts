import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Fleet, newClient, numberOf, within, type LogFile } from "./harness.js";
import { PlainWebSocket } from "./plain.js";

describe("as a page does it", () => {
  let fleet: Fleet;
  let log: LogFile;
  before(async () => {
    fleet = await Fleet.start();
    log = await fleet.agent("a");
  });
  after(() => fleet.close());

  /** The fetch of a browser whose page came from the server: it keeps cookies and says where a call comes from. */
  function browser(): typeof fetch {
    let cookie: string | undefined;
    return async (url, init = {}) => {
      const headers = new Headers(init.headers);
      if (cookie !== undefined) headers.set("Cookie", cookie);
      if (init.method !== "GET") headers.set("Origin", fleet.url);
      const answer = await fetch(url, { ...init, headers });
      for (const one of answer.headers.getSetCookie()) cookie = one.replace(/;.*/, "");
      return answer;
    };
  }

  test("login, streams by ticket and cookie, logout", async () => {
    const urls: string[] = [];
    class Watched extends PlainWebSocket {
      constructor(url: string) {
        super(url);
        urls.push(url);
      }
    }
    const page = browser();
    const client = newClient({ baseUrl: fleet.url, fetch: page, WebSocket: Watched });
    await assert.rejects(client.me(), { code: "unauthorized" });
    await assert.rejects(client.login("nonsense"), { code: "unauthorized" });
    await client.login(fleet.token);
    const me = await client.me();
    assert.equal(me.subject, "admin");
    assert.ok(me.server.version);
    const stream = await client.startStream({ agentId: "a", timeout: 60 });
    assert.equal(stream.transport, "websocket");
    log.count(1);
    for await (const frame of stream) {
      assert.equal(numberOf(frame), 1);
      break;
    }
    assert.equal(urls.length, 1);
    assert.match(urls[0] ?? "", /[?&]ticket=/);
    assert.doesNotMatch(urls[0] ?? "", /token=/);
    for (const transport of ["sse", "poll"] as const) {
      const other = newClient({ baseUrl: fleet.url, fetch: page, transports: [transport] });
      const same = await other.attach(stream.session.id, { after: stream.cursor });
      log.count(1);
      await within("a line", same[Symbol.asyncIterator]().next());
      same.close();
    }
    await client.stopSession(stream.session.id);
    await client.logout();
    await assert.rejects(client.me(), { code: "unauthorized" });
  });
});

describe("the calls", () => {
  let fleet: Fleet;
  before(async () => {
    fleet = await Fleet.start();
    await fleet.agent("a");
    await fleet.agent("b");
  });
  after(() => fleet.close());

  test("of the fleet", async () => {
    const client = fleet.client();
    const agents = await client.agents();
    assert.deepEqual(agents.map((agent) => [agent.name, agent.status]), [["a", "online"], ["b", "online"]]);
    const b = await client.agent("b");
    assert.equal((await client.agent(b.id)).name, "b");
    assert.equal((await client.agentMetrics("b")).agent_id, b.id);
    const { command, server } = await client.enrolment();
    assert.equal(server, fleet.url);
    assert.match(command, /agent --server/);
    await client.deleteAgent(b.id);
    await assert.rejects(client.agent("b"), { code: "not_found" });
  });

  test("of sessions", async () => {
    const client = fleet.client();
    const stream = await client.startStream({
      agents: ["a"], timeout: 100, reason: "to see", raw: true, since: "10m", mode: "complete",
      filters: { level: ["ERROR", "WARN"], minLevel: "info", source: "app", pattern: "x", scope: ["k:v"] },
    });
    const { session } = stream;
    assert.deepEqual(session.filters, {
      level: ["ERROR", "WARN"], min_level: "info", source: ["app"], pattern: "x", scope: ["k:v"],
    });
    assert.deepEqual([session.mode, session.reason, session.raw, session.since], ["complete", "to see", true, "10m"]);
    assert.deepEqual((await client.sessions()).map((one) => one.id), [session.id]);
    const longer = await stream.extend(3000);
    assert.ok(longer.expires_at > session.expires_at);
    assert.equal(stream.session.expires_at, longer.expires_at);
    assert.equal((await client.extendSession(session.id, 50)).id, session.id);
    const over = await stream.stop();
    assert.equal(over.end_reason, "stopped");
    assert.ok(Object.values(over.accounts.agents).length > 0);
    assert.deepEqual(await client.sessions(), []);
    assert.deepEqual((await client.sessions({ status: "ended" })).map((one) => one.id), [session.id]);
    assert.equal((await client.stopSession(session.id)).status, "ended");
  });

  test("a session ends by itself, with a warning", async () => {
    const stream = await fleet.client().startStream({ agentId: "a", timeout: 2, filters: { pattern: "x" } });
    const heard: string[] = [];
    stream.on("ending", (seconds) => heard.push(`ending ${seconds <= 2}`));
    stream.on("end", (frame) => heard.push(`end ${frame.reason}`));
    await within("the end", (async () => {
      for await (const frame of stream) assert.fail(frame.message);
    })());
    assert.deepEqual(heard, ["ending true", "end timeout"]);
  });
});
