import { bytesText } from '../fleet/rates';
import type { Gap } from './frames';

const WHY: Record<string, string> = {
  slow_viewer: 'this page read slower than the server keeps',
  buffer_overrun: 'nobody read as fast as was written',
  rate: 'the agent’s limit of lines a second',
  lagging: 'matching fell behind the file',
  truncated: 'the file was cut before it was read',
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
  return WHY[reason] ?? reason.replaceAll('_', ' ');
}

/** A gap in words: how much, of whom, why. */
export function gapText(gap: Gap, agentName: (id: string) => string): string {
  const least = gap.at_least ? 'at least ' : '';
  const unknown = gap.count === undefined;
  const what = gap.unit === 'bytes'
    ? (unknown ? 'bytes' : bytesText(gap.count!))
    : `${unknown ? 'events' : gap.count!.toLocaleString('en')}${unknown ? '' : gap.count === 1 ? ' event' : ' events'}`;
  const how = unknown ? `an unknown number of ${what}` : `${least}${what}`;
  const file = gap.file ? ` (${gap.file})` : '';
  return `${how} missing from ${agentName(gap.agent)}${file}: ${gapReason(gap.reason)}`;
}
