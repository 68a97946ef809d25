// The frames of a stream, as far as the page looks at them. They are what @spile/client hands out; written down here so
// that the plain modules can be tested without it.

export interface Log {
  type: 'log';
  timestamp: string;
  level: string;
  source: string;
  message: string;
  metadata: Record<string, unknown>;
  raw?: string;
  raw_base64?: string;
  agent: string;
  epoch: number;
  seq: number;
}

export interface Gap {
  agent: string;
  epoch: number;
  from?: number;
  to?: number;
  count?: number;
  unit: 'events' | 'bytes';
  file?: string;
  at_least?: boolean;
  reason: string;
  stage?: string;
}

/** Counts by reason; a server without any may say null. */
export type Counts = Record<string, number | undefined> | null;

export interface AgentAccounts {
  seen: number;
  filtered: number;
  sampled: number;
  redacted_away: number;
  dropped: Counts;
  sent: number;
  pending: number;
  lost_bytes: Counts;
  truncated_lines: number;
}

export interface ViewerAccounts {
  offered: number;
  narrowed: number;
  delivered: number;
  gapped: number;
  in_flight: number;
}

export interface Accounts {
  agents: Record<string, AgentAccounts>;
  viewer?: Record<string, ViewerAccounts>;
}
