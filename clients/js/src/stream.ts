import type { SpileClient } from "./client.js";
import { Positions } from "./cursor.js";
import { Emitter, report } from "./emitter.js";
import { errorOf, SpileError } from "./error.js";
import { Feed, type ConnectionState } from "./feed.js";
import type { TransportName } from "./options.js";
import { breathe, follow, type Timing } from "./timing.js";
import type {
  AgentStatusFrame, ControlFrame, Frame, GapFrame, LogFrame, Session, SessionEndedFrame, SessionEndingFrame, StatsFrame,
} from "./wire.gen.js";

/** What listeners get. */
export interface StreamEvents {
  /** One event of a log. */
  log: [frame: LogFrame];
  /** The session ends soon. */
  ending: [secondsRemaining: number, frame: SessionEndingFrame];
  /** Something is missing here, and how much. */
  gap: [frame: GapFrame];
  /** The session has ended; the accounts say what was seen, sent and lost. */
  end: [frame: SessionEndedFrame];
  /** What an agent does for the session. */
  status: [frame: AgentStatusFrame];
  /** The accounts so far. */
  stats: [frame: StatsFrame];
  /** Every control frame, those too that have an event of their own. */
  control: [frame: ControlFrame];
  /** A problem: `fatal` if the stream is over with it. */
  error: [error: SpileError, fatal: boolean];
  /** The connection was lost, an attempt to return has failed, or it is back. */
  connection: [state: ConnectionState];
}

/** What a stream without `events: "all"` passes on. */
const defaultEvents: ReadonlySet<string> = new Set(["gap", "session_ending", "session_ended", "error"]);
/** How long frames are handed out before everything else in this process gets its turn, in milliseconds. */
const SLICE = 8;

/** What a stream is made of. */
export interface StreamParts {
  client: SpileClient;
  timing: Timing;
  session: Session;
  warnings: readonly string[];
  allEvents: boolean;
  signal: AbortSignal | undefined;
  feed: (signal: AbortSignal, tell: (state: ConnectionState) => void) => Feed;
}

/**
 * One reader of a session. Events come once each and in order; when the connection breaks the stream returns by itself
 * to where it was, and what cannot be had any more comes as a gap.
 *
 * Nothing is handed out before the first listener or iterator is there, and no log before one that takes logs. With an
 * iterator everything comes at its pace, listeners included.
 */
export class Stream implements AsyncIterable<LogFrame> {
  readonly #parts: StreamParts;
  readonly #feed: Feed;
  readonly #emitter = new Emitter<StreamEvents>();
  readonly #abort = new AbortController();
  readonly #unfollow: () => void;
  /** Where the reader stands: after everything that was handed out. */
  readonly #positions = new Positions();
  #session: Session;
  #connected = true;
  #pumping: Promise<void> | undefined;
  /** Frames for the iterator, and where in them it is. */
  #queue: Frame[] = [];
  #head = 0;
  #iterator: LogIterator | undefined;
  /** Set when logs are thrown away: the session is being stopped, and nobody takes them. */
  #discard = false;
  /** Wakes the pump: somebody takes logs, or there is room. */
  #wake: (() => void) | undefined;
  /** Set when the stream is over: why, or null for a good end. */
  #over: unknown;

  private constructor(parts: StreamParts, after: string | undefined) {
    this.#parts = parts;
    this.#session = parts.session;
    if (after !== undefined) this.#positions.seed(after);
    this.#unfollow = follow(parts.signal, () => this.#leave(parts.signal?.reason));
    this.#feed = parts.feed(this.#abort.signal, (state) => this.#tell(state));
  }

  /** @internal Connects to a session. */
  static async open(parts: StreamParts, after: string | undefined): Promise<Stream> {
    parts.signal?.throwIfAborted();
    const stream = new Stream(parts, after);
    try {
      await stream.#feed.open();
    } catch (error) {
      stream.close();
      throw error;
    }
    return stream;
  }

  /** The session as far as it is known: its end moves when it is extended, the rest is that of the beginning. */
  get session(): Session {
    return this.#session;
  }

