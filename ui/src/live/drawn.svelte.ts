import type { Gap, Log } from './frames';
import { BadPattern, compile, finds } from './highlight';
import { haystack } from './haystack';
import { Heights } from './heights';
import { Histogram } from './histogram';
import { tone, type Tone } from './level';
import { leaves, passes, type Clause } from './narrow';
import { Store, type Item } from './store';
import { Found, View } from './view';

/** How near to the oldest kept line a reader may be before the page stops taking in more. */
const NEAR_THE_EDGE = 200;

/** How many names of metadata are offered as columns: strangers choose them. */
const MAX_KEYS = 200;

/** The names of the first so many events are learned, and of each so-many-th after those. */
const FIRST_NAMES = 200;
const NAMES_EVERY = 20;

/** What the reader searches for and narrows by. */
export interface Choice {
  query: string;
  clauses: Clause[];
  hidden: Tone[];
}

/**
 * What is in the list: the kept items, those that the reader's narrowing lets through, their heights, what the search
 * found. It changes many times a second and tells so by one number, version, which is what the components watch.
 */
export class Drawn {
  readonly store = new Store();
  readonly view = new View((item) => this.#passes(item));
  readonly heights = new Heights();
  readonly histogram = new Histogram();
  readonly found = new Found();
  #keys = new Map<string, number>();

  version = $state(0);
  clauses = $state.raw<Clause[]>([]);
  /** Tones that the reader does not want to see. */
  hidden = $state.raw<ReadonlySet<Tone>>(new Set());
  query = $state('');
  queryError = $state('');
  search = $state.raw<RegExp>();
  following = $state(true);
  /** The id of the line that the reader chose, -1 for none. */
  active = $state(-1);
  /** By how much rows that left have moved the rest up, and the first row that the reader sees. */
  shifted = 0;
  topId = 0;
  /** The row that is to be the first in sight, as before a reload; -1 for none. */
  goal = -1;
  /** The height of an item before it is measured. */
  estimate: (item: Item) => number = () => 1;

  /** Whether the next line would push out what the reader looks at. */
  get crowded(): boolean {
    return !this.following && this.store.full && this.topId - this.store.firstId < NEAR_THE_EDGE;
  }

  addLog(log: Log): void {
    // What stands around a match is no match.
    if (!log.context) this.histogram.add(log.timestamp, log.level);
    const item = this.store.addLog(log);
    if (item.id < FIRST_NAMES || item.id % NAMES_EVERY === 0) this.#learn(log);
    this.#take(item);
  }

  addGap(gap: Gap): void {
    this.#take(this.store.addGap(gap));
  }
  addNote(kind: 'info' | 'warn', text: string): void {
    this.#take(this.store.addNote(kind, text));
  }

  /** The names within metadata that have come, the most frequent first. */
  keys(): string[] {
    return [...this.#keys].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0])).map(([key]) => key);
  }

  /** Makes what came since the last time be seen. */
  draw(): void {
    const gone = this.view.dropBefore(this.store.firstId);
    if (gone > 0) this.shifted += this.heights.drop(gone);
    this.found.dropBefore(this.store.firstId);
    if (this.active >= 0 && this.active < this.store.firstId) this.active = -1;
    this.version += 1;
  }

  /** What the reader chose to see, to be kept over a reload. */
  choice(): Choice {
    return { query: this.query, clauses: this.clauses, hidden: [...this.hidden] };
  }

  /** Takes a choice up again. */
  restore(choice: Partial<Choice>): void {
    this.clauses = choice.clauses ?? [];
    this.hidden = new Set(choice.hidden ?? []);
    this.find(choice.query ?? '');
  }

  follow(): void {
    this.following = true;
    this.goal = -1;
  }

  narrow(clauses: Clause[]): void {
    this.clauses = clauses;
    this.#rebuild();
  }

  toggle(one: Tone): void {
    const hidden = new Set(this.hidden);
    if (!hidden.delete(one)) hidden.add(one);
    this.hidden = hidden;
    this.#rebuild();
  }

  showAll(): void {
    this.clauses = [];
    this.hidden = new Set();
    this.#rebuild();
  }

  find(query: string): void {
    this.query = query;
    try {
      this.search = compile(query);
      this.queryError = '';
    } catch (err) {
      if (!(err instanceof BadPattern)) throw err;
      this.search = undefined;
      this.queryError = err.message;
    }
    this.#search();
    this.version += 1;
  }

  /** Goes to the next or the previous line that the search found. */
  step(forward: boolean): void {
    // From nowhere it begins with what is seen, its first line included.
    const from = this.active >= 0 ? this.active : this.topId - (forward ? 1 : 0);
    const to = forward ? this.found.next(from) : this.found.previous(from);
    if (to !== undefined) this.choose(to);
  }

  choose(id: number): void {
    this.active = id;
    this.goal = -1;
    this.following = false;
    this.version += 1;
  }

  /** Moves the choice by rows; from nowhere it begins at the end. */
  move(rows: number): void {
    if (this.view.length === 0) return;
    const from =
      this.active < 0
        ? rows < 0
          ? this.view.length
          : this.view.indexOf(this.topId) - 1
        : this.view.indexOf(this.active);
    const to = Math.max(0, Math.min(this.view.length - 1, from + rows));
    this.choose(this.view.at(to)!);
  }

  /** Measures all rows anew. */
  remeasure(): void {
    this.heights.clear();
    for (const id of this.view) this.heights.push(this.estimate(this.store.get(id)!));
    this.version += 1;
  }

  #learn(log: Log): void {
    for (const [name] of leaves(log.metadata)) {
      const count = this.#keys.get(name) ?? 0;
      if (count > 0 || this.#keys.size < MAX_KEYS) this.#keys.set(name, count + 1);
    }
  }

  #passes(item: Item): boolean {
    if (item.kind !== 'log') return true;
    return !this.hidden.has(tone(item.log.level)) && passes(item.log, this.clauses);
  }

  #take(item: Item): void {
    if (this.view.push(item)) {
      this.heights.push(this.estimate(item));
      if (this.search && finds(this.search, haystack(item))) this.found.push(item.id);
    }
  }

  #rebuild(): void {
    this.view.rebuild(this.store);
    this.remeasure();
    this.#search();
    if (this.active >= 0 && !this.view.has(this.active)) this.active = -1;
  }

  #search(): void {
    this.found.clear();
    if (!this.search) return;
    for (const id of this.view) if (finds(this.search, haystack(this.store.get(id)!))) this.found.push(id);
  }
}
