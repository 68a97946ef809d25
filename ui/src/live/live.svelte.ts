import { SessionEndedError, SpileError, type Session, type SpileClient, type Stream } from '@spile/client';
import { Ledger } from './accounts';
import { contextText } from './context';
import { cursorText, isAt, type Position } from './cursor';
import type { Accounts, Gap, Log } from './frames';
import { Drawn } from './drawn.svelte';
import { Held, type Frame } from './held';
import { Stand, type Paused } from './stand';
import { app } from '../shell/app.svelte';
import { clock } from '../shell/clock.svelte';

/** How often what came is drawn, in milliseconds: often enough to look live, seldom enough to leave the page idle. */
const DRAW_MS = 100;

/** How many of the newest lines a reload brings back. */
const RELOAD_LINES = 2_000;

const HOW_ENDED: Record<string, string> = { timeout: ': its time was over', stopped: ': it was stopped' };

export type Phase = 'opening' | 'live' | 'ended' | 'failed';

/**
 * One session as the page watches it. Frames go into what is drawn, or while the reader pauses into what is held; when
 * that is full the page leaves the session, and comes back to the same place by cursor.
 */
export class Live {
  readonly drawn: Drawn;
  readonly ledger = new Ledger();
  #held = new Held();
  #client: SpileClient;
  #stream: Stream | undefined;
  #cursor: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  /** What was shown; and while paused after a reload, what had been shown before it. */
  #shown = new Stand();
  #before = new Stand();
  /** Where the stream was when the reader paused, and the first line that was in sight before a reload. */
  #paused: string | undefined;
  #top: Position | undefined;
  #matched = 0;

  session = $state.raw<Session>()!;
  phase = $state<Phase>('opening');
  /** Why the session could not be watched, or no longer can. */
  failure = $state('');
  connected = $state(true);
  /** The attempt to return that goes on, and when it comes. */
  attempt = $state.raw({ count: 0, wait: 0, error: '' });
  warnings = $state.raw<string[]>([]);
  statuses = $state.raw<Record<string, string>>({});
  /** What keeps agents from writing their own state, by agent. */
  problems = $state.raw<Record<string, string>>({});
  accounts = $state.raw<Accounts>();
  expires = $state(0);
  ending = $state(false);
  /** Whether this tab had shown lines of the session before it was loaded again. */
  returned = false;
  endReason = $state('');
  historyDone = $state(false);
  paused = $state(false);
  /** What the page says about why it paused by itself. */
  pausedBecause = $state('');
  unseen = $state(0);
  /** Whether the page left the session while paused. */
  away = $state(false);
  received = $state(0);
  /** How many of those matched the filter themselves. */
  matched = $state(0);
  gaps = $state.raw({ count: 0, events: 0 });
  transport = $state('');
  /** The ledger as of the last drawing: how many numbers are unaccounted for, and came twice. */
  missing = $state(0);

  constructor(client: SpileClient, session: Session) {
    this.#client = client;
    this.session = session;
    this.expires = Date.parse(session.expires_at);
    this.accounts = session.accounts;
    this.drawn = new Drawn();
  }

  /** Whether lines come that do not match themselves. */
  get hasContext(): boolean {
    return contextText(this.session.context) !== '';
  }

  agentName = (id: string): string => this.session.agents.find((a) => a.id === id)?.name ?? id;

  /** Takes over a stream that was just started. */
  adopt(stream: Stream): void {
    this.warnings = stream.warnings;
    this.#watch(stream);
  }

