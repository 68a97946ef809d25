import { describe, expect, it } from 'vitest';
import { csvCell, exportLogs } from './export';
import { log } from './fixture';

describe('csv', () => {
  for (const [name, text, cell] of [
    ['plain', 'plain', 'plain'],
    ['comma', 'a,b', '"a,b"'],
    ['quote', 'say "x"', '"say ""x"""'],
    ['lines', 'a\nb', '"a\nb"'],
    ['formula', '=1+1', `"'=1+1"`],
    ['plus', '+1', `"'+1"`],
    ['minus', '-1', `"'-1"`],
    ['at', '@SUM(A1)', `"'@SUM(A1)"`],
    ['blank-before', '  =1', `"'  =1"`],
    ['tab', '\t=1', `"'\t=1"`],
    ['full-width', '＝1', `"'＝1"`],
    ['dde', '|cmd', `"'|cmd"`],
    ['minus-inside', 'a-b', 'a-b'],
  ] as const) {
    it(name, () => expect(csvCell(text)).toBe(cell));
  }
});

describe('export', () => {
  const logs = [log(1, { message: '=cmd', metadata: { user: { id: 7 } } }), log(2, { message: 'a\x1b[2J' })];
  const name = () => 'web-1';

  it('ndjson is the frames as they came', () => {
    const lines = exportLogs(logs, 'ndjson', [], name).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual(logs);
  });

  it('text steers no terminal', () => {
    const text = exportLogs(logs, 'text', [], name);
    expect(text).toContain('2026-01-02T03:04:05.000Z INFO      web-1 app =cmd user.id="7"\n');
    expect(text).toContain('a␛[2J');
    expect(text).not.toContain('\x1b');
  });

  it('carries the lines around matches, and tells them apart', () => {
    const at = (seq: number, offset: number, context?: boolean) =>
      log(seq, { metadata: { offset, end_offset: offset + 10 }, ...(context ? { context } : {}) });
    const around = [at(1, 0, true), at(2, 10), at(3, 50, true), at(4, 60)];
    const lines = exportLogs(around, 'text', [], name).trimEnd().split('\n');
    expect(
      lines.map((line) => (/line \d/.exec(line)?.[0] ?? line) + (line.includes('context=true') ? ' -' : '')),
    ).toEqual(['line 1 -', 'line 2', '--', 'line 3 -', 'line 4']);
    const rows = exportLogs(around, 'csv', [], name).split('\r\n');
    expect(rows.map((row) => row.endsWith(',true'))).toEqual([false, true, false, true, false, false]);
    expect(exportLogs([at(2, 10), at(4, 60)], 'text', [], name)).not.toContain('--');
  });

  it('csv has the chosen columns and no formula', () => {
    const rows = exportLogs(logs, 'csv', ['user.id'], name).split('\r\n');
    expect(rows[0]).toBe('timestamp,level,agent,source,message,user.id,metadata,epoch,seq,context');
    expect(rows[1]).toBe(`2026-01-02T03:04:05.000Z,INFO,web-1,app,"'=cmd",7,"{""user"":{""id"":7}}",1,1,`);
    expect(rows).toHaveLength(4);
  });
});
