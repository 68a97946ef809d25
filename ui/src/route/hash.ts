// The page's places. They stand behind #, so that the server need not know them and a proxy's folder does not matter.

export type View = 'fleet' | 'stream' | 'session' | 'sessions' | 'join';

export interface Route {
  view: View;
  /** The session of the view "session", else empty. */
  id: string;
  params: URLSearchParams;
}

const VIEWS: readonly string[] = ['fleet', 'stream', 'session', 'sessions', 'join'];

/** Reads the part of an address after #; anything unknown is the fleet. */
export function parseRoute(hash: string): Route {
  const text = hash.replace(/^#\/?/, '');
  const query = text.indexOf('?');
  const path = query < 0 ? text : text.slice(0, query);
  const params = new URLSearchParams(query < 0 ? '' : text.slice(query + 1));
  const [view = '', id = ''] = path.split('/');
  if (!VIEWS.includes(view) || (view === 'session' && id === ''))
    return { view: 'fleet', id: '', params: new URLSearchParams() };
  let known = id;
  try {
    known = decodeURIComponent(id);
  } catch {
    // An address that somebody cut: the id stays as it is and is not found.
  }
  return { view: view as View, id: view === 'session' ? known : '', params };
}

/** The part of an address after and with #. */
export function routeHash(view: View, id = '', params?: URLSearchParams): string {
  const query = params?.toString() ?? '';
  return `#/${view}${id === '' ? '' : `/${encodeURIComponent(id)}`}${query === '' ? '' : `?${query}`}`;
}