  /** Joins the session: after a cursor, from its start, or where the server says. */
  async join(at: { after?: string; from?: 'start' | 'now' }): Promise<void> {
    if (this.phase === 'ended') return;
    const over = this.session.status === 'ended';
    // For a while after its end the server takes those back who can say what they are owed.
    const origin = over && at.after === undefined ? { from: 'start' as const } : at;
    try {
      const stream = await this.#client.attach(this.session.id, { ...origin, events: 'all' });
      if (this.#closed) stream.close();
      else this.#watch(stream);
    } catch (err) {
      if (!(err instanceof SessionEndedError)) this.#failed(err);
      else if (over) this.#ended(this.session.end_reason ?? '');
      else await this.#reread();
    }
  }

  /** Leaves for good; the session goes on. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#stream?.close();
    this.#stream = undefined;
  }

  pause(because = ''): void {
    if (this.paused) return;
    this.paused = true;
    this.pausedBecause = because;
    this.#paused = this.#stream?.cursor;
  }

  /** Pauses as before a reload: what had been shown is shown again, what comes after it is held. */
  pauseAgain(was: Paused): void {
    this.paused = true;
    this.pausedBecause = was.because;
    this.#shown = new Stand(was.shown);
    this.#before = new Stand(was.shown);
    this.#top = was.top;
    this.drawn.following = was.top === undefined;
  }

  /** Draws what was held; comes back to the session if the page had left it. */
  async resume(): Promise<void> {
    if (!this.paused) return;
    this.paused = false;
    this.pausedBecause = '';
    this.#before = new Stand();
    this.#top = undefined;
    this.drawn.follow();
    if (this.#held.events > 0) {
      this.drawn.addNote(
        'info',
        `From here on: ${this.#held.events.toLocaleString('en')} events that came while paused.`,
      );
    }
    for (const frame of this.#held.take()) this.#show(frame);
    this.unseen = 0;
    this.#draw();
    if (!this.away) return;
    this.away = false;
    await this.join({ after: this.#cursor });
  }

  async extend(seconds: number): Promise<void> {
    const session = await this.#client.extendSession(this.session.id, seconds);
    this.expires = Date.parse(session.expires_at);
    this.ending = false;
  }

  async stop(): Promise<void> {
    const session = await this.#client.stopSession(this.session.id);
    this.session = session;
    this.accounts = { ...session.accounts, viewer: this.accounts?.viewer };
    this.#ended('stopped');
  }

  /** A cursor before the newest lines that are drawn, so that a reload shows them again; undefined before any came. */
  placeForReload(): string | undefined {
    if (this.ledger.received === 0 && this.gaps.count === 0) return undefined;
    const places = new Map(this.#shown.positions().map((last) => [last.agent, last]));
    const { store } = this.drawn;
    for (let id = store.nextId - 1; id >= Math.max(store.firstId, store.nextId - RELOAD_LINES); id--) {
      const item = store.get(id);
      if (item?.kind === 'log')
        places.set(item.log.agent, { agent: item.log.agent, epoch: item.log.epoch, seq: item.log.seq - 1 });
    }
    return places.size === 0 ? this.#paused : cursorText([...places.values()]);
  }

  /** What a reload needs to pause at the same place; undefined when the reader does not pause. */
  pausedForReload(): Paused | undefined {
    if (!this.paused || this.phase === 'ended') return undefined;
    const shown = this.#shown.positions();
    const { drawn } = this;
    let top = this.#top;
    if (drawn.following) top = undefined;
    else
      for (let id = drawn.topId; id < drawn.store.nextId; id++) {
        const item = drawn.store.get(id);
        if (item?.kind !== 'log') continue;
        top = { agent: item.log.agent, epoch: item.log.epoch, seq: item.log.seq };
        break;
      }
    return { because: this.pausedBecause, shown, ...(top ? { top } : {}) };
  }

  #watch(stream: Stream): void {
    this.#stream = stream;
    this.phase = 'live';
    this.connected = true;
    this.transport = stream.transport;
    stream.on('log', (log) => this.#log(stream, log));
    stream.on('gap', (gap) => this.#gap(gap));
    stream.on('status', (f) => {
      this.statuses = { ...this.statuses, [f.agent]: f.status };
      this.problems = { ...this.problems, [f.agent]: f.problem ?? '' };
    });
    stream.on('stats', (f) => {
      this.accounts = f.accounts;
    });
    stream.on('ending', (seconds) => {
      this.ending = true;
      this.expires = clock.server() + seconds * 1000;
    });
    stream.on('control', (f) => {
      if (f.event === 'session_extended') this.ending = false;
      if (f.expires_at && f.event !== 'session_ended') this.expires = Date.parse(f.expires_at);
      if (f.event === 'history_end') this.historyDone = true;
    });
    stream.on('connection', (state) => this.#connection(stream, state));
    stream.on('error', (err, fatal) => {
      if (stream !== this.#stream) return;
      if (!fatal) this.#note('warn', `The stream told an error: ${err.message}`);
      else if (err instanceof SessionEndedError) void this.#reread();
      else this.#failed(err);
    });
    stream.on('end', (f) => {
      this.accounts = f.accounts;
      this.#ended(f.reason);
    });
  }

  #log(stream: Stream, log: Log): void {
    if (stream !== this.#stream || !this.ledger.event(log.agent, log.epoch, log.seq)) return;
    if (!log.context) this.#matched += 1;
    if (!this.paused && this.drawn.crowded) this.pause('what you read here would have left the page’s memory');
    if (!this.paused || this.#before.has(log)) this.#show({ log });
    else if (!this.#held.addLog(log)) this.#leave(stream);
    this.#schedule();
  }

  #gap(gap: Gap): void {
    if (gap.unit === 'events') this.ledger.gap(gap.agent, gap.epoch, gap.from, gap.to);
    this.gaps = {
      count: this.gaps.count + 1,
      events: this.gaps.events + (gap.unit === 'events' ? (gap.count ?? 0) : 0),
    };
    const before = gap.from !== undefined && this.#before.has({ ...gap, seq: gap.from });
    if (this.paused && !before) this.#held.addGap(gap);
    else this.#show({ gap });
    this.#schedule();
  }

  /** Draws a frame, and notes how far what is shown goes. */
  #show(frame: Frame): void {
    if ('note' in frame) {
      this.drawn.addNote(frame.note.tone, frame.note.text);
    } else if ('gap' in frame) {
      const { gap } = frame;
      this.drawn.addGap(gap);
      if (gap.unit === 'events' && gap.to !== undefined) this.#shown.add({ ...gap, seq: gap.to });
    } else {
      this.drawn.addLog(frame.log);
      if (!this.#before.has(frame.log)) this.#shown.add(frame.log);
      const { store } = this.drawn;
      if (this.#top && isAt(store.get(store.nextId - 1)!, this.#top)) this.drawn.goal = store.nextId - 1;
    }
  }

  #note(tone: 'info' | 'warn', text: string): void {
    if (this.paused) this.#held.addNote(tone, text);
    else this.drawn.addNote(tone, text);
    this.#schedule();
  }

  /** The page holds as much as it may: it leaves, and the session waits where it is. */
  #leave(stream: Stream): void {
    this.#cursor = stream.cursor;
    this.away = true;
    this.#stream = undefined;
    stream.close();
  }

  #connection(stream: Stream, state: { connected: boolean; attempt: number; wait: number; error?: Error }): void {
    if (stream !== this.#stream) return;
    this.attempt = { count: state.attempt, wait: state.wait, error: state.error?.message ?? '' };
    if (state.connected === this.connected) return;
    this.connected = state.connected;
    this.transport = stream.transport;
    if (state.connected) this.#note('info', 'Connected again, and went on where it was.');
    else this.#note('warn', `The connection was lost${state.error ? `: ${state.error.message}` : ''}.`);
  }

  #ended(reason: string): void {
    if (this.phase === 'ended') return;
    this.phase = 'ended';
    this.endReason = reason;
    this.ending = false;
    if (this.received > 0 || this.drawn.store.length > 0) {
      this.#note('info', `The session ended${HOW_ENDED[reason] ?? ''}.`);
    }
    this.#draw();
  }

  #failed(err: unknown): void {
    if (app.refused(err)) return;
    this.phase = 'failed';
    this.failure = err instanceof SpileError || err instanceof Error ? err.message : String(err);
  }

  async #reread(): Promise<void> {
    try {
      this.session = await this.#client.session(this.session.id);
      this.accounts = this.session.accounts;
      this.#ended(this.session.end_reason ?? '');
    } catch (err) {
      this.#failed(err);
    }
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => this.#draw(), DRAW_MS);
  }

  #draw(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.received = this.ledger.received;
    this.matched = this.#matched;
    this.missing = this.ledger.missing;
    this.unseen = this.#held.events;
    this.drawn.draw();
  }
}
