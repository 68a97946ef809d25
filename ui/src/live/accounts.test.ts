import { describe, expect, it } from 'vitest';
import { Ledger, agentCloses, agentsTotal, viewerCloses, viewerTotal } from './accounts';

const agent = {
  seen: 10,
  filtered: 3,
  sampled: 0,
  redacted_away: 0,
  dropped: { rate: 2 },
  sent: 4,
  pending: 1,
  lost_bytes: null,
  truncated_lines: 0,
};
const viewer = { offered: 6, narrowed: 1, delivered: 3, gapped: 1, in_flight: 1 };

describe('accounts', () => {
  it('close or do not', () => {
    expect(agentCloses(agent)).toBe(true);
    expect(agentCloses({ ...agent, sent: 5 })).toBe(false);
    expect(viewerCloses(viewer)).toBe(true);
    expect(viewerCloses({ ...viewer, gapped: 0 })).toBe(false);
  });
  it('add up over agents', () => {
    const both = { agents: { a: agent, b: agent }, viewer: { a: viewer, b: viewer } };
    expect(agentsTotal(both)).toMatchObject({ seen: 20, dropped: { rate: 4 }, sent: 8 });
    expect(agentCloses(agentsTotal(both))).toBe(true);
    expect(viewerTotal(both).offered).toBe(12);
    expect(agentsTotal(undefined).seen).toBe(0);
  });
});

describe('ledger', () => {
  it('misses nothing that a gap told', () => {
    const ledger = new Ledger();
    for (const seq of [5, 6]) expect(ledger.event('a', 1, seq)).toBe(true);
    ledger.gap('a', 1, 7, 9);
    ledger.event('a', 1, 10);
    ledger.event('b', 1, 1);
    ledger.event('a', 2, 1);
    expect([ledger.received, ledger.gapped, ledger.missing]).toEqual([5, 3, 0]);
  });
  it('sees a hole', () => {
    const ledger = new Ledger();
    ledger.event('a', 1, 1);
    ledger.event('a', 1, 4);
    expect(ledger.missing).toBe(2);
  });
  it('sees a double', () => {
    const ledger = new Ledger();
    ledger.event('a', 1, 1);
    expect(ledger.event('a', 1, 1)).toBe(false);
    expect([ledger.received, ledger.doubles, ledger.missing]).toEqual([1, 1, 0]);
  });
  it('counts a gap that reaches back once', () => {
    const ledger = new Ledger();
    ledger.event('a', 1, 1);
    ledger.gap('a', 1, 1, 3);
    ledger.gap('a', 1, 2, 3);
    expect([ledger.gapped, ledger.missing]).toEqual([2, 0]);
  });
});
