import type { Log } from './frames';
import { follows } from './context';
import { fieldOf, leaves, textOf } from './narrow';
import { plain } from './visible';

export type Format = 'ndjson' | 'text' | 'csv';

export const MIME: Record<Format, string> = {
  ndjson: 'application/x-ndjson',
  text: 'text/plain;charset=utf-8',
  csv: 'text/csv;charset=utf-8',
};

export const EXTENSION: Record<Format, string> = { ndjson: 'ndjson', text: 'log', csv: 'csv' };

// What a spreadsheet takes as the beginning of a formula, full-width forms included.
const FORMULA = /^[\s\u00a0]*[=+\-@\uff1d\uff0b\uff0d\uff20|%]|^[\t\r\n]/u;

/** A cell of a CSV table. One that a spreadsheet would compute gets a ' before it, and so stays text. */
export function csvCell(text: string): string {
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n']/.test(safe) || safe !== safe.trim() ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** An event as one line for people: no character in it can steer a terminal. */
export function textLine(log: Log, agent: string): string {
  const fields = leaves(log.metadata).map(([name, value]) => `${name}=${JSON.stringify(textOf(value))}`);
  if (log.context) fields.push('context=true');
  const head = [log.timestamp, log.level.padEnd(9), agent, log.source, log.message];
  return plain([...head, ...fields].join(' '));
}

/** Text, with a line between those that do not follow on one another if there are lines around matches. */
function text(logs: readonly Log[], agentName: (id: string) => string): string {
  const around = logs.some((log) => log.context);
  return logs
    .map((log, i) => {
      const before = logs[i - 1];
      const rule = around && before && !follows(before, log) ? '--\n' : '';
      return `${rule}${textLine(log, agentName(log.agent))}\n`;
    })
    .join('');
}

/**
 * The events as a file. columns are the metadata that become columns of a CSV table; the whole of it is in one more.
 */
export function exportLogs(
  logs: readonly Log[],
  format: Format,
  columns: readonly string[],
  agentName: (id: string) => string,
): string {
  switch (format) {
    case 'ndjson':
      return logs.map((log) => `${JSON.stringify(log)}\n`).join('');
    case 'text':
      return text(logs, agentName);
    case 'csv': {
      const head = [
        'timestamp',
        'level',
        'agent',
        'source',
        'message',
        ...columns,
        'metadata',
        'epoch',
        'seq',
        'context',
      ];
      const rows = logs.map((log) => [
        log.timestamp,
        log.level,
        agentName(log.agent),
        log.source,
        log.message,
        ...columns.map((name) => fieldOf(log, `.${name}`) ?? ''),
        JSON.stringify(log.metadata),
        String(log.epoch),
        String(log.seq),
        log.context ? 'true' : '',
      ]);
      return [head, ...rows].map((row) => `${row.map(csvCell).join(',')}\r\n`).join('');
    }
  }
}
