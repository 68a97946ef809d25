import type { Agent } from '@spile/client';
import { describe, expect, it } from 'vitest';
import { choose } from './choose';

const agent = (name: string, labels: Record<string, string>): Agent => ({
  id: name,
  name,
  labels,
  status: 'online',
  status_since: '',
  last_seen: '',
  enrolled_at: '',
  version: '1',
  clock_offset_ms: 0,
  sessions: 0,
  metrics: null,
  sources: [{ name: 'nginx', kind: 'file', files: 1 }],
});
const fleet = [
  agent('web-1', { env: 'prod' }),
  agent('web-2', { env: 'test' }),
  agent('db-1', { env: 'prod', role: 'db' }),
];

describe('choose', () => {
  for (const [text, names] of [
    ['', 'web-1 web-2 db-1'],
    ['web', 'web-1 web-2'],
    ['WEB prod', 'web-1'],
    ['nginx', 'web-1 web-2 db-1'],
    ['env=prod', 'web-1 db-1'],
    ['env=prod,role in (db)', 'db-1'],
    ['nothing', ''],
  ] as const) {
    it(text || 'all', () =>
      expect(
        choose(fleet, text)
          .agents.map((a) => a.name)
          .join(' '),
      ).toBe(names),
    );
  }
  it('says where a selector is wrong', () => {
    const { agents, problem } = choose(fleet, 'env=prod,');
    expect([agents.length, problem]).toEqual([3, 'a label is expected here (at 10)']);
  });
});
