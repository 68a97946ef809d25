import { describe, expect, it } from 'vitest';
import { bytesText, durationText, rateOf, rateText, sparkPath } from './rates';

it('adds up the sources of a report by the second', () => {
  const rate = rateOf({
    time: '2026-01-02T03:04:05.000Z',
    interval_seconds: 60,
    cpu_percent: 0,
    memory_bytes: 0,
    disk_used_percent: 0,
    sources: {
      a: { lines: 120, bytes: 6000, levels: { INFO: 60, ERROR: 60 } },
      b: { lines: 60, bytes: 600, levels: { ALERT: 6, EMERGENCY: 6 } },
    },
  });
  expect(rate).toMatchObject({ lines: 3, bytes: 110 });
  expect(rate.tones).toMatchObject({ info: 1, error: 1, fatal: 0.2, warn: 0 });
});

it('draws a line', () => {
  expect(sparkPath([], 10, 10)).toBe('');
  expect(sparkPath([5], 10, 10)).toBe('M0.0,0.0L10,0.0');
  expect(sparkPath([0, 10], 10, 10)).toBe('M0.0,10.0L10.0,0.0');
  expect(sparkPath([0, 0], 10, 10)).toBe('M0.0,10.0L10.0,10.0');
});

describe('for people', () => {
  it('rates', () =>
    expect([0, 0.04, 0.44, 12.4, 3444, 34_444, 2e6].map(rateText)).toEqual([
      '0',
      '<0.1',
      '0.4',
      '12',
      '3.4k',
      '34k',
      '2.0M',
    ]));
  it('sizes', () =>
    expect([0, 999, 1000, 123_456, 2e9].map(bytesText)).toEqual(['0 B', '999 B', '1.0 kB', '123 kB', '2.0 GB']));
  it('durations', () =>
    expect([0, 59, 61, 3600, 90_000].map(durationText)).toEqual(['0 s', '59 s', '1 min 1 s', '1 h 0 min', '1 d 1 h']));
});
