// A server that says what a test wants said, for what a real one does not do on demand.

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { ControlFrame, Frame, LogFrame, Session } from "@spile/client";
import { WebSocketServer, type WebSocket } from "ws";

export const SESSION = "sess_aaaaaaaaaaaaaaaaaaaaaaaaaa";
export const AGENT = "0b4f8a5e-1d2c-4b3a-9f8e-7d6c5b4a3f2e";

/** A log frame with a number. */
export function log(seq: number, extra: Partial<LogFrame> = {}): LogFrame {
  return {
    type: "log", timestamp: "2026-01-02T03:04:05.678Z", level: "INFO", source: "app", message: `line ${seq}`,
    metadata: {}, agent: AGENT, epoch: 1, seq, ...extra,
  };
}

/** A gap from one number to another. */
export function gap(from: number, to: number): ControlFrame {
  return {
    type: "control", event: "gap", agent: AGENT, epoch: 1, from, to, count: to - from + 1, unit: "events",
    reason: "rate", stage: "agent_queue",
  };
}

/** The first frame of every stream. */
export const started: ControlFrame = {
  type: "control", event: "session_started", session_id: SESSION, expires_at: "2026-01-02T04:04:05.678Z", next_seq: {},
};

/** The last frame of a session. */
export const ended: ControlFrame = {
  type: "control", event: "session_ended", reason: "stopped", accounts: { agents: {} },
};

const session: Session = {
  id: SESSION, agent_id: AGENT, agent_name: "a", agents: [{ id: AGENT, name: "a" }], status: "active", mode: "live",
  started_at: "2026-01-02T03:04:05.678Z", expires_at: "2026-01-02T04:04:05.678Z", filters: {}, created_by: "admin",
  websocket_url: `ws://127.0.0.1/api/v1/stream/ws/${SESSION}`, viewers: 0, accounts: { agents: {} },
};

/** One viewer's connection, of either kind. */
export interface Viewer {
  /** What the request asked for. */
  query: URLSearchParams;
  headers: IncomingMessage["headers"];
  /** Which connection of the server's this is, from 1. */
  number: number;
  send(...frames: Frame[]): void;
  /** Sends text as it is: for SSE with what makes an event. */
  raw(text: string): void;
  end(): void;
  /** Sends one frame and waits until it is on its way. */
  sent(frame: Frame): Promise<void>;
}

/** What a viewer is told; it may go on after it has returned. */
export type Script = (viewer: Viewer) => void | Promise<void>;
/** An answer to a request of another kind; false leaves it to the usual. */
export type Answerer = (request: IncomingMessage, response: ServerResponse) => boolean;

/** The server. */
export class Fake {
  /** What was asked for, in order. */
  readonly requests: string[] = [];
  readonly #http: Server;
  readonly #sockets = new WebSocketServer({ noServer: true });
  readonly #script: Script;
  readonly #answer: Answerer;
  #viewers = 0;

  private constructor(script: Script, answer: Answerer) {
    this.#script = script;
    this.#answer = answer;
    this.#http = createServer((request, response) => this.#serve(request, response));
    this.#http.on("upgrade", (request, socket, head) => {
      this.requests.push(`WS ${request.url}`);
      this.#sockets.handleUpgrade(request, socket, head, (ws) => this.#watch(request, ws));
    });
  }

  static async start(script: Script, answer: Answerer = () => false): Promise<Fake> {
    const fake = new Fake(script, answer);
    fake.#http.listen(0, "127.0.0.1");
    await once(fake.#http, "listening");
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const client of this.#sockets.clients) client.terminate();
    this.#http.close();
    this.#http.closeAllConnections();
    await once(this.#http, "close");
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    this.requests.push(`${request.method} ${request.url}`);
    if (this.#answer(request, response)) return;
    const path = (request.url ?? "").replace(/\?.*/, "").replace("/api/v1", "");
    const json = (status: number, body: unknown) => {
      response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
    };
    if (path === `/sessions/${SESSION}`) json(200, session);
    else if (path === "/stream/stop") json(200, { ...session, status: "ended" });
    else if (path === "/stream/ticket") json(201, { ticket: "once", expires_in_seconds: 30 });
    else if (path === `/stream/sse/${SESSION}`) {
      response.writeHead(200, { "Content-Type": "text/event-stream" });
      void this.#script({
        ...this.#asked(request),
        send: (...frames) => response.write(frames.map((frame) => `data: ${JSON.stringify(frame)}\n\n`).join("")),
        raw: (text) => response.write(text),
        end: () => response.end(),
        sent: (frame) => new Promise((resolve) => {
          response.write(`data: ${JSON.stringify(frame)}\n\n`, () => resolve());
        }),
      });
    } else json(404, { error: "not_found", message: "nothing is at this path" });
  }

  #watch(request: IncomingMessage, ws: WebSocket): void {
    void this.#script({
      ...this.#asked(request),
      send: (...frames) => ws.send(frames.map((frame) => `${JSON.stringify(frame)}\n`).join("")),
      raw: (text) => ws.send(text),
      end: () => ws.close(1000),
      sent: (frame) => new Promise((resolve) => ws.send(JSON.stringify(frame), () => resolve())),
    });
  }

  #asked(request: IncomingMessage): Pick<Viewer, "query" | "headers" | "number"> {
    const query = new URL(request.url ?? "", "http://x").searchParams;
    return { query, headers: request.headers, number: ++this.#viewers };
  }
}
