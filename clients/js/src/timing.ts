/** The times and bounds of a stream; lengths in milliseconds. */
export interface Timing {
  /** How long a way to the stream may take to its first frame before the next is tried. */
  firstFrame: number;
  /** The same for the last way, after which there is none. */
  lastFrame: number;
  /** How long a connection may be silent before it counts as dead: three heartbeats. */
  silence: number;
  /** The bound of the first wait between attempts to return, and that of all waits. */
  minWait: number;
  maxWait: number;
  /** How long a poll waits at the server. */
  pollWait: number;
  /** For how long a way that did not work is not tried again. */
  forget: number;
  /** How long stop() waits for what the server still owes. */
  drain: number;
  /** How many characters of messages are held for a slow reader before the socket is no longer read. */
  socketBuffer: number;
  /** How many frames are held for a slow iterator before the connection is no longer read. */
  iteratorBuffer: number;
}

export const defaultTiming: Timing = {
  firstFrame: 2_000,
  lastFrame: 10_000,
  silence: 45_000,
  minWait: 100,
  maxWait: 5_000,
  pollWait: 20_000,
  forget: 300_000,
  drain: 5_000,
  socketBuffer: 4 << 20,
  iteratorBuffer: 256,
};

/** Gives the waits between attempts: exponential with full jitter, so that many do not return together. */
export class Backoff {
  readonly #min: number;
  readonly #max: number;
  #bound = 0;

  constructor(timing: Timing) {
    this.#min = timing.minWait;
    this.#max = timing.maxWait;
  }

  /** A random part of a bound that doubles with each call. */
  next(): number {
    this.#bound = this.#bound === 0 ? this.#min : Math.min(2 * this.#bound, this.#max);
    return Math.max(Math.random() * this.#bound, 1);
  }

  /** Starts anew, after an attempt that worked. */
  reset(): void {
    this.#bound = 0;
  }
}

/** How long one that was silent for too long may still be heard, in milliseconds. */
const DOUBT = 100;

/** Calls back once when nothing was heard for too long. */
export class Watchdog {
  readonly #length: number;
  readonly #expired: () => void;
  #heard = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(length: number, expired: () => void) {
    this.#length = length;
    this.#expired = expired;
  }

  /** Counts from now on. */
  start(): void {
    this.#heard = performance.now();
    if (this.#timer === undefined) this.#arm(this.#length);
  }

  /** Something was heard. */
  heard(): void {
    this.#heard = performance.now();
  }

  /** Counts no longer. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #arm(wait: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const left = this.#heard + this.#length - performance.now();
      // A millisecond at a time would be too eager where timers and clock round differently.
      if (left > 0) this.#arm(Math.max(left, 1));
      else this.#doubt();
    }, wait);
  }

  /** What has come while this process stood still, or slept, is heard before the silence counts. */
  #doubt(): void {
    const heard = this.#heard;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#heard === heard) this.#expired();
      else this.#arm(this.#length);
    }, DOUBT);
  }
}

/** Waits; throws the signal's reason when that ends first. */
export function sleep(length: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const unfollow = follow(signal, () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    });
    const timer = setTimeout(() => {
      unfollow();
      resolve();
    }, length);
  });
}

/** Calls back when the signal ends, at once if it has; what is returned takes that back. */
export function follow(signal: AbortSignal | undefined, ended: () => void): () => void {
  if (signal === undefined) return () => undefined;
  if (signal.aborted) {
    // Not from within, where the caller is not ready yet.
    queueMicrotask(ended);
    return () => undefined;
  }
  signal.addEventListener("abort", ended, { once: true });
  return () => signal.removeEventListener("abort", ended);
}

/** Lets the event loop do everything else first. */
export function breathe(): Promise<void> {
  const host = globalThis as { setImmediate?: (run: () => void) => void };
  return new Promise((resolve) => {
    if (host.setImmediate) {
      host.setImmediate(resolve);
      return;
    }
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      channel.port1.close();
      resolve();
    };
    channel.port2.postMessage(null);
  });
}
