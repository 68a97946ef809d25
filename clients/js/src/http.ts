import { errorOf, errorOfStatus, refusalOf, type SpileError } from "./error.js";
import type { ClientOptions } from "./options.js";

/** The prefix of every API path. */
const API = "/api/v1";
/** Where a server listens that was told nothing else. */
const DEFAULT_SERVER = "http://127.0.0.1:7800";

/** One call of the API. */
export interface Call {
  method?: string;
  /** What follows `/api/v1`. */
  path: string;
  query?: Record<string, string | undefined>;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
}

/** Makes the HTTP calls of one client. */
export class Http {
  /** Where the server is, without a slash at the end. */
  readonly base: string;
  readonly token: string | undefined;
  readonly #fetch: typeof globalThis.fetch;

  constructor(options: ClientOptions) {
    this.base = baseOf(options.baseUrl);
    this.token = options.token || undefined;
    if (this.token !== undefined && /\s/.test(this.token)) {
      throw errorOf("validation_error", "token: must be one word without spaces or line ends");
    }
    // Unbound, the global fetch of a browser refuses to work.
    this.#fetch = options.fetch ?? globalThis.fetch.bind(globalThis);
  }

  /** The URL of a call; `ws` makes it one of a WebSocket. */
  url(path: string, query: Record<string, string | undefined> = {}, ws = false): string {
    const url = new URL(this.base + API + path);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    if (ws) url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    return url.href;
  }

  /** The headers that say who calls. */
  authorization(): Record<string, string> {
    return this.token === undefined ? {} : { Authorization: `Bearer ${this.token}` };
  }

  /** Makes a call and returns the answer if it is one of success. */
  async answer(call: Call): Promise<Response> {
    const headers: Record<string, string> = { Accept: "application/json", ...this.authorization(), ...call.headers };
    const init: RequestInit = { method: call.method ?? "GET", headers, credentials: "same-origin", cache: "no-store" };
    if (call.signal) init.signal = call.signal;
    if (call.body !== undefined) {
      headers["Content-Type"] = "application/json";
      init.body = JSON.stringify(call.body);
    }
    let answer: Response;
    try {
      answer = await this.#fetch(this.url(call.path, call.query), init);
    } catch (cause) {
      throw this.unreachable(cause, call.signal);
    }
    if (answer.ok) return answer;
    const body = await answer.text().catch(() => "");
    throw refusalOf(answer.status, body, answer.headers.get("Retry-After")) ??
      errorOfStatus(answer.status, answer.statusText);
  }

  /** Makes a call whose answer is JSON. */
  async json<T>(call: Call): Promise<T> {
    const answer = await this.answer(call);
    let text: string;
    try {
      text = await answer.text();
    } catch (cause) {
      throw this.unreachable(cause, call.signal);
    }
    try {
      return JSON.parse(text) as T;
    } catch (cause) {
      throw errorOf("internal_error", `${this.base} answered ${call.path} with something that is not JSON`, { cause });
    }
  }

  /** Makes a call whose answer has nothing in it. */
  async done(call: Call): Promise<void> {
    const answer = await this.answer(call);
    await answer.body?.cancel();
  }

  /** The error of a call that got no answer. */
  unreachable(cause: unknown, signal?: AbortSignal): SpileError {
    if (signal?.aborted) throw signal.reason;
    return errorOf("unavailable", `reach ${this.base}: ${messageOf(cause)}`, { cause });
  }
}

/** What an error says, and what it was caused by says: that of fetch alone is always the same. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? `: ${error.cause.message || error.cause.name}` : "";
  return (error.message || error.name) + cause;
}

function baseOf(given: string | undefined): string {
  const text = given ?? (typeof document === "undefined" ? environment("SPILE_SERVER") ?? DEFAULT_SERVER :
    new URL(".", document.baseURI).href);
  const wrong = (why: string) => errorOf("validation_error", `baseUrl: ${why}`, { details: { baseUrl: why } });
  let url: URL;
  try {
    url = new URL(text, typeof document === "undefined" ? undefined : document.baseURI);
  } catch {
    throw wrong(`${JSON.stringify(text)} must be a URL such as ${DEFAULT_SERVER}`);
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw wrong(`${JSON.stringify(text)} must be a URL such as ${DEFAULT_SERVER}`);
  }
  if (url.username || url.password || url.search || url.hash) throw wrong("must have no user, query or fragment");
  const base = url.href.replace(/\/+$/, "");
  return base.endsWith(API) ? base.slice(0, -API.length) : base;
}

/** A variable of the environment, where there is one. */
function environment(name: string): string | undefined {
  const host = globalThis as { process?: { env?: Record<string, string | undefined> } };
  return host.process?.env?.[name] || undefined;
}
