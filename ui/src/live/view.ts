import type { Item, Store } from './store';

/** The ids of the items that are drawn, in order; those that left the store leave here too. */
export class View {
  #ids: number[] = [];
  #head = 0;
  #left = 0;

  constructor(public passes: (item: Item) => boolean = () => true) {}

  get length(): number {
    return this.#ids.length - this.#head;
  }

  /** How many ids have left: with it a place has a number that does not change while others leave. */
  get left(): number {
    return this.#left;
  }

  /** The id at a place, undefined past the end. */
  at(index: number): number | undefined {
    return index < 0 ? undefined : this.#ids[this.#head + index];
  }

  /** Takes an item in if it passes. */
  push(item: Item): boolean {
    if (!this.passes(item)) return false;
    this.#ids.push(item.id);
    return true;
  }

  /** Forgets ids below one, and says how many those were. */
  dropBefore(id: number): number {
    const from = this.#head;
    while (this.#head < this.#ids.length && this.#ids[this.#head]! < id) this.#head += 1;
    const gone = this.#head - from;
    this.#left += gone;
    if (this.#head > 32_768) {
      this.#ids.splice(0, this.#head);
      this.#head = 0;
    }
    return gone;
  }

  /** The place of an id; that of the next higher one when it is not drawn. */
  indexOf(id: number): number {
    let low = this.#head;
    let high = this.#ids.length;
    while (low < high) {
      const mid = (low + high) >> 1;
      if (this.#ids[mid]! < id) low = mid + 1;
      else high = mid;
    }
    return low - this.#head;
  }

  has(id: number): boolean {
    return this.at(this.indexOf(id)) === id;
  }

  /** Chooses anew from everything that the store holds. */
  rebuild(store: Store): void {
    this.#ids = [];
    this.#head = 0;
    for (const item of store) if (this.passes(item)) this.#ids.push(item.id);
  }

  *[Symbol.iterator](): Iterator<number> {
    for (let i = this.#head; i < this.#ids.length; i++) yield this.#ids[i]!;
  }
}

/**
 * The ids that a search found, kept in step with a view. next and previous go around at the ends, as in a pager.
 */
export class Found {
  #ids: number[] = [];

  get length(): number {
    return this.#ids.length;
  }

  clear(): void {
    this.#ids = [];
  }
  push(id: number): void {
    this.#ids.push(id);
  }

  dropBefore(id: number): void {
    const keep = this.#ids.findIndex((one) => one >= id);
    if (keep !== 0) this.#ids = keep < 0 ? [] : this.#ids.slice(keep);
  }

  /** How many are up to and with an id: "3 of 12". */
  upTo(id: number): number {
    return this.#lower(id + 1);
  }

  next(id: number): number | undefined {
    return this.#ids[this.#lower(id + 1)] ?? this.#ids[0];
  }

  previous(id: number): number | undefined {
    return this.#ids[this.#lower(id) - 1] ?? this.#ids.at(-1);
  }

  #lower(id: number): number {
    let low = 0;
    let high = this.#ids.length;
    while (low < high) {
      const mid = (low + high) >> 1;
      if (this.#ids[mid]! < id) low = mid + 1;
      else high = mid;
    }
    return low;
  }
}
