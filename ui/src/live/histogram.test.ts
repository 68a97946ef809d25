import { describe, expect, it } from 'vitest';
import { Histogram, MAX_BARS } from './histogram';

const at = (seconds: number) => new Date(Date.UTC(2026, 0, 2) + seconds * 1000).toISOString();

describe('histogram', () => {
  it('counts by second and tone, with empty bars between', () => {
    const h = new Histogram();
    h.add(at(0), 'INFO');
    h.add(at(0.9), 'ERROR');
    h.add(at(3), 'CRITICAL');
    const bars = h.bars();
    expect(bars.map((b) => b.total)).toEqual([2, 0, 0, 1]);
    expect(h.totals()).toMatchObject({ info: 1, error: 1, fatal: 1, warn: 0 });
    expect(h.width).toBe(1);
  });

  it('widens its bars and loses nothing', () => {
    const h = new Histogram();
    for (let s = 0; s < 7200; s += 3) h.add(at(s), 'INFO');
    expect(h.bars().length).toBeLessThanOrEqual(MAX_BARS + 1);
    expect(h.totals().info).toBe(2400);
    expect(h.width).toBe(60);
  });

  it('takes history that comes after now', () => {
    const h = new Histogram();
    h.add(at(4000), 'INFO');
    h.add(at(0), 'WARN');
    expect(h.totals()).toMatchObject({ info: 1, warn: 1 });
  });

  it('lets no wrong clock spoil the axis', () => {
    const h = new Histogram();
    h.add(at(0), 'INFO');
    h.add('1970-01-01T00:00:00.000Z', 'INFO');
    h.add('nonsense', 'INFO');
    expect(h.outside).toBe(2);
    expect(h.bars()).toHaveLength(1);
    h.add('2400-01-01T00:00:00.000Z', 'INFO');
    expect(h.bars()).toHaveLength(1);
    expect(h.outside).toBe(3);
  });
});
