// What strangers log is shown and does nothing: characters that steer a terminal, turn the direction of text or cannot
// be seen become small visible symbols. The text itself is never changed, only what is drawn of it.

// Each line is a part of a class of characters.
const HIDDEN = new RegExp(
  `[${[
    '\\u0000-\\u001f\\u007f-\\u009f', // C0 and C1 controls
    '\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069', // direction marks
    '\\u00ad\\u034f\\u200b-\\u200d\\u2060-\\u2065\\u206a-\\u206f\\ufeff', // no width
    '\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u3164\\uffa0\\ufff0-\\ufffb', // nothing to be seen
    '\\u2028\\u2029', // line and paragraph separators
    '\\u{e0000}-\\u{e01ef}', // tags, and more variation selectors
    '\\ud800-\\udfff', // halves of a character
  ].join('')}]`,
  'u',
);
const EACH = new RegExp(HIDDEN.source, 'gu');

/** Whether a text has a character that is not shown as it is. */
export function hasHidden(text: string): boolean {
  return HIDDEN.test(text);
}

/** The symbol that stands for a hidden character. */
export function symbol(char: string): string {
  const code = char.codePointAt(0)!;
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  if (code === 0x7f) return '\u2421';
  return `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
}

/** A part of a text: as it is, or a symbol in place of one hidden character. */
export interface Part {
  text: string;
  hidden: boolean;
}

/** Cuts a text into parts. */
export function parts(text: string): Part[] {
  if (!hasHidden(text)) return text === '' ? [] : [{ text, hidden: false }];
  const out: Part[] = [];
  let from = 0;
  for (const hit of text.matchAll(EACH)) {
    if (hit.index > from) out.push({ text: text.slice(from, hit.index), hidden: false });
    out.push({ text: symbol(hit[0]), hidden: true });
    from = hit.index + hit[0].length;
  }
  if (from < text.length) out.push({ text: text.slice(from), hidden: false });
  return out;
}

/** A text with symbols in place, as one string: for titles and labels. */
export function plain(text: string): string {
  return hasHidden(text) ? text.replace(EACH, symbol) : text;
}

/** The beginning of a text, never ending within a character. */
export function cut(text: string, max: number): string {
  if (text.length <= max) return text;
  const last = text.charCodeAt(max - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? max - 1 : max);
}
