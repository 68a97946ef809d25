import { expect, it } from 'vitest';
import { log } from './fixture';
import { Held } from './held';

it('holds in order and says when it is full', () => {
  const held = new Held(3);
  expect(held.addLog(log(1))).toBe(true);
  held.addGap({ agent: 'a', epoch: 1, unit: 'events', count: 1, from: 2, to: 2, reason: 'rate' });
  expect(held.addLog(log(3))).toBe(true);
  expect(held.addLog(log(4))).toBe(false);
  expect(held.events).toBe(3);
  expect(held.take().map((f) => ('log' in f ? f.log.seq : 'gap'))).toEqual([1, 'gap', 3, 4]);
  expect([held.events, held.take().length]).toEqual([0, 0]);
});

it('is bounded in bytes', () => {
  const held = new Held(1000, 5000);
  let n = 1;
  while (held.addLog(log(n, { message: 'x'.repeat(500) }))) n += 1;
  expect(n).toBeLessThan(6);
});
