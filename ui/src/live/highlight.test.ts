import { describe, expect, it } from 'vitest';
import { BadPattern, compile, finds, segments } from './highlight';

describe('compile', () => {
  for (const [name, typed, text, found] of [
    ['text-any-case', 'error', 'an ERROR', true],
    ['capital-is-exact', 'Error', 'an error', false],
    ['text-is-no-pattern', 'a.c', 'abc', false],
    ['text-with-signs', '(a*b)', 'x (a*b) y', true],
    ['regex', '/a.c/', 'abc', true],
    ['regex-flag', '/A.C/i', 'abc', true],
    ['slash-alone', '/', 'a/b', true],
  ] as const) {
    it(name, () => expect(finds(compile(typed)!, text)).toBe(found));
  }
  it('nothing', () => expect(compile('')).toBeUndefined());
  it('refuses what is no expression', () => expect(() => compile('/a(/')).toThrow(BadPattern));
});

describe('segments', () => {
  const mark = (typed: string, set: number) => ({ regex: compile(typed)!, set });

  it('keeps the whole text', () => {
    const text = 'alpha beta\x1b gamma <b> alpha';
    for (const marks of [[], [mark('alpha', 1)], [mark('a', 1), mark('/[a-z]+ beta/', 2)]]) {
      const out = segments(text, marks, compile('beta'));
      expect(out.map((s) => s.text).join('')).toBe('alpha beta␛ gamma <b> alpha');
    }
  });

  it('puts a later set above', () => {
    const out = segments('abc', [mark('abc', 1), mark('b', 2)]);
    expect(out.map((s) => [s.text, s.set])).toEqual([
      ['a', 1],
      ['b', 2],
      ['c', 1],
    ]);
  });

  it('marks what was searched within a set', () => {
    const out = segments('abc', [mark('abc', 3)], compile('b'));
    expect(out.map((s) => [s.text, s.set, s.hit])).toEqual([
      ['a', 3, false],
      ['b', 3, true],
      ['c', 3, false],
    ]);
  });

  it('ends with a pattern that finds nothing at every place', () => {
    expect(
      segments('aaa', [mark('/x*/', 1)])
        .map((s) => s.text)
        .join(''),
    ).toBe('aaa');
  });

  it('is bounded', () => {
    expect(segments('a'.repeat(60_000), [mark('a', 1)]).length).toBeLessThan(500);
  });
});
