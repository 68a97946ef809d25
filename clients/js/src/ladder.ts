import { errorOf } from "./error.js";
import type { TransportName } from "./options.js";
import type { Timing } from "./timing.js";

const all: readonly TransportName[] = ["websocket", "sse", "poll"];

/**
 * The ways to the streams of one server, and which is known to work: streams of one client learn from one another, so
 * that only the first waits for a way that does not get through.
 */
export class Ladder {
  readonly ways: readonly TransportName[];
  readonly #forget: number;
  /** Where to begin. */
  #best = 0;
  /** The best way that has ever worked: what fails later may work again. */
  #proven = Infinity;
  /** When the first way was tried last. */
  #tried = -Infinity;

  constructor(ways: readonly TransportName[] = all, timing: Timing) {
    const wrong = ways.find((way) => !all.includes(way));
    if (wrong !== undefined || ways.length === 0) {
      const why = `must be some of ${all.join(", ")}`;
      throw errorOf("validation_error", `transports: ${why}`, { details: { transports: why } });
    }
    this.ways = ways;
    this.#forget = timing.forget;
  }

  /** Where to begin: at the way that is known to work, and now and then at the best again. */
  start(): number {
    const now = performance.now();
    if (now - this.#tried > this.#forget) this.#best = 0;
    if (this.#best === 0) this.#tried = now;
    return this.#best;
  }

  /** A way has worked; those between it and where it began were tried in vain. */
  worked(rung: number): void {
    this.#proven = Math.min(this.#proven, rung);
    this.#best = this.#proven;
  }

  /** No way has worked, so nothing is known about those before the one that once did. */
  failed(): void {
    this.#best = Number.isFinite(this.#proven) ? this.#proven : 0;
  }
}
