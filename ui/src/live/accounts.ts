import type { Accounts, AgentAccounts, Counts, ViewerAccounts } from './frames';

/** The sum of counts by reason. */
export function sum(counts: Counts | undefined): number {
  return Object.values(counts ?? {}).reduce<number>((a, b) => a + (b ?? 0), 0);
}

/** Whether an agent's equation holds: seen = filtered + sampled + redacted away + dropped + sent + pending. */
export function agentCloses(a: AgentAccounts): boolean {
  return a.seen === a.filtered + a.sampled + a.redacted_away + sum(a.dropped) + a.sent + a.pending;
}

/** Whether a viewer's equation holds: offered = narrowed + delivered + gapped + in flight. */
export function viewerCloses(v: ViewerAccounts): boolean {
  return v.offered === v.narrowed + v.delivered + v.gapped + v.in_flight;
}

function added(a: Counts, b: Counts): Counts {
  const out: Record<string, number> = {};
  for (const [reason, n] of [...Object.entries(a ?? {}), ...Object.entries(b ?? {})]) {
    out[reason] = (out[reason] ?? 0) + (n ?? 0);
  }
  return out;
}

const NO_AGENT: AgentAccounts = {
  seen: 0,
  filtered: 0,
  sampled: 0,
  redacted_away: 0,
  dropped: {},
  sent: 0,
  pending: 0,
  lost_bytes: {},
  truncated_lines: 0,
};
const NO_VIEWER: ViewerAccounts = { offered: 0, narrowed: 0, delivered: 0, gapped: 0, in_flight: 0 };

/** What all agents of a session account for together. */
export function agentsTotal(accounts: Accounts | undefined): AgentAccounts {
  return Object.values(accounts?.agents ?? {}).reduce(
    (t, a) => ({
      seen: t.seen + a.seen,
      filtered: t.filtered + a.filtered,
      sampled: t.sampled + a.sampled,
      redacted_away: t.redacted_away + a.redacted_away,
      dropped: added(t.dropped, a.dropped),
      sent: t.sent + a.sent,
      pending: t.pending + a.pending,
      lost_bytes: added(t.lost_bytes, a.lost_bytes),
      truncated_lines: t.truncated_lines + a.truncated_lines,
    }),
    NO_AGENT,
  );
}

/** What a viewer accounts for over all agents. */
export function viewerTotal(accounts: Accounts | undefined): ViewerAccounts {
  return Object.values(accounts?.viewer ?? {}).reduce(
    (t, v) => ({
      offered: t.offered + v.offered,
      narrowed: t.narrowed + v.narrowed,
      delivered: t.delivered + v.delivered,
      gapped: t.gapped + v.gapped,
      in_flight: t.in_flight + v.in_flight,
    }),
    NO_VIEWER,
  );
}

/**
 * What this page itself got, held against the numbering: of each agent and epoch the first and the last number, the
 * events that came and those that gaps stood for. Nothing is missing as long as the two add up to the span.
 */
export class Ledger {
  #spans = new Map<string, { first: number; last: number; came: number; gapped: number }>();
  received = 0;
  gapped = 0;
  doubles = 0;

  /** Takes an event in; false if it came before. */
  event(agent: string, epoch: number, seq: number): boolean {
    const span = this.#spans.get(`${agent}/${epoch}`);
    if (span && seq <= span.last) {
      this.doubles += 1;
      return false;
    }
    this.received += 1;
    if (!span) this.#spans.set(`${agent}/${epoch}`, { first: seq, last: seq, came: 1, gapped: 0 });
    else {
      span.last = seq;
      span.came += 1;
    }
    return true;
  }

  /** Takes a gap in events in; one without numbers says nothing about them. */
  gap(agent: string, epoch: number, from?: number, to?: number): void {
    if (from === undefined || to === undefined) return;
    const span = this.#spans.get(`${agent}/${epoch}`);
    const first = span ? Math.max(from, span.last + 1) : from;
    if (to < first) return;
    const count = to - first + 1;
    this.gapped += count;
    if (!span) this.#spans.set(`${agent}/${epoch}`, { first: from, last: to, came: 0, gapped: count });
    else {
      span.last = to;
      span.gapped += count;
    }
  }

  /** How many numbers neither came nor were told as a gap. Always 0, or something is broken. */
  get missing(): number {
    let missing = 0;
    for (const s of this.#spans.values()) missing += s.last - s.first + 1 - s.came - s.gapped;
    return missing;
  }
}
