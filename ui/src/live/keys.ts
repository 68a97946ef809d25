import type { KeyGroup } from '../keys/keys.svelte';

/** What the live view can be told to do, by a key or a button. */
export interface Actions {
  pause: () => void;
  search: () => void;
  step: (forward: boolean) => void;
  move: (rows: number) => void;
  page: (pages: number) => void;
  top: () => void;
  follow: () => void;
  open: () => void;
  close: () => void;
  wrap: () => void;
  histogram: () => void;
  accounts: () => void;
  menu: (name: string) => void;
  extend: () => void;
  share: () => void;
  link: () => void;
}

/** The keys of the live view. */
export function keyGroups(a: Actions): KeyGroup[] {
  return [
    {
      title: 'Stream',
      keys: [
        { keys: ['p', ' '], does: 'pause, and go on', run: a.pause },
        { keys: ['e'], does: '5 more minutes', run: a.extend },
        { keys: ['s'], does: 'copy a link to join', run: a.share },
        { keys: ['l'], does: 'copy a link to the line', run: a.link },
        { keys: ['a'], does: 'accounts', run: a.accounts },
        { keys: ['h'], does: 'histogram', run: a.histogram },
        { keys: ['w'], does: 'wrap lines', run: a.wrap },
        { keys: ['c'], does: 'columns', run: () => a.menu('columns') },
        { keys: ['m'], does: 'marks (highlights)', run: () => a.menu('marks') },
        { keys: ['d'], does: 'download', run: () => a.menu('download') },
      ],
    },
    {
      title: 'Lines',
      keys: [
        { keys: ['/'], does: 'search', run: a.search },
        { keys: ['n'], does: 'next hit', run: () => a.step(true) },
        { keys: ['N'], does: 'previous hit', run: () => a.step(false) },
        { keys: ['j', 'ArrowDown'], does: 'next line', run: () => a.move(1) },
        { keys: ['k', 'ArrowUp'], does: 'previous line', run: () => a.move(-1) },
        { keys: ['PageDown'], does: 'a page down', run: () => a.page(1) },
        { keys: ['PageUp'], does: 'a page up', run: () => a.page(-1) },
        { keys: ['g g', 'Home'], does: 'oldest line', run: a.top },
        { keys: ['G', 'End'], does: 'newest, and follow', run: a.follow },
        { keys: ['Enter'], does: 'the whole event', run: a.open },
        { keys: ['Escape'], does: 'close', run: a.close },
      ],
    },
  ];
}
