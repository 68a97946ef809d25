import type { Item } from './store';

/** The last event of one agent that a viewer has. */
export interface Position {
  agent: string;
  epoch: number;
  seq: number;
}

function varint(value: number): number[] {
  const out: number[] = [];
  let rest = BigInt(value);
  while (rest >= 0x80n) {
    out.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  return [...out, Number(rest)];
}

/**
 * The text of a cursor, as the server reads it back: for each agent the 16 bytes of its UUID, then the epoch and the
 * sequence number as varints, all in base64url. With it a link leads to a line, and a reload to what was there.
 */
export function cursorText(positions: readonly Position[]): string {
  const bytes: number[] = [];
  for (const { agent, epoch, seq } of positions) {
    const hex = agent.replaceAll('-', '');
    if (!/^[0-9a-f]{32}$/i.test(hex)) throw new RangeError(`agent: ${agent} is no UUID`);
    for (let i = 0; i < 32; i += 2) bytes.push(parseInt(hex.slice(i, i + 2), 16));
    bytes.push(...varint(epoch), ...varint(seq));
  }
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '');
}

/** The place of one event as a link has it: agent:epoch:seq. */
export function placeText(at: Position): string {
  return `${at.agent}:${at.epoch}:${at.seq}`;
}

/** Reads the place of an event from a link. */
export function parsePlace(text: string): Position | undefined {
  const hit = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):(\d{1,15}):(\d{1,15})$/i.exec(text);
  return hit ? { agent: hit[1]!.toLowerCase(), epoch: Number(hit[2]), seq: Number(hit[3]) } : undefined;
}

/** Whether an item is the event of a place, or a gap that it is in. */
export function isAt(item: Item, at: Position): boolean {
  if (item.kind === 'note') return false;
  const { agent, epoch } = item.kind === 'log' ? item.log : item.gap;
  if (agent !== at.agent || epoch !== at.epoch) return false;
  if (item.kind === 'log') return item.log.seq === at.seq;
  return (item.gap.from ?? Infinity) <= at.seq && at.seq <= (item.gap.to ?? -1);
}
