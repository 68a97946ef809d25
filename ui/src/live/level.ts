// The nine levels, in order, as the wire writes them.
export const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'NOTICE', 'WARN', 'ERROR', 'CRITICAL', 'ALERT', 'EMERGENCY'] as const;

export type Level = (typeof LEVELS)[number];

const SHORT: Record<string, string> = { NOTICE: 'NOTE', CRITICAL: 'CRIT', EMERGENCY: 'EMERG' };

// Tones are the colours that levels share: nine shades could not be told apart.
export const TONES = ['quiet', 'info', 'notice', 'warn', 'error', 'fatal'] as const;

export type Tone = (typeof TONES)[number];

/** The tones in words. */
export const TONE_NAMES: Readonly<Record<Tone, string>> = {
  quiet: 'debug',
  info: 'info',
  notice: 'notice',
  warn: 'warn',
  error: 'error',
  fatal: 'critical+',
};

const TONE_OF: readonly Tone[] = ['quiet', 'quiet', 'info', 'notice', 'warn', 'error', 'fatal', 'fatal', 'fatal'];

/** The rank of a level word, that of INFO for a word nobody knows. */
export function rank(level: string): number {
  const at = (LEVELS as readonly string[]).indexOf(level);
  return at < 0 ? 2 : at;
}

/** The tone of a level word. */
export function tone(level: string): Tone {
  return TONE_OF[rank(level)]!;
}

/** The word as a narrow column shows it, at most five letters. */
export function shortLevel(level: string): string {
  return SHORT[level] ?? level;
}
