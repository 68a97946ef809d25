import { describe, expect, it } from 'vitest';
import { parseRoute, routeHash } from './hash';

describe('route', () => {
  for (const [hash, view, id, query] of [
    ['', 'fleet', '', ''],
    ['#/fleet', 'fleet', '', ''],
    ['#/elsewhere', 'fleet', '', ''],
    ['#/session', 'fleet', '', ''],
    ['#/session/sess_a?at=x%3A1%3A2', 'session', 'sess_a', 'at=x%3A1%3A2'],
    ['#/stream?agent=a&agent=b&level=ERROR', 'stream', '', 'agent=a&agent=b&level=ERROR'],
    ['#/session/%E0', 'session', '%E0', ''],
  ] as const) {
    it(hash || 'empty', () => {
      const route = parseRoute(hash);
      expect([route.view, route.id, route.params.toString()]).toEqual([view, id, query]);
    });
  }
  it('goes there and back', () => {
    const hash = routeHash('session', 'sess_a', new URLSearchParams({ at: 'x:1:2' }));
    expect(hash).toBe('#/session/sess_a?at=x%3A1%3A2');
    expect(parseRoute(hash).params.get('at')).toBe('x:1:2');
  });
});
