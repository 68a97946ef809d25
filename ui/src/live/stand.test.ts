import { describe, expect, it } from 'vitest';
import { readPaused, Stand } from './stand';

describe('a stand', () => {
  const stand = new Stand([
    { agent: 'a', epoch: 2, seq: 5 },
    { agent: 'a', epoch: 2, seq: 6 },
  ]);
  for (const [name, agent, epoch, seq, want] of [
    ['before', 'a', 2, 1, true],
    ['last', 'a', 2, 6, true],
    ['after', 'a', 2, 7, false],
    ['epoch-before', 'a', 1, 99, true],
    ['epoch-after', 'a', 3, 1, false],
    ['silent-agent', 'b', 1, 1, false],
  ] as [string, string, number, number, boolean][]) {
    it(name, () => expect(stand.has({ agent, epoch, seq })).toBe(want));
  }
});

describe('what was kept of a pause', () => {
  const at = { agent: 'a', epoch: 1, seq: 2 };
  for (const [name, value, want] of [
    ['none', null, undefined],
    ['foreign', { shown: [{ agent: 1 }] }, undefined],
    ['nothing-shown', { because: 'x', shown: [] }, { because: 'x', shown: [] }],
    ['whole', { because: '', shown: [at], top: at }, { because: '', shown: [at], top: at }],
    ['bad-top', { shown: [at], top: 7 }, { because: '', shown: [at] }],
  ] as [string, unknown, unknown][]) {
    it(name, () => expect(readPaused(value)).toEqual(want));
  }
});
