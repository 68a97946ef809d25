import { Positions } from "./cursor.js";
import { errorOf, isServerWord, SpileError } from "./error.js";
import type { Http } from "./http.js";
import { messageOf } from "./http.js";
import type { Ladder } from "./ladder.js";
import type { TransportName, WebSocketClass } from "./options.js";
import { dialPoll } from "./poll.js";
import { dialSSE } from "./sse.js";
import { Backoff, follow, sleep, type Timing } from "./timing.js";
import { NoSuchWay, type Connection, type Transport } from "./transport.js";
import type { ControlFrame, Frame } from "./wire.gen.js";
import { dialWebSocket } from "./websocket.js";

const transports: { readonly [name in TransportName]: Transport } = {
  websocket: dialWebSocket, sse: dialSSE, poll: dialPoll,
};

/** What is told about the connection of a stream. */
export interface ConnectionState {
  /** Whether it is there. */
  connected: boolean;
  /** How many attempts to return were made; 0 when it was lost just now. */
  attempt: number;
  /** Seconds to the next attempt. */
  wait: number;
  /** The way that is or was taken. */
  transport: TransportName;
  /** Why it was lost, or why the attempt failed. */
  error?: SpileError;
}

/** What a feed is made of. */
export interface FeedOptions {
  http: Http;
  ladder: Ladder;
  timing: Timing;
  WebSocket: WebSocketClass | undefined;
  /** Milliseconds. */
  maxOffline: number;
  sessionId: string;
  after: string | undefined;
  from: "start" | "now" | undefined;
  signal: AbortSignal;
  tell: (state: ConnectionState) => void;
}

/**
 * The frames of a session, once each and in order, over as many connections as it takes. It is pulled: while nobody
 * asks for frames nothing is read.
 */
