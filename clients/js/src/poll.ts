import { errorOf } from "./error.js";
import { follow, sleep } from "./timing.js";
import { silent, streamPath, streamQuery, type Connection, type Dial } from "./transport.js";
import type { Frame, PollAnswer } from "./wire.gen.js";

/** The least time between two polls that bring nothing, in milliseconds, whatever something between may answer. */
const PAUSE = 200;

/** Connects by asking again and again, which gets through anything that lets a web page through. */
export function dialPoll(dial: Dial): Promise<Connection> {
  return Promise.resolve(new PollConnection(dial));
}

class PollConnection implements Connection {
  readonly #dial: Dial;
  readonly #abort = new AbortController();
  readonly #unfollow: () => void;
  #cursor: string | undefined;
  #asked = false;
  #ended = false;

  constructor(dial: Dial) {
    this.#dial = dial;
    this.#cursor = dial.after;
    this.#unfollow = follow(dial.signal, () => this.#abort.abort(dial.signal.reason));
  }

  async read(): Promise<readonly Frame[] | undefined> {
    while (!this.#ended) {
      const asked = performance.now();
      const answer = await this.#ask();
      this.#cursor = answer.cursor || this.#cursor;
      this.#ended = answer.ended;
      // What they are is the schema's to say.
      if (answer.frames.length > 0) return answer.frames as unknown as Frame[];
      await sleep(Math.max(asked + PAUSE - performance.now(), 0), this.#abort.signal);
    }
    return undefined;
  }

  async #ask(): Promise<PollAnswer> {
    const { http, timing, sessionId } = this.#dial;
    const dead = setTimeout(() => this.#abort.abort(silent(timing)), timing.silence);
    // The first answer comes at once and shows that the way is open.
    const wait = this.#asked ? timing.pollWait / 1000 : 0;
    try {
      const answer = await http.json<PollAnswer>({
        path: streamPath("poll", sessionId), signal: this.#abort.signal,
        query: { ...streamQuery({ ...this.#dial, after: this.#cursor }), wait: String(wait) },
      });
      if (!Array.isArray(answer.frames)) throw errorOf("unavailable", "the answer to a poll has no frames");
      this.#asked = true;
      return answer;
    } finally {
      clearTimeout(dead);
    }
  }

  close(): void {
    this.#unfollow();
    this.#abort.abort();
  }
}
