import type { Gap, Log } from './frames';

/** How many items the page keeps, and how many bytes of text, whichever is reached first. */
export const MAX_ITEMS = 20_000;
export const MAX_BYTES = 32 * 1024 * 1024;

// What an item costs beside its text, and a character of text. Both are estimates on the high side.
const ITEM_BYTES = 400;
const CHAR_BYTES = 2;

// A store with less room than this, that of a few of the longest lines, counts as full.
const NEARLY_BYTES = 1024 * 1024;

export interface LogItem {
  kind: 'log';
  id: number;
  bytes: number;
  log: Log;
}
export interface GapItem {
  kind: 'gap';
  id: number;
  bytes: number;
  gap: Gap;
}
/** A note is what the page itself has to say at this place of the stream. */
export interface NoteItem {
  kind: 'note';
  id: number;
  bytes: number;
  tone: 'info' | 'warn';
  text: string;
}
export type Item = LogItem | GapItem | NoteItem;

/** The estimated size of a value in memory. */
export function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length * CHAR_BYTES;
  if (value === null || typeof value !== 'object') return 8;
  let sum = 16;
  for (const key in value) sum += key.length * CHAR_BYTES + 16 + sizeOf((value as Record<string, unknown>)[key]);
  return sum;
}

/** What a log frame costs in memory. */
export function logBytes(log: Log): number {
  return ITEM_BYTES + sizeOf(log.message) + sizeOf(log.raw ?? '') + sizeOf(log.raw_base64 ?? '') + sizeOf(log.metadata);
}

/**
 * The newest items of a stream within fixed bounds. Ids count up without holes from 0, so that an id is a place. Older
 * items leave when the bounds are reached, and are counted.
 */
export class Store {
  #items: (Item | undefined)[] = [];
  #head = 0;
  #firstId = 0;
  #bytes = 0;
  /** How many events left for room. */
  dropped = 0;

  constructor(
    readonly maxItems = MAX_ITEMS,
    readonly maxBytes = MAX_BYTES,
  ) {}

  get length(): number {
    return this.#items.length - this.#head;
  }
  get bytes(): number {
    return this.#bytes;
  }
  /** Whether the next item pushes out the oldest; in bytes that is known about. */
  get full(): boolean {
    return this.length >= this.maxItems || this.#bytes >= this.maxBytes - NEARLY_BYTES;
  }
  /** The id of the oldest item, and the id that the next one gets. */
  get firstId(): number {
    return this.#firstId;
  }
  get nextId(): number {
    return this.#firstId + this.length;
  }

  addLog(log: Log): LogItem {
    return this.#add({ kind: 'log', id: this.nextId, bytes: logBytes(log), log });
  }

  addGap(gap: Gap): GapItem {
    return this.#add({ kind: 'gap', id: this.nextId, bytes: ITEM_BYTES, gap });
  }

  addNote(tone: 'info' | 'warn', text: string): NoteItem {
    return this.#add({ kind: 'note', id: this.nextId, bytes: ITEM_BYTES, tone, text });
  }

  /** The item with an id, undefined when it has left or has not come. */
  get(id: number): Item | undefined {
    if (id < this.#firstId) return undefined;
    return this.#items[this.#head + id - this.#firstId];
  }

  *[Symbol.iterator](): Iterator<Item> {
    for (let i = this.#head; i < this.#items.length; i++) yield this.#items[i]!;
  }

  /** Forgets all items; ids go on. */
  clear(): void {
    this.#firstId = this.nextId;
    this.#items = [];
    this.#head = 0;
    this.#bytes = 0;
    this.dropped = 0;
  }

  #add<T extends Item>(item: T): T {
    this.#items.push(item);
    this.#bytes += item.bytes;
    while (this.length > this.maxItems || (this.#bytes > this.maxBytes && this.length > 1)) this.#shift();
    return item;
  }

  #shift(): void {
    const oldest = this.#items[this.#head]!;
    this.#items[this.#head] = undefined;
    this.#head += 1;
    this.#firstId += 1;
    this.#bytes -= oldest.bytes;
    if (oldest.kind === 'log') this.dropped += 1;
    if (this.#head > this.maxItems) {
      this.#items.splice(0, this.#head);
      this.#head = 0;
    }
  }
}
