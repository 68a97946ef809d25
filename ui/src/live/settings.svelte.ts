import { kept } from '../shell/kept';

/** A word or /pattern/ of the reader's own that is marked in a colour. */
export interface HighlightSet {
  text: string;
  set: number;
  on: boolean;
}

interface Kept {
  columns: string[];
  wrap: boolean;
  sets: HighlightSet[];
  histogram: boolean;
  time: 'local' | 'utc';
}

const KEY = 'spile.view';

/** How the reader wants lines to be drawn. It is kept in this browser. */
class Settings {
  columns = $state.raw<string[]>([]);
  wrap = $state(false);
  sets = $state.raw<HighlightSet[]>([]);
  histogram = $state(true);
  time = $state<'local' | 'utc'>('local');

  constructor() {
    const was = kept.read<Partial<Kept>>(KEY, {});
    if (Array.isArray(was.columns)) this.columns = was.columns.filter((c) => typeof c === 'string');
    if (Array.isArray(was.sets)) this.sets = was.sets.filter((s) => typeof s?.text === 'string' && s.set >= 1);
    this.wrap = was.wrap === true;
    this.histogram = was.histogram !== false;
    this.time = was.time === 'utc' ? 'utc' : 'local';
  }

  /** Changes some and keeps all. */
  set(change: Partial<Kept>): void {
    Object.assign(this, change);
    const { columns, wrap, sets, histogram, time } = this;
    kept.write(KEY, { columns, wrap, sets, histogram, time });
  }

  toggleColumn(name: string): void {
    const columns = this.columns.includes(name) ? this.columns.filter((c) => c !== name) : [...this.columns, name];
    this.set({ columns });
  }
}

export const settings = new Settings();
