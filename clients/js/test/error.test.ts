import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import * as spile from "@spile/client";
import { CODE_STATUS, SpileClient, SpileError, type ErrorCode } from "@spile/client";
import { Fleet, newClient, until } from "./harness.js";

/** The classes of the codes that have one. */
const classes: Partial<Record<ErrorCode, string>> = {
  validation_error: "ValidationError", unauthorized: "UnauthorizedError", forbidden: "ForbiddenError",
  not_found: "NotFoundError", conflict: "ConflictError", agent_offline: "AgentOfflineError",
  session_ended: "SessionEndedError", rate_limited: "RateLimitedError", unavailable: "UnavailableError",
};

describe("the table of codes", () => {
  let server: Server;
  let reply: { status: number; body: string; headers?: Record<string, string> };
  let client: SpileClient;
  before(async () => {
    server = createServer((_request, response) => response.writeHead(reply.status, reply.headers).end(reply.body));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    client = newClient({ baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  });
  after(() => {
    server.close();
    server.closeAllConnections();
  });

  for (const [code, status] of Object.entries(CODE_STATUS)) {
    test(code, async () => {
      const wanted = classes[code as ErrorCode] ?? "SpileError";
      const details = { field: "why" };
      const body = JSON.stringify({ error: code, message: "one sentence", details });
      reply = { status, body, headers: { "Retry-After": "7" } };
      const error = await client.agents().then(() => undefined, (e: unknown) => e);
      assert.ok(error instanceof SpileError);
      const { name, message, retryAfter } = error;
      assert.deepEqual({ code: error.code, status: error.status, name, message, details: error.details, retryAfter },
        { code, status, name: wanted, message: "one sentence", details, retryAfter: 7 });
      const Class = spile[wanted as "SpileError"];
      assert.ok(error instanceof Class);
      assert.equal(new SpileError(code as ErrorCode, "").status, status);
    });
  }

  for (const [name, status, body, code] of [
    ["bad-gateway", 502, "<html>", "unavailable"],
    ["gateway-timeout", 504, "", "unavailable"],
    ["service-unavailable", 503, "[]", "unavailable"],
    ["not-found-of-a-proxy", 404, "null", "not_found"],
    ["unknown-code", 403, '{"error":"novel","message":"x"}', "forbidden"],
    ["no-message", 401, '{"error":"unauthorized"}', "unauthorized"],
    ["teapot", 418, "", "validation_error"],
    ["not-implemented", 501, "", "internal_error"],
    ["conflict-of-a-proxy", 409, "", "conflict"],
    ["too-many-of-a-proxy", 429, "", "rate_limited"],
    ["good-that-is-no-json", 200, "<html>", "internal_error"],
  ] as const) {
    test(name, async () => {
      reply = { status, body };
      await assert.rejects(client.agents(), (error: SpileError) => error instanceof SpileError && error.code === code);
    });
  }

  test("a server that is not there", async () => {
    const nobody = createServer();
    nobody.listen(0, "127.0.0.1");
    await once(nobody, "listening");
    const baseUrl = `http://127.0.0.1:${(nobody.address() as AddressInfo).port}`;
    nobody.close();
    await once(nobody, "close");
    for (const call of [() => newClient({ baseUrl }).agents(), () => newClient({ baseUrl }).attach("sess_x")]) {
      await assert.rejects(call, (error: SpileError) => {
        assert.equal(error.name, "UnavailableError");
        assert.ok(error.message.startsWith(`reach ${baseUrl}: `), error.message);
        assert.ok(error.message.includes("ECONNREFUSED"), error.message);
        return true;
      });
    }
  });

  test("a signal ends a call with its reason", async () => {
    const reason = new Error("enough");
    await assert.rejects(client.agents({ signal: AbortSignal.abort(reason) }), reason);
  });
});

describe("a real server refuses", () => {
  let fleet: Fleet;
  let client: SpileClient;
  before(async () => {
    fleet = await Fleet.start();
    client = fleet.client();
    await fleet.agent("a");
    await fleet.agent("gone");
    await fleet.killAgent("gone");
    await until("the agent to be offline", async () => (await client.agent("gone")).status === "offline");
  });
  after(() => fleet.close());

  for (const [name, code, call] of [
    ["a token that is not good", "unauthorized", () => fleet.client({ token: "nonsense" }).agents()],
    ["no token", "unauthorized", () => fleet.client({ token: "" }).agents()],
    ["an unknown session", "not_found", () => client.session("sess_unknown")],
    ["an unknown agent", "not_found", () => client.startStream({ agentId: "nobody" })],
    ["a session to attach to", "not_found", () => client.attach("sess_unknown")],
    ["an agent that is offline", "agent_offline", () => client.startStream({ agentId: "gone" })],
    ["neither agent nor agents", "validation_error", () => client.startStream({})],
    ["a cursor that is none", "validation_error", async () => {
      const { session } = await start();
      return client.attach(session.id, { after: "no cursor" });
    }],
    ["an ended session", "session_ended", async () => {
      const stream = await start();
      await stream.stop();
      return client.attach(stream.session.id);
    }],
    ["a body that is too large", "too_large", () => client.startStream({ agentId: "a", reason: "x".repeat(2 << 20) })],
  ] as const) {
    test(name, async () => {
      await assert.rejects(call as () => Promise<unknown>, (error: SpileError) => {
        assert.ok(error instanceof SpileError, String(error));
        assert.equal(error.code, code);
        return true;
      });
    });
  }

  test("the field is named", async () => {
    await assert.rejects(client.startStream({ agentId: "a", filters: { pattern: "(" } }), (error: SpileError) => {
      assert.equal(error.code, "validation_error");
      assert.deepEqual(Object.keys(error.details), ["filters.pattern"]);
      return true;
    });
  });

  for (const [name, options, field] of [
    ["a misspelt filter", { agentId: "a", filters: { min_level: "error" } }, "filters.min_level"],
    ["a misspelt option", { agentId: "a", timeout_seconds: 60 }, "timeout_seconds"],
  ] as [string, object, string][]) {
    test(`${name} is refused and opens nothing`, async () => {
      await assert.rejects(client.startStream(options), (error: SpileError) => {
        assert.equal(error.code, "validation_error");
        assert.deepEqual(Object.keys(error.details), [field]);
        return true;
      });
    });
  }

  test("every way says the same of an ended session and a bad token", async () => {
    for (const transport of ["websocket", "sse"] as const) {
      const only = fleet.client({ transports: [transport] });
      const stream = await start();
      await stream.stop();
      await assert.rejects(only.attach(stream.session.id), { code: "session_ended" });
    }
  });

  function start(): Promise<spile.Stream> {
    return client.startStream({ agentId: "a", timeout: 60 });
  }
});

describe("wrong settings", () => {
  for (const [name, options] of [
    ["a base that is no URL", { baseUrl: "nowhere" }],
    ["another scheme", { baseUrl: "ftp://x" }],
    ["a user", { baseUrl: "http://u:p@x" }],
    ["a query", { baseUrl: "http://x?y" }],
    ["a token with spaces", { baseUrl: "http://x", token: "a b" }],
    ["no transport", { baseUrl: "http://x", transports: [] }],
    ["an unknown transport", { baseUrl: "http://x", transports: ["pigeon" as "sse"] }],
  ] as const) {
    test(name, () => {
      assert.throws(() => new SpileClient(options), { name: "ValidationError" });
    });
  }

  test("a path before the API is kept, and the API itself is not doubled", () => {
    assert.equal(new SpileClient({ baseUrl: "https://x/a/" }).baseUrl, "https://x/a");
    assert.equal(new SpileClient({ baseUrl: "https://x/a/api/v1" }).baseUrl, "https://x/a");
  });
});
