import type { Context } from '@spile/client';
import type { Log } from './frames';
import type { Item } from './store';

/** Whether a line follows directly on another one: in the same file, where that one ends. */
export function follows(before: Log, log: Log): boolean {
  const end = before.metadata['end_offset'];
  return (
    typeof end === 'number' &&
    log.metadata['offset'] === end &&
    log.agent === before.agent &&
    log.metadata['file'] === before.metadata['file']
  );
}

/** Whether a line is drawn apart from the row before it. Gaps and notes are drawn as something of their own. */
export function apart(before: Item | undefined, item: Item): boolean {
  return before?.kind === 'log' && item.kind === 'log' && !follows(before.log, item.log);
}

/** How many lines around a match a session asks for, in words; empty when it asks for none. */
export function contextText(context: Context | undefined): string {
  const { before = 0, after = 0 } = context ?? {};
  const parts = [
    { count: before, where: 'before' },
    { count: after, where: 'after' },
  ].filter((part) => part.count > 0);
  const lines = parts[0]?.count === 1 ? 'line' : 'lines';
  return parts.map((part, i) => `${part.count} ${i === 0 ? `${lines} ` : ''}${part.where}`).join(' and ');
}
