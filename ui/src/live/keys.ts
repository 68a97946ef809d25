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
export function keyGroup(a: Actions): KeyGroup {
  return {
    title: 'Stream',
    keys: [
      { keys: 'p', does: 'pause, and go on', run: a.pause },
      { keys: ' ', does: 'pause, and go on', run: a.pause },
      { keys: '/', does: 'search', run: a.search },
      { keys: 'n', does: 'next hit', run: () => a.step(true) },
      { keys: 'N', does: 'previous hit', run: () => a.step(false) },
      { keys: 'j', does: 'next line', run: () => a.move(1) },
      { keys: 'k', does: 'previous line', run: () => a.move(-1) },
      { keys: 'ArrowDown', does: 'next line', run: () => a.move(1) },
      { keys: 'ArrowUp', does: 'previous line', run: () => a.move(-1) },
      { keys: 'PageDown', does: 'a page down', run: () => a.page(1) },
      { keys: 'PageUp', does: 'a page up', run: () => a.page(-1) },
      { keys: 'g g', does: 'oldest line', run: a.top },
      { keys: 'Home', does: 'oldest line', run: a.top },
      { keys: 'G', does: 'newest line, and follow', run: a.follow },
      { keys: 'End', does: 'newest line, and follow', run: a.follow },
      { keys: 'Enter', does: 'the whole event', run: a.open },
      { keys: 'Escape', does: 'close', run: a.close },
      { keys: 'w', does: 'wrap lines', run: a.wrap },
      { keys: 'c', does: 'columns', run: () => a.menu('columns') },
      { keys: 'm', does: 'marks (highlights)', run: () => a.menu('marks') },
      { keys: 'd', does: 'download', run: () => a.menu('download') },
      { keys: 'h', does: 'histogram', run: a.histogram },
      { keys: 'a', does: 'accounts', run: a.accounts },
      { keys: 'e', does: '5 more minutes', run: a.extend },
      { keys: 's', does: 'copy a link to join', run: a.share },
      { keys: 'l', does: 'copy a link to the line', run: a.link },
    ],
  };
}
