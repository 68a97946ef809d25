import { describe, expect, it } from 'vitest';
import { Heights, windowOf } from './heights';

/** The same by plain sums. */
class Plain {
  rows: number[] = [];
  offset(i: number) {
    return this.rows.slice(0, i).reduce((a, b) => a + b, 0);
  }
  find(y: number) {
    let sum = 0;
    for (let i = 0; i < this.rows.length; i++) {
      sum += this.rows[i]!;
      if (y < sum) return i;
    }
    return Math.max(0, this.rows.length - 1);
  }
}

/** Numbers that look random and are the same each time. */
function random(seed: number): () => number {
  let x = seed;
  return () => {
    x = (x * 1103515245 + 12345) % 2147483648;
    return x / 2147483648;
  };
}

describe('heights', () => {
  it('agrees with plain sums whatever happens', () => {
    for (let seed = 1; seed <= 5; seed++) {
      const next = random(seed);
      const fast = new Heights(64);
      const plain = new Plain();
      for (let step = 0; step < 600; step++) {
        const what = next();
        if (what < 0.6) {
          const h = 1 + Math.floor(next() * 50);
          fast.push(h);
          plain.rows.push(h);
        } else if (what < 0.8 && plain.rows.length > 0) {
          const n = Math.floor(next() * 4);
          const gone = plain.offset(n);
          expect(fast.drop(n)).toBeCloseTo(gone);
          plain.rows.splice(0, n);
        } else if (plain.rows.length > 0) {
          const i = Math.floor(next() * plain.rows.length);
          const h = 1 + Math.floor(next() * 50);
          fast.set(i, h);
          plain.rows[i] = h;
        }
        expect(fast.length).toBe(plain.rows.length);
        const i = Math.floor(next() * (plain.rows.length + 1));
        expect(fast.offset(i)).toBeCloseTo(plain.offset(i));
        const y = next() * (fast.total + 10);
        expect(fast.find(y)).toBe(plain.find(y));
      }
    }
  });

  it('gives the rows that are seen and some around', () => {
    const h = new Heights();
    for (let i = 0; i < 1000; i++) h.push(20);
    expect(windowOf(h, 0, 200, 5)).toEqual([0, 16]);
    expect(windowOf(h, 2000, 200, 5)).toEqual([95, 116]);
    expect(windowOf(h, 1e9, 200, 5)).toEqual([994, 1000]);
    expect(windowOf(new Heights(), 0, 200, 5)).toEqual([0, 0]);
  });
});
