import { parts } from './visible';

/** How many highlight sets there are; each has a colour of its own and a sign, so that colour alone says nothing. */
export const SETS = 6;

/** A piece of text to draw. set is the highlight set it is in, 0 for none; hit says that the search found it. */
export interface Segment {
  text: string;
  set: number;
  hit: boolean;
  hidden: boolean;
}

/** A pattern of the reader: what to look for, and of which set it is. */
export interface Mark {
  regex: RegExp;
  set: number;
}

/** An expression of the reader that is not one. */
export class BadPattern extends Error {}

/**
 * The regular expression of what a reader typed: /…/ with flags is one as it stands, anything else is text, in any
 * case unless it has a capital letter. Undefined for nothing.
 */
export function compile(text: string): RegExp | undefined {
  if (text === '') return undefined;
  const literal = /^\/(.+)\/([imsu]*)$/.exec(text);
  try {
    if (literal) return new RegExp(literal[1]!, [...new Set(`${literal[2]}g`)].join(''));
  } catch (err) {
    throw new BadPattern(err instanceof Error ? err.message.replace(/^Invalid regular expression: /, '') : String(err));
  }
  const flags = /\p{Lu}/u.test(text) ? 'g' : 'gi';
  return new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), flags);
}

/** Whether a regular expression with the flag g finds anything; its place is left at the beginning. */
export function finds(regex: RegExp, text: string): boolean {
  regex.lastIndex = 0;
  const found = regex.test(text);
  regex.lastIndex = 0;
  return found;
}

// One line has at most so many marks: more say nothing, and each is an element.
const MAX_MARKS = 200;

interface Span {
  from: number;
  to: number;
  set: number;
}

function spansOf(text: string, marks: readonly Mark[]): Span[] {
  const spans: Span[] = [];
  for (const { regex, set } of marks) {
    regex.lastIndex = 0;
    for (let hit = regex.exec(text); hit && spans.length < MAX_MARKS; hit = regex.exec(text)) {
      if (hit[0] === '') regex.lastIndex += 1;
      else spans.push({ from: hit.index, to: hit.index + hit[0].length, set });
    }
    regex.lastIndex = 0;
  }
  return spans;
}

/** Cuts a text into what is drawn: highlights (a later set lies above an earlier one), what was searched, symbols. */
export function segments(text: string, marks: readonly Mark[], search?: RegExp): Segment[] {
  const sets = spansOf(text, marks);
  const hits = search ? spansOf(text, [{ regex: search, set: 0 }]) : [];
  if (sets.length === 0 && hits.length === 0) {
    return parts(text).map((part) => ({ ...part, set: 0, hit: false }));
  }
  const edges = new Set([0, text.length]);
  for (const span of [...sets, ...hits]) edges.add(span.from).add(span.to);
  const order = [...edges].sort((a, b) => a - b);
  const out: Segment[] = [];
  for (let i = 0; i + 1 < order.length; i++) {
    const from = order[i]!;
    const to = order[i + 1]!;
    const within = (span: Span) => span.from <= from && span.to >= to;
    const set = sets.findLast(within)?.set ?? 0;
    const hit = hits.some(within);
    for (const part of parts(text.slice(from, to))) out.push({ ...part, set, hit });
  }
  return out;
}
