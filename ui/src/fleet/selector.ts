// A label selector: env=prod,role in (web,api),!canary,tier!=free. The words are those of Kubernetes.

export type Requirement =
  { key: string; op: 'in' | 'notin'; values: string[] } | { key: string; op: 'exists' | 'absent' };

/** A selector that cannot be read; at is where. */
export class SelectorError extends Error {
  constructor(
    message: string,
    readonly at: number,
  ) {
    super(message);
  }
}

const KEY = /[A-Za-z0-9_][\w./-]*/y;
const VALUE = /[^\s,()=!]*/y;

class Reader {
  at = 0;
  constructor(readonly text: string) {}

  get done(): boolean {
    return this.at >= this.text.length;
  }

  skip(): void {
    while (/\s/.test(this.text[this.at] ?? '')) this.at += 1;
  }

  /** Takes a sign if it comes next. */
  sign(sign: string): boolean {
    this.skip();
    if (!this.text.startsWith(sign, this.at)) return false;
    this.at += sign.length;
    return true;
  }

  match(regex: RegExp): string | undefined {
    this.skip();
    regex.lastIndex = this.at;
    const hit = regex.exec(this.text);
    if (!hit) return undefined;
    this.at = regex.lastIndex;
    return hit[0];
  }

  key(): string {
    const key = this.match(KEY);
    if (key === undefined) throw new SelectorError('a label is expected here', this.at);
    return key;
  }

  word(word: string): boolean {
    this.skip();
    const hit = new RegExp(`${word}(?=[\\s(])`, 'y');
    return this.match(hit) !== undefined;
  }

  list(): string[] {
    if (!this.sign('(')) throw new SelectorError('a list such as (web,api) is expected here', this.at);
    const values: string[] = [];
    do values.push(this.match(VALUE) ?? '');
    while (this.sign(','));
    if (!this.sign(')')) throw new SelectorError('the list is not closed with )', this.at);
    return values;
  }
}

function requirement(r: Reader): Requirement {
  if (r.sign('!')) return { key: r.key(), op: 'absent' };
  const key = r.key();
  if (r.sign('!=')) return { key, op: 'notin', values: [r.match(VALUE) ?? ''] };
  if (r.sign('==') || r.sign('=')) return { key, op: 'in', values: [r.match(VALUE) ?? ''] };
  if (r.word('notin')) return { key, op: 'notin', values: r.list() };
  if (r.word('in')) return { key, op: 'in', values: r.list() };
  return { key, op: 'exists' };
}

/** Reads a selector; an empty one has no requirement. */
export function parseSelector(text: string): Requirement[] {
  const r = new Reader(text);
  r.skip();
  if (r.done) return [];
  const out: Requirement[] = [];
  do out.push(requirement(r));
  while (r.sign(','));
  r.skip();
  if (!r.done) throw new SelectorError('a comma or the end is expected here', r.at);
  return out;
}

/** Whether labels meet every requirement. */
export function selects(requirements: readonly Requirement[], labels: Record<string, string>): boolean {
  return requirements.every((one) => {
    const value = Object.hasOwn(labels, one.key) ? labels[one.key] : undefined;
    switch (one.op) {
      case 'exists':
        return value !== undefined;
      case 'absent':
        return value === undefined;
      case 'in':
        return value !== undefined && one.values.includes(value);
      case 'notin':
        return value === undefined || !one.values.includes(value);
    }
  });
}

/** Whether a text looks like a selector rather than words to search for. */
export function isSelector(text: string): boolean {
  return /[=!(]|\s(not)?in\s*\(/.test(text);
}
