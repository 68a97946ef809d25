import { describe, expect, it } from 'vitest';
import { SelectorError, isSelector, parseSelector, selects } from './selector';

const labels = { env: 'prod', role: 'web', 'app.io/tier': 'gold' };

describe('selector', () => {
  for (const [text, want] of [
    ['', true],
    ['env=prod', true],
    ['env==prod', true],
    ['env = prod , role = web', true],
    ['env=test', false],
    ['env!=test', true],
    ['env!=prod', false],
    ['zone!=a', true],
    ['role in (web,api)', true],
    ['role in ( api )', false],
    ['role notin (api, db)', true],
    ['role notin (web)', false],
    ['env=prod,role in (web,api)', true],
    ['env', true],
    ['zone', false],
    ['!zone', true],
    ['!env', false],
    ['app.io/tier=gold', true],
    ['toString', false],
    ['info=x', false],
    ['in=x', false],
  ] as const) {
    it(text || 'empty', () => expect(selects(parseSelector(text), labels)).toBe(want));
  }

  for (const [text, at] of [
    ['=prod', 0],
    ['env=prod,', 9],
    ['role in web', 8],
    ['role in (web', 12],
    ['env=a b', 6],
    ['env=a)', 5],
  ] as const) {
    it(`refuses ${text}`, () => {
      try {
        parseSelector(text);
        expect.unreachable('it was taken');
      } catch (err) {
        expect(err).toBeInstanceOf(SelectorError);
        expect((err as SelectorError).at).toBe(at);
      }
    });
  }

  it('knows a selector from words', () => {
    expect(['env=prod', 'role in (web)', '!x'].every(isSelector)).toBe(true);
    expect(['web-1', 'in the', 'prod'].some(isSelector)).toBe(false);
  });
});
