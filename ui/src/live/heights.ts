/**
 * The heights of a list's rows, of which the first leave and new ones come at the end: where a row begins and which row
 * is at an offset, both in logarithmic time. A Fenwick tree over slots; a row's slot is its index plus the number of
 * rows that left.
 */
export class Heights {
  #tree: Float64Array;
  #rows: Float64Array;
  #head = 0;
  #tail = 0;

  constructor(capacity = 1 << 16) {
    if ((capacity & (capacity - 1)) !== 0) throw new RangeError('capacity: must be a power of two');
    this.#tree = new Float64Array(capacity + 1);
    this.#rows = new Float64Array(capacity);
  }

  get length(): number {
    return this.#tail - this.#head;
  }
  get total(): number {
    return this.#sum(this.#tail) - this.#sum(this.#head);
  }

  /** Adds a row at the end. */
  push(height: number): void {
    if (this.#tail === this.#rows.length) this.#compact();
    this.#rows[this.#tail] = height;
    this.#add(this.#tail, height);
    this.#tail += 1;
  }

  /** Removes rows from the beginning and returns the height that they had. */
  drop(rows: number): number {
    const to = Math.min(this.#tail, this.#head + rows);
    const height = this.#sum(to) - this.#sum(this.#head);
    this.#head = to;
    return height;
  }

  get(index: number): number {
    return this.#rows[this.#head + index] ?? 0;
  }

  /** Sets the height of a row and returns by how much it grew. */
  set(index: number, height: number): number {
    const slot = this.#head + index;
    if (index < 0 || slot >= this.#tail) return 0;
    const grown = height - this.#rows[slot]!;
    if (grown !== 0) {
      this.#rows[slot] = height;
      this.#add(slot, grown);
    }
    return grown;
  }

  /** Where a row begins. */
  offset(index: number): number {
    return this.#sum(Math.min(this.#tail, this.#head + index)) - this.#sum(this.#head);
  }

  /** The row at an offset, within 0 and the last one. */
  find(offset: number): number {
    const target = this.#sum(this.#head) + Math.max(0, offset);
    let slot = 0;
    let sum = 0;
    for (let step = this.#rows.length; step > 0; step >>= 1) {
      const next = slot + step;
      if (next <= this.#tail && sum + this.#tree[next]! <= target) {
        slot = next;
        sum += this.#tree[next]!;
      }
    }
    return Math.max(0, Math.min(slot, this.#tail - 1) - this.#head);
  }

  /** Forgets all rows. */
  clear(): void {
    this.#tree.fill(0);
    this.#head = 0;
    this.#tail = 0;
  }

  #sum(slot: number): number {
    let sum = 0;
    for (let i = slot; i > 0; i -= i & -i) sum += this.#tree[i]!;
    return sum;
  }

  #add(slot: number, height: number): void {
    for (let i = slot + 1; i < this.#tree.length; i += i & -i) this.#tree[i] = this.#tree[i]! + height;
  }

  /** Moves the rows to the beginning; doubles the room when that gains little. */
  #compact(): void {
    const rows = this.#rows.slice(this.#head, this.#tail);
    const capacity = rows.length * 2 > this.#rows.length ? this.#rows.length * 2 : this.#rows.length;
    this.#rows = new Float64Array(capacity);
    this.#rows.set(rows);
    this.#tree = new Float64Array(capacity + 1);
    for (let i = 1; i <= capacity; i++) {
      this.#tree[i] = this.#tree[i]! + (this.#rows[i - 1] ?? 0);
      const up = i + (i & -i);
      if (up <= capacity) this.#tree[up] = this.#tree[up]! + this.#tree[i]!;
    }
    this.#head = 0;
    this.#tail = rows.length;
  }
}

/** The rows to draw: from, and one past the last, with some before and after what is seen. */
export function windowOf(heights: Heights, top: number, height: number, overscan: number): [number, number] {
  if (heights.length === 0) return [0, 0];
  const from = Math.max(0, heights.find(top) - overscan);
  const to = Math.min(heights.length, heights.find(top + height) + 1 + overscan);
  return [from, to];
}
