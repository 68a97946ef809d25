import type { Gap, Log } from './frames';
import { MAX_BYTES, MAX_ITEMS, logBytes } from './store';

/** What came while the reader paused. */
export type Frame = { log: Log } | { gap: Gap } | { note: { tone: 'info' | 'warn'; text: string } };

/** Holds frames in order within the bounds of the store, so that all of it can be drawn afterwards. */
export class Held {
  #frames: Frame[] = [];
  #bytes = 0;
  /** How many events are held. */
  events = 0;

  constructor(
    readonly maxEvents = MAX_ITEMS / 2,
    readonly maxBytes = MAX_BYTES / 2,
  ) {}

  /** Holds an event; false if it was the last for which there is room. */
  addLog(log: Log): boolean {
    this.#frames.push({ log });
    this.#bytes += logBytes(log);
    this.events += 1;
    return this.events < this.maxEvents && this.#bytes < this.maxBytes;
  }

  addGap(gap: Gap): void {
    this.#frames.push({ gap });
  }
  addNote(tone: 'info' | 'warn', text: string): void {
    this.#frames.push({ note: { tone, text } });
  }

  /** Hands everything out and forgets it. */
  take(): Frame[] {
    const frames = this.#frames;
    this.#frames = [];
    this.#bytes = 0;
    this.events = 0;
    return frames;
  }
}
