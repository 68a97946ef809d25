import { describe, expect, it } from 'vitest';
import { EMPTY, formOf, formOfSession, paramsOf, problems, startOptions, withClauses, type Form } from './request';

const full: Form = {
  agents: ['web-1', 'web-2'],
  levels: ['WARN', 'ERROR'],
  minLevel: '',
  sources: ['nginx'],
  pattern: 'a&b=c',
  scope: ['k:v'],
  since: '10m',
  tail: '100',
  before: '2',
  after: '100',
  length: '15',
  mode: 'complete',
  raw: true,
  reason: 'INC-1',
};

describe('form', () => {
  it('stands in an address', () => expect(formOf(new URLSearchParams(paramsOf(full).toString()))).toEqual(full));
  it('leaves out what is empty', () => expect(paramsOf({ ...EMPTY, agents: ['a'] }).toString()).toBe('agent=a'));
  it('becomes a request', () => {
    expect(startOptions(full)).toMatchObject({
      agents: ['web-1', 'web-2'],
      timeout: 900,
      tail: 100,
      context: { before: 2, after: 100 },
      raw: true,
      filters: { level: ['WARN', 'ERROR'], scope: ['k:v'] },
    });
    expect(startOptions({ ...EMPTY, agents: ['a'] }).filters?.level).toBeUndefined();
    expect(startOptions({ ...EMPTY, agents: ['a'] }).context).toBeUndefined();
    expect(startOptions({ ...EMPTY, agents: ['a'], after: '3' }).context).toEqual({ before: 0, after: 3 });
  });
  it('says what is wrong', () => {
    expect(problems(full)).toEqual({});
    expect(
      Object.keys(problems({ ...EMPTY, length: '90', tail: 'x', before: '101', after: '-1', scope: ['k'] })),
    ).toEqual(['agents', 'timeout_seconds', 'tail', 'context.before', 'context.after', 'filters.scope']);
  });
});

it('is that of a session, to start it again', () => {
  const session = {
    agents: [{ id: 'id-1', name: 'web-1' }],
    filters: { pattern: 'x' },
    context: { after: 2 },
    mode: 'live' as const,
  };
  expect(paramsOf(formOfSession(session)).toString()).toBe('agent=web-1&pattern=x&after=2');
});

it('takes over what a filter can say, and tells the rest', () => {
  const clause = (field: string, value: string, not = false) => ({ field, value, not });
  const { form, left } = withClauses(
    { ...EMPTY, agents: ['a'], minLevel: 'INFO' },
    [
      clause('level', 'ERROR'),
      clause('.user.id', '7'),
      clause('.k', 'x'),
      clause('.k', 'y'),
      clause('source', 'b', true),
      clause('agent', 'id-2'),
    ],
    (id) => `name of ${id}`,
  );
  expect(form).toMatchObject({ levels: ['ERROR'], minLevel: '', scope: ['user.id:7'], agents: ['name of id-2'] });
  expect(left).toHaveLength(3);
});
