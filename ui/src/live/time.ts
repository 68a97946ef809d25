const two = (n: number) => String(n).padStart(2, '0');
const three = (n: number) => String(n).padStart(3, '0');

/** The time of day of an event, with milliseconds; where the reader is, or in UTC. */
export function timeOfDay(timestamp: string, zone: 'local' | 'utc'): string {
  if (zone === 'utc') return timestamp.slice(11, 23);
  const t = new Date(timestamp);
  return `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}.${three(t.getMilliseconds())}`;
}

/** A countdown: 4:05, or 1:02:03. */
export function countdown(milliseconds: number): string {
  const s = Math.max(0, Math.ceil(milliseconds / 1000));
  const rest = `${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
  return s >= 3600 ? `${Math.floor(s / 3600)}:${rest}` : rest.replace(/^0/, '');
}
