import { errorOf, SpileError } from "./error.js";
import { follow, Watchdog } from "./timing.js";
import { parseFrame, silent, streamPath, streamQuery, type Connection, type Dial } from "./transport.js";
import type { Frame } from "./wire.gen.js";

/** How many characters one event may have: far more than the longest frame. */
const MAX_EVENT = 16 << 20;

/** Cuts server-sent events out of text that comes in pieces, and keeps the data of each. */
export class EventParser {
  #rest = "";
  #scanned = 0;
  #data: string[] = [];
  #begun = false;

  /** The data of the events that are complete with this piece. */
  push(piece: string): string[] {
    const events: string[] = [];
    if (!this.#begun && piece !== "") {
      this.#begun = true;
      if (piece.startsWith("\uFEFF")) piece = piece.slice(1);
    }
    this.#rest += piece;
    let start = 0;
    for (let end: number; (end = this.#lineEnd(start)) >= 0;) {
      const line = this.#rest.slice(start, end);
      start = end + (this.#rest.startsWith("\r\n", end) ? 2 : 1);
      this.#scanned = start;
      this.#line(line, events);
    }
    this.#rest = this.#rest.slice(start);
    this.#scanned = Math.max(this.#rest.length - 1, 0);
    if (this.#rest.length > MAX_EVENT) throw errorOf("internal_error", "the server sent an event that is too long");
    return events;
  }

  /** Where the line from start on ends, -1 if that is not known yet. */
  #lineEnd(start: number): number {
    const text = this.#rest;
    for (let i = Math.max(start, this.#scanned); i < text.length; i++) {
      const char = text.charCodeAt(i);
      if (char === 10) return i;
      // Whether a line feed follows is not known at the very end.
      if (char === 13) return i + 1 < text.length ? i : -1;
    }
    return -1;
  }

  #line(line: string, events: string[]): void {
    if (line === "") {
      if (this.#data.length > 0) events.push(this.#data.join("\n"));
      this.#data = [];
    } else if (line.startsWith("data:")) {
      this.#data.push(line.slice(line.charAt(5) === " " ? 6 : 5));
    } else if (line === "data") {
      this.#data.push("");
    }
    // The rest is comments, and fields of no use here: every frame says itself where it stands.
  }
}

/** Connects by server-sent events over fetch, which unlike EventSource sends headers and waits for a slow reader. */
export async function dialSSE(dial: Dial): Promise<Connection> {
  const abort = new AbortController();
  const unfollow = follow(dial.signal, () => abort.abort(dial.signal.reason));
  try {
    const answer = await dial.http.answer({
      path: streamPath("sse", dial.sessionId), query: streamQuery(dial), headers: { Accept: "text/event-stream" },
      signal: abort.signal,
    });
    const kind = answer.headers.get("Content-Type") ?? "";
    if (!kind.startsWith("text/event-stream") || answer.body === null) {
      throw errorOf("unavailable", `the answer is ${kind || "of no type"}, not text/event-stream`);
    }
    return new SSEConnection(dial, abort, answer.body, unfollow);
  } catch (error) {
    unfollow();
    abort.abort();
    throw error;
  }
}

class SSEConnection implements Connection {
  readonly #dial: Dial;
  readonly #abort: AbortController;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #unfollow: () => void;
  readonly #decoder = new TextDecoder();
  readonly #parser = new EventParser();
  readonly #watchdog: Watchdog;

  constructor(dial: Dial, abort: AbortController, body: ReadableStream<Uint8Array>, unfollow: () => void) {
    this.#dial = dial;
    this.#abort = abort;
    this.#reader = body.getReader();
    this.#unfollow = unfollow;
    this.#watchdog = new Watchdog(dial.timing.silence, () => abort.abort(silent(dial.timing)));
  }

  async read(): Promise<readonly Frame[] | undefined> {
    this.#watchdog.start();
    try {
      for (;;) {
        const { done, value } = await this.#reader.read();
        if (done) return undefined;
        this.#watchdog.heard();
        const events = this.#parser.push(this.#decoder.decode(value, { stream: true }));
        if (events.length > 0) return events.map(parseFrame);
      }
    } catch (cause) {
      if (this.#abort.signal.aborted) throw this.#abort.signal.reason;
      if (cause instanceof SpileError) throw cause;
      throw this.#dial.http.unreachable(cause);
    } finally {
      this.#watchdog.stop();
    }
  }

  close(): void {
    this.#unfollow();
    this.#watchdog.stop();
    this.#abort.abort();
    // What is to be read of it is of no interest to anybody.
    this.#reader.cancel().catch(() => undefined);
  }
}
