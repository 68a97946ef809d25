import { routeHash } from '../route/hash';
import { app } from '../shell/app.svelte';
import { copy } from '../shell/copy';
import { placeText } from './cursor';
import type { Live } from './live.svelte';

/** The address of a session, or of one line in it. */
export function linkTo(live: Live, lineId = -1): string {
  const item = lineId < 0 ? undefined : live.drawn.store.get(lineId);
  const params = new URLSearchParams();
  if (item?.kind === 'log') params.set('at', placeText(item.log));
  const url = new URL(location.href);
  url.hash = routeHash('session', live.session.id, params);
  return url.href;
}

/** Copies the address of a session, or of one line in it. */
export async function share(live: Live, lineId = -1): Promise<void> {
  const link = linkTo(live, lineId);
  const what = link.includes('?at=') ? 'Link to the line' : 'Link to join the session';
  app.say((await copy(link)) ? `${what} copied` : `${what}: ${link}`);
}
