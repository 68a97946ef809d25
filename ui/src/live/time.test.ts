import { expect, it } from 'vitest';
import { countdown, timeOfDay } from './time';

it('counts down', () => {
  expect([-5, 0, 900, 65_000, 600_000, 3_723_000].map(countdown)).toEqual([
    '0:00',
    '0:00',
    '0:01',
    '1:05',
    '10:00',
    '1:02:03',
  ]);
});
it('tells the time of day', () => {
  expect(timeOfDay('2026-01-02T03:04:05.006Z', 'utc')).toBe('03:04:05.006');
  expect(timeOfDay('2026-01-02T03:04:05.006Z', 'local')).toMatch(/^\d\d:\d\d:05\.006$/);
});
