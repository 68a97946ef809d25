import { SpileClient, UnauthorizedError, type Me, type Stream } from '@spile/client';
import { parseRoute, routeHash, type Route, type View } from '../route/hash';

/** Where the server is: beside the page, wherever a proxy put it. */
function base(): string {
  return new URL('.', location.href).href.replace(/\/$/, '');
}

/** What the whole page knows: the server, who is logged in, where the reader is, and what is said aloud. */
class App {
  // A page that was left open comes back whenever the server does.
  readonly client = new SpileClient({ baseUrl: base(), maxOffline: 7 * 86_400 });

  route = $state.raw<Route>(parseRoute(location.hash));
  /** Undefined until the server was asked, null when nobody is logged in. */
  me = $state.raw<Me | null>();
  /** Why the server could not be asked who is logged in. */
  trouble = $state('');
  /** The last thing that was done, told for a while and to screen readers. */
  said = $state('');
  help = $state(false);
  #saying: ReturnType<typeof setTimeout> | undefined;
  /** A stream that was started and waits for its view. */
  started: Stream | undefined;

  constructor() {
    addEventListener('hashchange', () => {
      this.route = parseRoute(location.hash);
    });
  }

  /** Asks the server who is logged in. */
  async ask(): Promise<void> {
    try {
      this.me = await this.client.me();
      this.trouble = '';
    } catch (err) {
      if (err instanceof UnauthorizedError) this.me = null;
      else this.trouble = err instanceof Error ? err.message : String(err);
    }
  }

  async login(token: string): Promise<void> {
    await this.client.login(token);
    await this.ask();
  }

  async logout(): Promise<void> {
    await this.client.logout();
    this.me = null;
  }

  /** Notes a refusal that means that nobody is logged in any more; true if it was one. */
  refused(err: unknown): boolean {
    if (!(err instanceof UnauthorizedError)) return false;
    this.me = null;
    return true;
  }

  /** Goes to a view. */
  go(view: View, id = '', params?: URLSearchParams): void {
    location.hash = routeHash(view, id, params);
  }

  /** Changes the address in place, without a new entry of the history. */
  rewrite(view: View, id: string, params: URLSearchParams): void {
    const hash = routeHash(view, id, params);
    if (hash !== location.hash) history.replaceState(history.state, '', hash);
  }

  say(text: string): void {
    clearTimeout(this.#saying);
    this.said = text;
    this.#saying = setTimeout(() => {
      this.said = '';
    }, 4000);
  }

  /** Says what went wrong with something that was asked for. */
  failed(what: string, err: unknown): void {
    if (!this.refused(err)) this.say(`${what}: ${err instanceof Error ? err.message : String(err)}`);
  }
}

export const app = new App();
