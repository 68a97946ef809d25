import { describe, expect, it } from 'vitest';
import { log } from './fixture';
import { Store, logBytes, sizeOf } from './store';

describe('store', () => {
  it('keeps the newest within its bound and counts what left', () => {
    const store = new Store(100);
    for (let i = 1; i <= 1050; i++) store.addLog(log(i));
    expect(store.length).toBe(100);
    expect(store.dropped).toBe(950);
    expect(store.firstId).toBe(950);
    expect(store.get(949)).toBeUndefined();
    const seqs = [...store].map((item) => (item.kind === 'log' ? item.log.seq : 0));
    expect(seqs).toEqual(Array.from({ length: 100 }, (_, i) => 951 + i));
  });

  it('counts bytes in and out, and keeps at least the newest', () => {
    const one = logBytes(log(1, { message: 'x'.repeat(1000) }));
    const store = new Store(1000, one * 3);
    for (let i = 0; i < 10; i++) store.addLog(log(i, { message: 'x'.repeat(1000) }));
    expect(store.length).toBe(3);
    expect(store.bytes).toBe(one * 3);
    store.addLog(log(11, { message: 'x'.repeat(100_000) }));
    expect(store.length).toBe(1);
  });

  it('does not count gaps and notes as events that left', () => {
    const store = new Store(2);
    store.addGap({ agent: 'a', epoch: 1, unit: 'events', count: 5, reason: 'rate' });
    store.addNote('info', 'here');
    store.addLog(log(1));
    store.addLog(log(2));
    store.addLog(log(3));
    expect(store.dropped).toBe(1);
  });

  it('goes on with its ids after a clear', () => {
    const store = new Store(10);
    store.addLog(log(1));
    store.clear();
    expect(store.addLog(log(2)).id).toBe(1);
    expect(store.get(0)).toBeUndefined();
    expect(store.length).toBe(1);
  });

  it('measures nested values', () => {
    expect(sizeOf({ a: { b: 'cc' } })).toBeGreaterThan(sizeOf({ a: 'cc' }));
  });
});
