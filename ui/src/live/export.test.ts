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

  it('csv has the chosen columns and no formula', () => {
    const rows = exportLogs(logs, 'csv', ['user.id'], name).split('\r\n');
    expect(rows[0]).toBe('timestamp,level,agent,source,message,user.id,metadata,epoch,seq');
    expect(rows[1]).toBe(`2026-01-02T03:04:05.000Z,INFO,web-1,app,"'=cmd",7,"{""user"":{""id"":7}}",1,1`);
    expect(rows).toHaveLength(4);
  });
});
