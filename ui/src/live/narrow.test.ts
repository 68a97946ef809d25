import { describe, expect, it } from 'vitest';
import { clauseText, fieldOf, leaves, lookup, passes, withClause, type Clause } from './narrow';
import { log } from './fixture';

const event = log(1, { level: 'ERROR', message: 'cart is empty', metadata: { user: { id: 7 }, 'a.b': 'x', n: null } });
const clause = (field: string, value: string, not = false): Clause => ({ field, value, not });

describe('narrow', () => {
  it('finds names along dots, and those that have dots', () => {
    expect(lookup(event.metadata, 'user.id')).toBe(7);
    expect(lookup(event.metadata, 'a.b')).toBe('x');
    expect(lookup(event.metadata, 'user.name')).toBeUndefined();
    expect(fieldOf(event, '.n')).toBe('null');
    expect(lookup({}, 'constructor')).toBeUndefined();
    expect(lookup({ a: {} }, 'a.toString')).toBeUndefined();
  });

  for (const [name, clauses, want] of [
    ['none', [], true],
    ['level', [clause('level', 'ERROR')], true],
    ['level-other', [clause('level', 'INFO')], false],
    ['one-of-two', [clause('level', 'INFO'), clause('level', 'ERROR')], true],
    ['both-fields', [clause('level', 'ERROR'), clause('source', 'nginx')], false],
    ['against', [clause('source', 'app', true)], false],
    ['against-absent', [clause('.user.name', 'x', true)], true],
    ['for-absent', [clause('.user.name', 'x')], false],
    ['metadata', [clause('.user.id', '7')], true],
    ['message-part', [clause('message', 'empty')], true],
    ['message-without', [clause('message', 'empty', true)], false],
  ] as [string, Clause[], boolean][]) {
    it(name, () => expect(passes(event, clauses)).toBe(want));
  }

  it('lets a clause give way to its opposite', () => {
    expect(withClause([clause('level', 'INFO')], clause('level', 'INFO', true))).toEqual([
      clause('level', 'INFO', true),
    ]);
  });

  it('shows hidden characters of a clause', () => {
    expect(clauseText(clause('.k', 'a\u202eb', true), (id) => id)).toBe('k ≠ aU+202Eb');
  });

  it('lists leaves', () => {
    expect(leaves({ a: { b: 1, c: { d: 'x' } }, e: [1], f: {} })).toEqual([
      ['a.b', 1],
      ['a.c.d', 'x'],
      ['e', [1]],
      ['f', {}],
    ]);
  });
});
