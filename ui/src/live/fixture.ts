import type { Log } from './frames';

/** An event for tests. */
export function log(seq: number, over: Partial<Log> = {}): Log {
  return {
    type: 'log',
    timestamp: '2026-01-02T03:04:05.000Z',
    level: 'INFO',
    source: 'app',
    message: `line ${seq}`,
    metadata: {},
    agent: '11111111-2222-3333-4444-555555555555',
    epoch: 1,
    seq,
    ...over,
  };
}
