import { errorOf } from "./error.js";
import type { Http } from "./http.js";
import type { TransportName, WebSocketClass } from "./options.js";
import type { Timing } from "./timing.js";
import type { Frame } from "./wire.gen.js";

/** What a connection begins with. */
export interface Dial {
  readonly http: Http;
  readonly sessionId: string;
  readonly after: string | undefined;
  readonly from: "start" | "now" | undefined;
  readonly timing: Timing;
  readonly WebSocket: WebSocketClass | undefined;
  /** Ends the attempt, and later the connection. */
  readonly signal: AbortSignal;
}

/** One connection to a stream. */
export interface Connection {
  /** The frames that came next, waiting for them; undefined when the server has closed in good order. */
  read(): Promise<readonly Frame[] | undefined>;
  /** Closes at once; a second call does nothing. */
  close(): void;
}

/** Makes a connection of one kind. */
export type Transport = (dial: Dial) => Promise<Connection>;

/** A way that does not exist here, so that trying it again is of no use. */
export class NoSuchWay extends Error {}

/** The query of a stream. All events are asked for: heartbeats show that it lives, accounts say where it stands. */
export function streamQuery(dial: Dial): Record<string, string | undefined> {
  return { events: "all", after: dial.after, from: dial.after === undefined ? dial.from : undefined };
}

/** The path of a stream. */
export function streamPath(name: TransportName, sessionId: string): string {
  const kind = name === "websocket" ? "ws" : name;
  return `/stream/${kind}/${encodeURIComponent(sessionId)}`;
}

/** Reads one frame. */
export function parseFrame(text: string): Frame {
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch (cause) {
    throw errorOf("internal_error", "the server sent a frame that cannot be read", { cause });
  }
  if (typeof frame !== "object" || frame === null) {
    throw errorOf("internal_error", "the server sent a frame that is no object");
  }
  return frame as Frame;
}

/** The error of a connection on which nothing was heard for too long. */
export function silent(timing: Timing): Error {
  return errorOf("unavailable", `nothing heard for ${timing.silence / 1000} s`);
}
