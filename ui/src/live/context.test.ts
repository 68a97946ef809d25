import { describe, expect, it } from 'vitest';
import { apart, contextText, follows } from './context';
import { log } from './fixture';
import { Store } from './store';

const at = (seq: number, offset: number, end: number, over: object = {}) =>
  log(seq, { metadata: { file: '/a', offset, end_offset: end }, ...over });

describe('a line follows on another', () => {
  for (const [name, before, after, want] of [
    ['directly', at(1, 0, 10), at(2, 10, 20), true],
    ['not-at-once', at(1, 0, 10), at(2, 20, 30), false],
    ['again', at(1, 0, 10), at(2, 0, 10), false],
    ['another-agent', at(1, 0, 10), at(2, 10, 20, { agent: 'b' }), false],
    ['another-file', at(1, 0, 10), at(2, 10, 20, { metadata: { file: '/b', offset: 10 } }), false],
    ['without-places', log(1), log(2), false],
    ['of-what-a-stranger-wrote', at(1, 0, 10, { metadata: { end_offset: '10' } }), at(2, 10, 20), false],
  ] as const) {
    it(name, () => expect(follows(before, after)).toBe(want));
  }

  it('and is drawn apart if not, but never from a gap or a note', () => {
    const store = new Store();
    const items = [store.addLog(at(1, 0, 10)), store.addLog(at(2, 10, 20)), store.addLog(at(3, 50, 60))];
    const note = store.addNote('info', 'x');
    expect(items.map((item, i) => apart(items[i - 1], item))).toEqual([false, false, true]);
    expect([apart(items[2], note), apart(note, items[0]!)]).toEqual([false, false]);
  });
});

it('says how many lines a session asks for', () => {
  expect(
    [undefined, {}, { before: 1 }, { after: 3 }, { before: 1, after: 1 }, { before: 2, after: 5 }].map(contextText),
  ).toEqual(['', '', '1 line before', '3 lines after', '1 line before and 1 after', '2 lines before and 5 after']);
});
