// The frames of a stream, as far as the page looks at them, and wider than what @spile/client hands out where a server
// of another version may say more.

import type { AgentAccounts as WireAccounts, ViewerAccounts } from '@spile/client';

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
  /** The line does not match itself: it stands around one that does. */
  context?: boolean;
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

export type { ViewerAccounts };

export type AgentAccounts = Omit<WireAccounts, 'dropped' | 'lost_bytes'> & { dropped: Counts; lost_bytes: Counts };

export interface Accounts {
  agents: Record<string, AgentAccounts>;
  viewer?: Record<string, ViewerAccounts>;
}
