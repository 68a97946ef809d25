import type { Mode } from "./wire.gen.js";

/** The ways to a stream, the best first. */
export type TransportName = "websocket" | "sse" | "poll";

/** What a WebSocket class must be able to do; that of browsers and that of the package `ws` can. */
export type WebSocketClass = new (url: string) => WebSocketLike;

/** One WebSocket. */
export interface WebSocketLike {
  binaryType: string;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  onerror: ((event: unknown) => void) | null;
  close(code?: number, reason?: string): void;
}

/** The settings of a client. */
export interface ClientOptions {
  /**
   * Where the server is, such as `https://spile.example.org`; a path before `/api` is kept. Left out: in a page, where
   * the page came from; elsewhere the environment's SPILE_SERVER, else `http://127.0.0.1:7800`.
   */
  baseUrl?: string | undefined;
  /** The bearer token. It travels in a header, never in a URL. Left out: the login cookie, which the browser sends. */
  token?: string | undefined;
  /** Makes the calls; left out, the global one. */
  fetch?: typeof globalThis.fetch | undefined;
  /** Makes WebSockets; left out, the package `ws` where it is installed, else the global one, else none. */
  WebSocket?: WebSocketClass | undefined;
  /** The ways to a stream that may be taken, in the order in which they are tried. Left out: all, the best first. */
  transports?: readonly TransportName[] | undefined;
  /** For how many seconds a stream tries to return to a server that was lost. Left out: 30. */
  maxOffline?: number | undefined;
}

/** What passes; all that is set must hold. */
export interface FilterOptions {
  /** An exact set of level words. */
  level?: string | readonly string[] | undefined;
  /** This level and above. */
  minLevel?: string | undefined;
  /** Globs, one of which the event's source must match. */
  source?: string | readonly string[] | undefined;
  /** An RE2 expression that must be found in the line. */
  pattern?: string | undefined;
  /** `key:value` pairs, all of which the metadata must hold. */
  scope?: string | readonly string[] | undefined;
}

/** Which control frames a stream passes on. */
export type EventChoice = "all" | "default";

/** A session to start. Exactly one of `agentId` and `agents` is given. */
export interface StartOptions {
  /** One agent's id or name. */
  agentId?: string | undefined;
  /** The ids or names of several. */
  agents?: readonly string[] | undefined;
  /** The session's length in seconds, 1 to 3600; left out, 300. */
  timeout?: number | undefined;
  filters?: FilterOptions | undefined;
  /** History: a duration such as `10m`, seconds such as `600`, or an RFC 3339 time. */
  since?: string | undefined;
  /** History: the last so many matching events. */
  tail?: number | undefined;
  /** How many lines of the same file are sent before and after one that matches, 0 to 100 each; theirs is `context`. */
  context?: { before?: number | undefined; after?: number | undefined } | undefined;
  /** `live` keeps up with now and counts what it drops; `complete` drops nothing. */
  mode?: Mode | undefined;
  /** Whether frames carry the line as it was written. */
  raw?: boolean | undefined;
  /** Why, for the record. */
  reason?: string | undefined;
  /** Which control frames are passed on; left out, all. */
  events?: EventChoice | undefined;
  /** Ends the call, and afterwards the stream as `close()` does. */
  signal?: AbortSignal | undefined;
}

/** How to watch a session. */
export interface AttachOptions {
  /** The cursor of an earlier stream, to go on after. */
  after?: string | undefined;
  /** Where to begin without a cursor; left out, where the server says. */
  from?: "start" | "now" | undefined;
  /** Which control frames are passed on; left out, all. */
  events?: EventChoice | undefined;
  /** Ends the call, and afterwards the stream as `close()` does. */
  signal?: AbortSignal | undefined;
}

/** The settings of a call. */
export interface CallOptions {
  signal?: AbortSignal | undefined;
}