export class Feed {
  readonly #options: FeedOptions;
  readonly #positions = new Positions();
  readonly #backoff: Backoff;
  /** Why ways were given up at the first connection. */
  readonly givenUp: string[] = [];
  #transport: TransportName;
  #connection: Connection | undefined;
  /** The frames that showed that a connection works. */
  #first: readonly Frame[] | undefined;
  #from: "start" | "now" | undefined;
  #ended = false;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.timing);
    this.#from = options.from;
    this.#transport = options.ladder.ways[0] as TransportName;
    if (options.after !== undefined) this.#positions.seed(options.after);
  }

  /** The way that is taken. */
  get transport(): TransportName {
    return this.#transport;
  }

  /** Connects for the first time: tried once, its refusal is the error. */
  async open(): Promise<void> {
    await this.#connect((why) => this.givenUp.push(why));
  }

  /** The next frames, waiting for them; undefined after the end of the session. */
  async next(): Promise<Frame[] | undefined> {
    while (!this.#ended) {
      const frames = (await this.#read()).filter((frame) => this.#accept(frame));
      if (this.#ended) this.#drop();
      if (frames.length > 0) return frames;
    }
    return undefined;
  }

  /** Leaves. */
  close(): void {
    this.#ended = true;
    this.#drop();
  }

  #drop(): void {
    this.#connection?.close();
    this.#connection = undefined;
    this.#first = undefined;
  }

  /** Reads from the connection, over a new one if need be. */
  async #read(): Promise<readonly Frame[]> {
    const first = this.#first;
    this.#first = undefined;
    if (first) return first;
    let why: unknown;
    try {
      const frames = await this.#connection?.read();
      if (frames) {
        this.#backoff.reset();
        return frames;
      }
      why = errorOf("unavailable", "the connection was closed");
    } catch (error) {
      why = error;
    }
    this.#drop();
    this.#options.signal.throwIfAborted();
    await this.#return(why);
    return [];
  }

  /** Tries to return until that was tried for long enough or the server refuses. */
  async #return(why: unknown): Promise<void> {
    const { maxOffline, signal, tell } = this.#options;
    const limit = performance.now() + maxOffline;
    // One that was too slow has been waited for already.
    let wait = why instanceof SpileError && why.code === "slow_viewer" ? 0 : this.#backoff.next();
    tell({ connected: false, attempt: 0, wait: wait / 1000, transport: this.#transport, error: spileError(why) });
    for (let attempt = 1; ; attempt++) {
      await sleep(wait, signal);
      try {
        await this.#connect();
        tell({ connected: true, attempt, wait: 0, transport: this.#transport });
        return;
      } catch (error) {
        signal.throwIfAborted();
        const refusal = spileError(error);
        if (!passing(refusal)) throw refusal;
        wait = Math.max(this.#backoff.next(), (refusal.retryAfter ?? 0) * 1000);
        if (performance.now() + wait > limit) {
          const lost = `lost the server for ${maxOffline / 1000} s`;
          throw errorOf("unavailable", `${lost}: ${refusal.message}`, { cause: error });
        }
        tell({ connected: false, attempt, wait: wait / 1000, transport: this.#transport, error: refusal });
      }
    }
  }

  /** Connects by the best way that works now. */
  async #connect(givenUp?: (why: string) => void): Promise<void> {
    const { ladder, signal, timing } = this.#options;
    let failure: unknown;
    for (let rung = ladder.start(); rung < ladder.ways.length; rung++) {
      const way = ladder.ways[rung] as TransportName;
      const last = rung === ladder.ways.length - 1;
      try {
        await this.#dial(way, last ? timing.lastFrame : timing.firstFrame);
        this.#transport = way;
        ladder.worked(rung);
        return;
      } catch (error) {
        signal.throwIfAborted();
        // The server itself has spoken, so the way to it is good; but one that wants an upgrade did not see it.
        if (error instanceof SpileError && isServerWord(error) && error.status !== 426) throw error;
        failure = error;
        if (!last) givenUp?.(`${way} does not get through (${messageOf(error)})`);
      }
    }
    ladder.failed();
    throw failure;
  }

  /** Makes a connection and waits for its first frames. */
  async #dial(way: TransportName, patience: number): Promise<void> {
    const { signal, http, sessionId, timing, WebSocket } = this.#options;
    const attempt = new AbortController();
    const unfollow = follow(signal, () => attempt.abort(signal.reason));
    const late = errorOf("unavailable", `no frame within ${patience / 1000} s`);
    const timer = setTimeout(() => attempt.abort(late), patience);
    let connection: Connection | undefined;
    try {
      connection = await transports[way]({
        http, sessionId, timing, WebSocket, signal: attempt.signal, after: this.#positions.cursor, from: this.#from,
      });
      const first = await connection.read();
      if (!first) throw errorOf("unavailable", "the connection was closed before its first frame");
      this.#connection = connection;
      this.#first = first;
    } catch (error) {
      connection?.close();
      throw error;
    } finally {
      clearTimeout(timer);
      unfollow();
    }
  }

  /** Follows what a frame says about the stream itself, and says whether it is new. */
  #accept(frame: Frame): boolean {
    switch (frame.type) {
      case "log":
        this.#from = undefined;
        return this.#positions.advance(frame.agent, frame.epoch, frame.seq);
      case "control":
        return this.#control(frame);
      default:
        // Of a type that this version does not know.
        return false;
    }
  }

  #control(frame: ControlFrame): boolean {
    switch (frame.event) {
      case "session_started":
        // An agent without a number has not spoken yet. Who is owed everything of all returns as one who is.
        if (Object.values(frame.next_seq ?? {}).every((next) => next <= 1)) this.#from = "start";
        break;
      case "gap":
        if (frame.unit === "events" && frame.to !== undefined) {
          return this.#positions.advance(frame.agent, frame.epoch, frame.to);
        }
        break;
      case "session_ended":
        this.#ended = true;
        break;
    }
    if (frame.cursor) this.#positions.learn(frame.cursor);
    return true;
  }
}

/** Whether an attempt that failed with an error may work later. What the server did not say itself may. */
function passing(error: SpileError): boolean {
  if (!isServerWord(error)) return true;
  return ["unavailable", "internal_error", "rate_limited", "slow_viewer"].includes(error.code);
}

function spileError(error: unknown): SpileError {
  if (error instanceof SpileError) return error;
  if (error instanceof NoSuchWay) return errorOf("unavailable", error.message);
  return errorOf("unavailable", messageOf(error), { cause: error });
}
