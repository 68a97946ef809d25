import { describe, expect, it } from 'vitest';
import { cursorText, isAt, parsePlace, placeText } from './cursor';
import { log } from './fixture';
import { Store } from './store';

const agent = '01020304-0506-0708-090a-0b0c0d0e0f10';

describe('cursor', () => {
  // As wire.Cursor writes it: 16 bytes, then varints.
  it('is the bytes that the server reads', () => {
    const text = cursorText([{ agent, epoch: 1, seq: 300 }]);
    expect([...atob(text.replaceAll('-', '+').replaceAll('_', '/'))].map((c) => c.charCodeAt(0))).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 1, 0xac, 0x02,
    ]);
    expect(text).not.toMatch(/[+/=]/);
  });
  it('takes numbers beyond 32 bits', () => expect(cursorText([{ agent, epoch: 2 ** 40, seq: 0 }])).toHaveLength(31));
  it('refuses what is no agent', () =>
    expect(() => cursorText([{ agent: 'x', epoch: 1, seq: 1 }])).toThrow(RangeError));
});

describe('place', () => {
  it('goes there and back', () =>
    expect(parsePlace(placeText({ agent, epoch: 3, seq: 9 }))).toEqual({ agent, epoch: 3, seq: 9 }));
  for (const text of ['', 'x', `${agent}:1`, `${agent}:1:x`, `${agent}:1:2:3`]) {
    it(`refuses ${text || 'nothing'}`, () => expect(parsePlace(text)).toBeUndefined());
  }
});

it('finds a line, or the gap in its place', () => {
  const store = new Store();
  const line = store.addLog(log(5, { agent }));
  const gap = store.addGap({ agent, epoch: 1, unit: 'events', count: 3, from: 6, to: 8, reason: 'rate' });
  const at = (seq: number, epoch = 1) =>
    [line, gap, store.addNote('info', '')].map((item) => isAt(item, { agent, epoch, seq }));
  expect([at(5), at(7), at(9), at(5, 2)]).toEqual([
    [true, false, false],
    [false, true, false],
    [false, false, false],
    [false, false, false],
  ]);
});
