import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { axe, faint, open, shot, type Look, type Tab } from './browser';
import { Fleet, shopLine, until } from './fleet';

const LOOKS: [string, Look][] = [
  ['light', { scheme: 'light' }],
  ['dark', { scheme: 'dark' }],
  ['light-390', { scheme: 'light', width: 390, height: 844 }],
  ['dark-390', { scheme: 'dark', width: 390, height: 844 }],
];

const fleet = new Fleet();

beforeAll(async () => {
  await fleet.serve();
  await fleet.join('web-1', { env: 'prod', role: 'web' }, ['nginx', 'shop']);
  await fleet.join('web-2', { env: 'prod', role: 'web' }, ['nginx', 'shop']);
  await fleet.join('db-1', { env: 'test', role: 'db' }, ['postgres']);
});
afterAll(() => fleet.close());

// What a shop seldom says: the list has a look for each.
const OTHER_LEVELS: Record<number, { level: string; msg: string }> = {
  11: { level: 'notice', msg: 'prices were read anew' },
  13: { level: 'critical', msg: 'the queue of orders is full' },
};

let at = 0;
function write(lines: number): void {
  for (const agent of ['web-1', 'web-2'])
    fleet.write(
      agent,
      'shop',
      Array.from({ length: lines }, () => shopLine((at += 1), OTHER_LEVELS[at % 20])),
    );
}

/** Looks at a view: nothing for axe, nothing in the console, nothing wider than the window, and a picture. */
async function look(tab: Tab, name: string): Promise<void> {
  await shot(tab.page, name);
  expect.soft(await axe(tab.page), name).toEqual([]);
  expect.soft(await faint(tab.page), name).toEqual([]);
  // The browser notes refusals, which here are answers to questions.
  expect
    .soft(
      tab.complaints.filter((c) => !/Failed to load resource.*\b40[01]\b/.test(c)),
      name,
    )
    .toEqual([]);
  expect
    .soft(
      await tab.page.evaluate(() => document.documentElement.scrollWidth - innerWidth),
      `${name} is wider than the window`,
    )
    .toBeLessThanOrEqual(0);
}

describe.each(LOOKS)('every view in %s', (name, how) => {
  it('is for everybody', async () => {
    const stranger = await open(undefined, how);
    await stranger.page.goto(fleet.url);
    await stranger.page.getByLabel('Token').waitFor();
    await look(stranger, `login-${name}`);
    await stranger.context.close();

    const tab = await open(fleet, how);
    const { page } = tab;
    await page.goto(`${fleet.url}/#/fleet`);
    await page.getByRole('link', { name: 'web-2', exact: true }).waitFor();
    await look(tab, `fleet-${name}`);

    await page.goto(`${fleet.url}/#/join`);
    await page.getByText('spile agent --server').waitFor();
    await look(tab, `join-${name}`);

    await page.goto(`${fleet.url}/#/stream?agent=web-1&agent=web-2&pattern=order|payment(&scope=region:eu`);
    await page.getByRole('checkbox', { name: /web-1/ }).waitFor();
    await page.getByRole('button', { name: 'Start streaming' }).click();
    await page.locator('#pattern-problem').filter({ hasText: /./ }).waitFor();
    await look(tab, `stream-${name}`);

    await page.goto(`${fleet.url}/#/stream?agent=web-1&agent=web-2&reason=INC-4711`);
    await page.getByRole('checkbox', { name: /web-1/ }).waitFor();
    await page.getByRole('button', { name: 'Start streaming' }).click();
    await page.getByText('streaming 2/2').waitFor();
    for (let i = 0; i < 6; i++) {
      write(20);
      await until(
        `${(i + 1) * 40} events came`,
        async () => Number(await page.locator('[data-received]').getAttribute('data-received')) >= (i + 1) * 40,
      );
    }
    await look(tab, `live-${name}`);
    await page.keyboard.press('/');
    await page.keyboard.type('payment');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Enter');
    await page.locator('.row.active').waitFor();
    await page.locator('.row.active').click();
    await page.getByRole('complementary', { name: 'The whole event' }).waitFor();
    await look(tab, `event-${name}`);
    await page.getByRole('button', { name: 'Accounts' }).click();
    await page.getByText('adds up').first().waitFor();
    await look(tab, `accounts-${name}`);
    await page.getByRole('button', { name: 'Columns' }).click();
    await page.getByRole('checkbox', { name: 'region' }).check();
    await look(tab, `columns-${name}`);
    await page.getByRole('button', { name: 'Marks' }).click();
    for (const word of ['order', 'stock', 'cache', 'payment', 'prices', 'queue']) {
      await page.getByLabel('What to mark').fill(word);
      await page.keyboard.press('Enter');
    }
    await page.getByRole('checkbox', { name: 'queue' }).waitFor();
    await look(tab, `marks-${name}`);
    await page.getByRole('button', { name: 'Download' }).click();
    await page.getByRole('button', { name: /^NDJSON/ }).waitFor();
    await look(tab, `download-${name}`);
    await page.keyboard.press('Escape');
    await page.getByRole('group', { name: 'Levels shown' }).getByRole('button', { name: 'debug' }).click();
    await page.getByRole('button', { name: 'Wrap' }).click();
    await page.keyboard.press('p');
    await look(tab, `paused-${name}`);
    await page.keyboard.press('?');
    await page.getByRole('heading', { name: 'Keys' }).waitFor();
    await look(tab, `help-${name}`);
    await page.getByRole('button', { name: 'Close', exact: true }).click();
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await page.locator('[data-state=ended]').waitFor();
    await look(tab, `ended-${name}`);

    await page.goto(`${fleet.url}/#/stream?agent=web-1&agent=web-2&pattern=refused|full&before=2&after=1`);
    await page.getByRole('button', { name: 'Start streaming' }).click();
    await page.getByText('streaming 2/2').waitFor();
    write(100);
    await page.locator('.row.context').nth(10).waitFor();
    await page.keyboard.press('End');
    await page.locator('.row.context').last().click();
    await page.locator('.row.context.active').waitFor();
    await look(tab, `context-${name}`);

    await fleet.call('/stream/start', { method: 'POST', body: JSON.stringify({ agent_id: 'web-1' }) });
    await page.goto(`${fleet.url}/#/sessions?status=all`);
    await page
      .getByRole('link', { name: /Look at the session/ })
      .first()
      .waitFor();
    await page
      .getByRole('button', { name: /Stop the session/ })
      .first()
      .waitFor();
    await look(tab, `sessions-${name}`);
    await tab.context.close();
    await fleet.stopSessions();
  });
});
