import { describe, expect, it } from 'vitest';
import { cut, hasHidden, parts, plain } from './visible';

describe('visible', () => {
  for (const [name, text, shown] of [
    ['plain', 'plain', 'plain'],
    ['accents', 'é日本🙂', 'é日本🙂'],
    ['line-feed', 'a\nb', 'a␊b'],
    ['escape', 'a\x1b[2Jb', 'a␛[2Jb'],
    ['null', 'a\0b', 'a␀b'],
    ['delete', 'a\x7fb', 'a␡b'],
    ['c1', 'a\x9bb', 'aU+009Bb'],
    ['bidi', 'a\u202eb\u2066c', 'aU+202EbU+2066c'],
    ['arabic-mark', 'a\u061cb', 'aU+061Cb'],
    ['zero-width', 'a\u200bb\ufeff', 'aU+200BbU+FEFF'],
    ['tag', 'a\u{e0041}b', 'aU+E0041b'],
    ['lone-surrogate', 'a\ud800b', 'aU+D800b'],
    ['markup', '<img src=x onerror=alert(1)>', '<img src=x onerror=alert(1)>'],
  ] as const) {
    it(name, () => {
      expect(plain(text)).toBe(shown);
      expect(
        parts(text)
          .map((p) => p.text)
          .join(''),
      ).toBe(shown);
      expect(parts(text).some((p) => p.hidden)).toBe(hasHidden(text));
    });
  }

  it('cuts between characters', () => {
    expect(cut('ab🙂', 3)).toBe('ab');
    expect(cut('ab🙂', 4)).toBe('ab🙂');
    expect(cut('abc', 2)).toBe('ab');
  });
});
