import type { GapReason } from '@spile/client';
import { bytesText } from '../fleet/rates';
import type { Gap } from './frames';

const WHY: Record<GapReason, string> = {
  slow_viewer: 'this page read slower than the server keeps',
  buffer_overrun: 'nobody read as fast as was written',
  rate: 'the agent’s limit of lines a second',
  lagging: 'matching fell behind the file',
  truncated: 'the file was cut before it was read',
  hole: 'the writer left a hole without content',
  rotated: 'the rotated file is gone',
  corrupt: 'the compressed file is broken',
  oversize: 'the compressed file unpacks to more than the agent allows',
  unreadable: 'the agent may not read the file',
  replay_lost: 'the bytes were gone when they were asked for again',
  journal_lost: 'the agent lost its record and numbers anew',
  position_lost: 'the server no longer holds this place',
  session_end: 'the session ended before they were sent',
};

/** Why something is missing, in words. */
export function gapReason(reason: string): string {
  // A later server may know more reasons.
  return (WHY as Record<string, string>)[reason] ?? reason.replaceAll('_', ' ');
}

/** How much a gap stands for, in words. */
function gapSize(gap: Gap): string {
  if (gap.count === undefined) return `an unknown number of ${gap.unit}`;
  const least = gap.at_least ? 'at least ' : '';
  if (gap.unit === 'bytes') return `${least}${bytesText(gap.count)}`;
  return `${least}${gap.count.toLocaleString('en')} ${gap.count === 1 ? 'event' : 'events'}`;
}

/** A gap in words: how much, of whom, why. */
export function gapText(gap: Gap, agentName: (id: string) => string): string {
  const file = gap.file ? ` (${gap.file})` : '';
  return `${gapSize(gap)} missing from ${agentName(gap.agent)}${file}: ${gapReason(gap.reason)}`;
}
