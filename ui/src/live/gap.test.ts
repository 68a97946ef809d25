import { expect, it } from 'vitest';
import { gapText } from './gap';

const name = () => 'web-1';

it('tells how much is missing and why', () => {
  expect(gapText({ agent: 'a', epoch: 1, unit: 'events', count: 1200, from: 1, to: 1200, reason: 'rate' }, name)).toBe(
    '1,200 events missing from web-1: the agent’s limit of lines a second',
  );
  expect(
    gapText(
      { agent: 'a', epoch: 1, unit: 'bytes', count: 4096, file: '/var/log/a', reason: 'rotated', at_least: true },
      name,
    ),
  ).toBe('at least 4.1 kB missing from web-1 (/var/log/a): the rotated file is gone');
  expect(gapText({ agent: 'a', epoch: 1, unit: 'events', at_least: true, reason: 'journal_lost' }, name)).toBe(
    'an unknown number of events missing from web-1: the agent lost its record and numbers anew',
  );
});