  /** Where the reader stands, to come back with `attach(id, {after})`; undefined before any agent has spoken. */
  get cursor(): string | undefined {
    return this.#positions.cursor;
  }

  /** The way that the frames take. */
  get transport(): TransportName {
    return this.#feed.transport;
  }

  /** Whether the connection is there. */
  get connected(): boolean {
    return this.#connected && this.#over === undefined;
  }

  /** What the server said about the start, and which better ways to the stream do not get through. */
  get warnings(): string[] {
    return [...this.#parts.warnings, ...this.#feed.givenUp];
  }

  /** Calls back with each event of this name; what is returned takes that back. */
  on<Name extends keyof StreamEvents>(name: Name, listener: (...args: StreamEvents[Name]) => void): () => void {
    const remove = this.#emitter.add(name, listener);
    this.#begin();
    if (name === "log") this.#wakeUp();
    return remove;
  }

  /** Takes a listener back. */
  off<Name extends keyof StreamEvents>(name: Name, listener: (...args: StreamEvents[Name]) => void): void {
    this.#emitter.remove(name, listener);
  }

  /** Gives the session a new remaining length in seconds, counted from now. */
  async extend(seconds: number): Promise<Session> {
    return this.#session = await this.#parts.client.extendSession(this.#session.id, seconds);
  }

  /** Leaves; the session goes on, for others or to come back to. */
  close(): void {
    this.#leave(null);
  }

  /**
   * Ends the session for everybody and returns it with its accounts. Listeners have by then heard everything up to its
   * end; an iterator goes on to it.
   */
  async stop(): Promise<Session> {
    this.#session = await this.#parts.client.stopSession(this.#session.id);
    if (this.#pumping === undefined) {
      this.close();
    } else if (this.#iterator === undefined) {
      this.#discard = !this.#emitter.heard("log");
      this.#wakeUp();
      let timer: ReturnType<typeof setTimeout> | undefined;
      const enough = new Promise<void>((resolve) => { timer = setTimeout(resolve, this.#parts.timing.drain); });
      await Promise.race([this.#pumping, enough]);
      clearTimeout(timer);
      this.close();
    }
    return this.#session;
  }

  /** The logs up to the end of the session. Leaving the loop early closes the stream. */
  [Symbol.asyncIterator](): AsyncIterableIterator<LogFrame> {
    if (this.#iterator && this.#over === undefined) throw new Error("a stream can be iterated once at a time");
    const iterator = new LogIterator({
      take: () => this.#take(), over: () => this.#over, leave: () => this.close(),
    });
    this.#iterator = iterator;
    this.#begin();
    this.#wakeUp();
    return iterator;
  }

  /** Starts to hand out, once those who ask for it now have said all that they ask for. */
  #begin(): void {
    if (this.#pumping !== undefined || this.#over !== undefined) return;
    this.#pumping = breathe().then(() => this.#pump())
      .then(() => this.#finish(null), (error: unknown) => this.#finish(error));
  }

  async #pump(): Promise<void> {
    let slice = performance.now();
    for (let frames; (frames = await this.#feed.next()) !== undefined;) {
      for (const frame of frames) {
        const taker = frame.type === "log" ? this.#taker() : undefined;
        if (taker) await taker;
        if (this.#over !== undefined) return;
        if (this.#iterator) this.#queue.push(frame);
        else this.#hand(frame);
      }
      this.#iterator?.serve();
      while (this.#full()) await this.#sleep();
      if (performance.now() - slice > SLICE) {
        await breathe();
        slice = performance.now();
      }
    }
  }

  /** Whether the iterator has as much before it as it may. */
  #full(): boolean {
    return this.#iterator !== undefined && this.#queue.length - this.#head >= this.#parts.timing.iteratorBuffer;
  }

  /** Waits for somebody who takes logs. */
  #taker(): Promise<void> | undefined {
    if (this.#iterator || this.#discard || this.#emitter.heard("log")) return undefined;
    return this.#sleep().then(() => this.#taker());
  }

  #sleep(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#over !== undefined) resolve();
      else this.#wake = resolve;
    });
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  /** Hands one frame out. */
  #hand(frame: Frame): void {
    if (frame.type === "log") {
      this.#positions.advance(frame.agent, frame.epoch, frame.seq);
      this.#emitter.emit("log", frame);
      return;
    }
    if (frame.event === "gap" && frame.unit === "events" && frame.to !== undefined) {
      this.#positions.advance(frame.agent, frame.epoch, frame.to);
    }
    if (frame.cursor) this.#positions.learn(frame.cursor);
    if (frame.expires_at) this.#session = { ...this.#session, expires_at: frame.expires_at };
    if (!this.#parts.allEvents && !defaultEvents.has(frame.event)) return;
    this.#emitter.emit("control", frame);
    this.#emitControl(frame);
  }

  #emitControl(frame: ControlFrame): void {
    switch (frame.event) {
      case "session_ending": return this.#emitter.emit("ending", frame.seconds_remaining, frame);
      case "session_ended": return this.#emitter.emit("end", frame);
      case "gap": return this.#emitter.emit("gap", frame);
      case "agent_status": return this.#emitter.emit("status", frame);
      case "stats": return this.#emitter.emit("stats", frame);
      case "error": return this.#emitter.emit("error", errorOf(frame.code, frame.message), false);
    }
  }

  /** The next log for the iterator; what lies before it is handed to the listeners. */
  #take(): LogFrame | undefined {
    while (this.#head < this.#queue.length) {
      const frame = this.#queue[this.#head++] as Frame;
      if (this.#head === this.#queue.length) {
        this.#queue = [];
        this.#head = 0;
        this.#wakeUp();
      }
      this.#hand(frame);
      if (frame.type === "log") return frame;
    }
    return undefined;
  }

  #tell(state: ConnectionState): void {
    if (this.#over !== undefined) return;
    this.#connected = state.connected;
    this.#emitter.emit("connection", state);
  }

  /** Ends the stream with what was not handed out yet thrown away: it can be had again by the cursor. */
  #leave(why: unknown): void {
    this.#queue = [];
    this.#head = 0;
    this.#finish(why);
  }

  /** Ends the stream, once. */
  #finish(why: unknown): void {
    if (this.#over !== undefined) return;
    this.#over = why ?? null;
    this.#unfollow();
    this.#abort.abort(why ?? undefined);
    this.#feed.close();
    this.#wakeUp();
    const iterating = this.#iterator?.finish() ?? false;
    // Whoever has ended it by a signal knows.
    if (!(why instanceof SpileError) || this.#parts.signal?.aborted) return;
    if (this.#emitter.heard("error")) this.#emitter.emit("error", why, true);
    else if (!iterating) report(why);
  }
}

/** What an iterator needs of its stream. */
interface Iterated {
  take: () => LogFrame | undefined;
  over: () => unknown;
  leave: () => void;
}

/** The iterator over a stream's logs. */
class LogIterator implements AsyncIterableIterator<LogFrame> {
  readonly #stream: Iterated;
  #waiting: { resolve: (result: IteratorResult<LogFrame>) => void; reject: (error: unknown) => void }[] = [];
  #left = false;
  #told = false;

  constructor(stream: Iterated) {
    this.#stream = stream;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<LogFrame>> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.serve();
    });
  }

  return(): Promise<IteratorResult<LogFrame>> {
    this.#left = true;
    this.#stream.leave();
    this.serve();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Gives those who wait what there is. */
  serve(): void {
    while (this.#waiting.length > 0) {
      const log = this.#left ? undefined : this.#stream.take();
      if (log === undefined && this.#stream.over() === undefined && !this.#left) return;
      const one = this.#waiting.shift();
      const why = this.#stream.over();
      if (log) one?.resolve({ done: false, value: log });
      else if (why && !this.#told && !this.#left) {
        this.#told = true;
        one?.reject(why);
      } else one?.resolve({ done: true, value: undefined });
    }
  }

  /** The stream is over; says whether somebody will hear why. */
  finish(): boolean {
    this.serve();
    return !this.#left;
  }
}
