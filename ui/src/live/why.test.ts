import { describe, expect, it } from 'vitest';
import { filterClauses, why, type Situation } from './why';

const account = (seen: number, filtered: number, dropped = 0, lost_bytes: Record<string, number> = {}) => ({
  agents: {
    a: {
      seen,
      filtered,
      sampled: 0,
      redacted_away: 0,
      dropped: { rate: dropped },
      sent: seen - filtered - dropped,
      pending: 0,
      lost_bytes,
      truncated_lines: 0,
    },
  },
});

const quiet: Situation = {
  connected: true,
  ended: false,
  returned: false,
  kept: 0,
  drawn: 0,
  accounts: undefined,
  unreachable: [],
  agents: 1,
  problems: [],
  clauses: [],
};

describe('why', () => {
  for (const [name, over, want] of [
    ['nothing-to-explain', { kept: 5, drawn: 5 }, undefined],
    ['narrowed', { kept: 5 }, '5 events have come'],
    ['ended', { ended: true }, 'has ended'],
    ['ended-and-loaded-again', { ended: true, returned: true }, 'lines that were shown before the reload are gone'],
    ['loaded-again', { returned: true }, 'Nothing was written since the session began.'],
    ['offline', { connected: false }, 'server cannot be reached'],
    ['unreachable', { unreachable: ['a'] }, 'agent cannot be reached'],
    [
      'some-reachable',
      { unreachable: ['a'], agents: 2 },
      'Nothing was written since the session began. Problems: a cannot be reached.',
    ],
    ['dropped', { accounts: account(10, 5, 5) }, '5 events passed'],
    [
      'filtered',
      { accounts: account(1200, 1200), clauses: ['pattern x'] },
      'read 1,200 lines, and the filter let none of them pass: pattern x',
    ],
    [
      'filtered-of-what-was-read',
      { accounts: account(5, 5, 0, { lagging: 2_000_000 }), problems: ['b: no'] },
      'the filter. Problems: 2.0 MB were not read: matching fell behind the file; b: no.',
    ],
    ['nothing-read', { accounts: account(0, 0, 0, { corrupt: 10 }) }, 'Nothing was read since the session began.'],
    ['under-way', { accounts: account(10, 5) }, 'under way'],
    [
      'silent',
      { problems: ['app: permission denied'] },
      'Nothing was written since the session began. Problems: app: permission denied.',
    ],
  ] as [string, Partial<Situation>, string | undefined][]) {
    it(name, () => {
      const got = why({ ...quiet, ...over });
      if (want === undefined) expect(got).toBeUndefined();
      else expect(got?.why).toContain(want);
    });
  }
});

it('tells a filter in words', () => {
  expect(
    filterClauses({
      level: ['WARN', 'ERROR'],
      min_level: 'INFO',
      source: ['a'],
      pattern: 'x.*',
      scope: ['k:v', 'l:w'],
    }),
  ).toEqual(['level WARN or ERROR', 'level ≥ INFO', 'source a', 'pattern x.*', 'scope k:v and l:w']);
});
