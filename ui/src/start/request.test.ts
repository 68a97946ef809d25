import { describe, expect, it } from 'vitest';
import { EMPTY, formOf, paramsOf, problems, startOptions, withClauses, type Form } from './request';

const full: Form = {
  agents: ['web-1', 'web-2'],
  levels: ['WARN', 'ERROR'],
  minLevel: '',
  sources: ['nginx'],
  pattern: 'a&b=c',
  scope: ['k:v'],
  since: '10m',
  tail: '100',
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
      raw: true,
      filters: { level: ['WARN', 'ERROR'], scope: ['k:v'] },
    });
    expect(startOptions({ ...EMPTY, agents: ['a'] }).filters?.level).toBeUndefined();
  });
  it('says what is wrong', () => {
    expect(problems(full)).toEqual({});
    expect(Object.keys(problems({ ...EMPTY, length: '90', tail: 'x', scope: ['k'] }))).toEqual([
      'agents',
      'timeout_seconds',
      'tail',
      'filters.scope',
    ]);
  });
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
