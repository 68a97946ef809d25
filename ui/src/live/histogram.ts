import { TONES, tone, type Tone } from './level';

/** How many bars there are at most, and what a bar may stand for, in seconds. */
export const MAX_BARS = 120;
const WIDTHS = [1, 2, 5, 10, 30, 60, 300, 900, 3600, 21_600, 86_400];

// An event further from the newest than this does not move the axis: clocks are wrong somewhere, always.
const MAX_SPAN_S = 7 * 86_400;
const MAX_AHEAD_S = 86_400;

/** One bar: its beginning in seconds since 1970, and how many events of each tone. */
export interface Bar {
  at: number;
  counts: number[];
  total: number;
}

/**
 * Events by their own time and tone, in bars of one width. When the span outgrows what fits, bars are joined to wider
 * ones: memory is fixed.
 */
export class Histogram {
  #bars = new Map<number, number[]>();
  #step = 0;
  #newest = -Infinity;
  /** Events whose time is so far off that they are in no bar. */
  outside = 0;

  get width(): number {
    return WIDTHS[this.#step]!;
  }

  add(timestamp: string, level: string): void {
    const seconds = Date.parse(timestamp) / 1000;
    const wrong = seconds > Date.now() / 1000 + MAX_AHEAD_S;
    if (!Number.isFinite(seconds) || wrong || seconds < this.#newest - MAX_SPAN_S) {
      this.outside += 1;
      return;
    }
    if (seconds > this.#newest) this.#newest = seconds;
    const at = Math.floor(seconds / this.width) * this.width;
    let counts = this.#bars.get(at);
    if (!counts) {
      counts = TONES.map(() => 0);
      this.#bars.set(at, counts);
      this.#fit();
    }
    const bar = this.#bars.get(Math.floor(seconds / this.width) * this.width);
    const index = TONES.indexOf(tone(level));
    if (bar) bar[index] = bar[index]! + 1;
    else this.outside += 1;
  }

  clear(): void {
    this.#bars.clear();
    this.#step = 0;
    this.#newest = -Infinity;
    this.outside = 0;
  }

  /** The bars from the oldest to the newest, empty ones among them. */
  bars(): Bar[] {
    if (this.#bars.size === 0) return [];
    const first = Math.min(...this.#bars.keys());
    const last = Math.max(...this.#bars.keys());
    const out: Bar[] = [];
    for (let at = first; at <= last; at += this.width) {
      const counts = this.#bars.get(at) ?? TONES.map(() => 0);
      out.push({ at, counts, total: counts.reduce((a, b) => a + b, 0) });
    }
    return out;
  }

  /** How many events of each tone are in the bars. */
  totals(): Record<Tone, number> {
    const out = Object.fromEntries(TONES.map((t) => [t, 0])) as Record<Tone, number>;
    for (const counts of this.#bars.values())
      TONES.forEach((t, i) => {
        out[t] += counts[i]!;
      });
    return out;
  }

  /** Widens the bars until they fit; what is too old even for the widest leaves. */
  #fit(): void {
    let first = Math.min(...this.#bars.keys());
    const last = Math.max(...this.#bars.keys());
    if (last - first > MAX_SPAN_S) {
      for (const at of [...this.#bars.keys()]) if (at < last - MAX_SPAN_S) this.#leave(at);
      first = Math.min(...this.#bars.keys());
    }
    while ((last - first) / this.width >= MAX_BARS && this.#step < WIDTHS.length - 1) {
      this.#step += 1;
      const wide = new Map<number, number[]>();
      for (const [at, counts] of this.#bars) {
        const to = Math.floor(at / this.width) * this.width;
        const sum = wide.get(to);
        if (sum)
          counts.forEach((n, i) => {
            sum[i] = sum[i]! + n;
          });
        else wide.set(to, counts);
      }
      this.#bars = wide;
    }
  }

  #leave(at: number): void {
    this.outside += this.#bars.get(at)!.reduce((a, b) => a + b, 0);
    this.#bars.delete(at);
  }
}
