import { errorOf } from "./error.js";
import { Feed } from "./feed.js";
import { Http } from "./http.js";
import { Ladder } from "./ladder.js";
import type { AttachOptions, CallOptions, ClientOptions, StartOptions } from "./options.js";
import { Stream } from "./stream.js";
import { defaultTiming, type Timing } from "./timing.js";
import type {
  Agent, AgentMetricsAnswer, Enrolment, ListAgentsAnswer, ListSessionsAnswer, Me, Session, StartResponse,
} from "./wire.gen.js";

/** For how long a stream tries to return when nothing is said, in seconds. */
const MAX_OFFLINE = 30;

/** Refuses what has no meaning here: without types a misspelt filter would let everything pass in silence. */
function refuseOthers(where: string, others: object): void {
  const [key] = Object.keys(others);
  if (key === undefined) return;
  const [name, why] = [`${where}${key}`, "is not an option"];
  throw errorOf("validation_error", `${name}: ${why}`, { details: { [name]: why } });
}

/** Speaks to one server: the fleet, sessions, and their streams. */
export class SpileClient {
  readonly #http: Http;
  readonly #options: ClientOptions;
  readonly #timing: Timing;
  readonly #ladder: Ladder;

  constructor(options?: ClientOptions);
  /** @internal Other times and bounds than the usual, for tests. */
  constructor(options?: ClientOptions, timing?: Partial<Timing>);
  constructor(options: ClientOptions = {}, timing: Partial<Timing> = {}) {
    this.#http = new Http(options);
    this.#options = options;
    this.#timing = { ...defaultTiming, ...timing };
    this.#ladder = new Ladder(options.transports, this.#timing);
  }

  /** Where the server is, without a slash at the end. */
  get baseUrl(): string {
    return this.#http.base;
  }

  /** Starts a session and watches it from its beginning. */
  async startStream(options: StartOptions): Promise<Stream> {
    const {
      agentId, agents, timeout, filters = {}, since, tail, context, mode, raw, reason, events, signal, ...others
    } = options;
    const { level, minLevel, source, pattern, scope, ...otherFilters } = filters;
    refuseOthers("", others);
    refuseOthers("filters.", otherFilters);
    const started = await this.#http.json<StartResponse>({
      method: "POST", path: "/stream/start", signal,
      body: {
        agent_id: agentId, agents, timeout_seconds: timeout, since, tail, context, mode, raw, reason,
        filters: { level, min_level: minLevel, source, pattern, scope },
      },
    });
    // Said aloud, since a way that was tried and given up has begun the session too.
    return this.#open(started.session, started.warnings ?? [], { from: "start", events, signal });
  }

  /** Watches a session that is open. */
  async attach(sessionId: string, options: AttachOptions = {}): Promise<Stream> {
    const session = await this.session(sessionId, { signal: options.signal });
    let { from } = options;
    // The same as what the server would say to the first, and it stays so when a way is given up.
    if (options.after === undefined && from === undefined && untouched(session)) from = "start";
    return this.#open(session, [], { ...options, from });
  }

  #open(session: Session, warnings: readonly string[], options: AttachOptions): Promise<Stream> {
    const { after, from, events, signal } = options;
    const { WebSocket, maxOffline = MAX_OFFLINE } = this.#options;
    return Stream.open({
      client: this, timing: this.#timing, session, warnings, signal, allEvents: events !== "default",
      feed: (ended, tell) => new Feed({
        http: this.#http, ladder: this.#ladder, timing: this.#timing, WebSocket, maxOffline: maxOffline * 1000,
        sessionId: session.id, after, from, signal: ended, tell,
      }),
    }, after);
  }

  /** The fleet, by name. */
  async agents(options: CallOptions = {}): Promise<Agent[]> {
    return (await this.#http.json<ListAgentsAnswer>({ path: "/agents", ...options })).agents;
  }

  /** One agent by its id or name. */
  agent(id: string, options: CallOptions = {}): Promise<Agent> {
    return this.#http.json({ path: `/agents/${encodeURIComponent(id)}`, ...options });
  }

  /** What an agent counted in the last hour, the oldest first. */
  agentMetrics(id: string, options: CallOptions = {}): Promise<AgentMetricsAnswer> {
    return this.#http.json({ path: `/agents/${encodeURIComponent(id)}/metrics`, ...options });
  }

  /** Forgets an agent; its key is no longer good. */
  deleteAgent(id: string, options: CallOptions = {}): Promise<void> {
    return this.#http.done({ method: "DELETE", path: `/agents/${encodeURIComponent(id)}`, ...options });
  }

  /** The sessions with a status, the newest first; left out, the open ones. */
  async sessions(options: CallOptions & { status?: "active" | "ended" | "all" | undefined } = {}): Promise<Session[]> {
    const { status, ...rest } = options;
    const call = { path: "/stream/sessions", query: { status }, ...rest };
    return (await this.#http.json<ListSessionsAnswer>(call)).sessions;
  }

  /** One session. */
  session(id: string, options: CallOptions = {}): Promise<Session> {
    return this.#http.json({ path: `/sessions/${encodeURIComponent(id)}`, ...options });
  }

  /** Gives a session a new remaining length in seconds, counted from now. */
  extendSession(id: string, seconds: number, options: CallOptions = {}): Promise<Session> {
    const body = { timeout_seconds: seconds };
    return this.#http.json({ method: "PATCH", path: `/sessions/${encodeURIComponent(id)}`, body, ...options });
  }

  /** Ends a session and returns it with its final accounts; twice is no error. */
  stopSession(id: string, options: CallOptions = {}): Promise<Session> {
    return this.#http.json({ method: "POST", path: "/stream/stop", body: { session_id: id }, ...options });
  }

  /** Exchanges a token for the login cookie of this browser. */
  login(token: string, options: CallOptions = {}): Promise<void> {
    return this.#http.done({ method: "POST", path: "/login", body: { token }, ...options });
  }

  /** Gives the login cookie back. */
  logout(options: CallOptions = {}): Promise<void> {
    return this.#http.done({ method: "POST", path: "/logout", ...options });
  }

  /** Who calls; refused with `unauthorized` if nobody is logged in. */
  me(options: CallOptions = {}): Promise<Me> {
    return this.#http.json({ path: "/me", ...options });
  }

  /** How a new agent joins. */
  enrolment(options: CallOptions = {}): Promise<Enrolment> {
    return this.#http.json({ path: "/enrolment", ...options });
  }
}

/** Whether a session is open and no agent has looked at a line for it yet. */
function untouched(session: Session): boolean {
  return session.status === "active" && session.viewers === 0 &&
    Object.values(session.accounts.agents).every((agent) => agent.seen === 0);
}
