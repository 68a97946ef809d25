import type { MetricsPoint } from '@spile/client';
import { TONES, tone, type Tone } from '../live/level';

/** What an agent wrote in one interval, over all its sources, by the second. */
export interface Rate {
  time: number;
  lines: number;
  bytes: number;
  tones: Record<Tone, number>;
}

/** The rates of one report. */
export function rateOf(point: MetricsPoint): Rate {
  const seconds = point.interval_seconds > 0 ? point.interval_seconds : 60;
  const tones = Object.fromEntries(TONES.map((t) => [t, 0])) as Record<Tone, number>;
  let lines = 0;
  let bytes = 0;
  for (const source of Object.values(point.sources)) {
    lines += source.lines;
    bytes += source.bytes;
    for (const [level, count] of Object.entries(source.levels)) tones[tone(level)] += count / seconds;
  }
  return { time: Date.parse(point.time), lines: lines / seconds, bytes: bytes / seconds, tones };
}

/** A line through values as an SVG path within a box; one value alone is a flat line. */
export function sparkPath(values: readonly number[], width: number, height: number): string {
  if (values.length === 0) return '';
  const top = Math.max(...values, Number.MIN_VALUE);
  const step = values.length > 1 ? width / (values.length - 1) : 0;
  const points = values.map((v, i) => `${(i * step).toFixed(1)},${(height - (v / top) * height).toFixed(1)}`);
  if (points.length === 1) points.push(`${width},${(height - (values[0]! / top) * height).toFixed(1)}`);
  return `M${points.join('L')}`;
}

/** A rate for people: 0, 0.4, 12, 3.4k. */
export function rateText(rate: number): string {
  if (rate === 0) return '0';
  if (rate < 0.1) return '<0.1';
  if (rate < 10) return rate.toFixed(1);
  if (rate < 1000) return String(Math.round(rate));
  if (rate < 1e6) return `${(rate / 1000).toFixed(rate < 1e4 ? 1 : 0)}k`;
  return `${(rate / 1e6).toFixed(1)}M`;
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** A size for people. */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** A length of time for people, of two units at most. */
export function durationText(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min${s < 600 && s % 60 ? ` ${s % 60} s` : ''}`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}
