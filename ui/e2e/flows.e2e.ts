import { describe, expect, it } from 'vitest';
import { open } from './browser';
import { shopLine, until } from './fleet';
import { fleet, messages, page, received, scene, stream, writeAndSee } from './steps';

scene();

describe('login', () => {
  it('by token, refused and good, back to where it was', async () => {
    const stranger = await open(undefined);
    await stranger.page.goto(`${fleet.url}/#/sessions`);
    await stranger.page.getByLabel('Token').fill('no token');
    await stranger.page.keyboard.press('Enter');
    await stranger.page.getByText('This token is not good').waitFor();
    await stranger.page.getByLabel('Token').fill(fleet.token);
    await stranger.page.keyboard.press('Enter');
    await stranger.page.getByRole('heading', { name: 'Sessions' }).waitFor();
    expect(await stranger.page.evaluate(() => document.cookie)).toBe('');
    const cookie = (await stranger.context.cookies())[0];
    expect([cookie?.name, cookie?.httpOnly, cookie?.sameSite]).toEqual(['spile_login', true, 'Strict']);
    await stranger.page.getByRole('button', { name: 'Sign out' }).click();
    await stranger.page.getByLabel('Token').waitFor();
    await stranger.page.reload();
    await stranger.page.getByLabel('Token').waitFor();
    await stranger.context.close();
  });
});

describe('fleet', () => {
  it('shows agents live, by search and by selector', async () => {
    await page.goto(fleet.url);
    const names = () => page.locator('[data-agent]').evaluateAll((all) => all.map((a) => a.getAttribute('data-agent')));
    await page.locator('[data-agent=db-1]').waitFor();
    expect(await names()).toEqual(['db-1', 'web-1', 'web-2']);
    await page.keyboard.press('/');
    await page.keyboard.type('env=prod,role in (web,api)');
    expect(await names()).toEqual(['web-1', 'web-2']);
    await page.reload();
    await page.locator('[data-agent=web-1]').waitFor();
    expect(await names()).toEqual(['web-1', 'web-2']);
    await page.getByRole('searchbox').fill('env=prod,');
    await page.getByText('a label is expected here (at 10)').waitFor();
    await page.getByRole('searchbox').fill('postgres');
    expect(await names()).toEqual(['db-1']);
    await page.getByRole('searchbox').fill('');
    await fleet.join('late-1', {}, ['app']);
    await page.locator('[data-agent=late-1]').waitFor();
    await page.getByRole('searchbox').fill('env=prod');
    await page.getByRole('searchbox').press('Tab');
    await page.getByRole('button', { name: 'Stream these 2' }).click();
    await page.getByRole('checkbox', { name: /web-2/ }).waitFor();
    expect(await page.getByRole('checkbox', { name: /web-2/ }).isChecked()).toBe(true);
  });

  it('has a line with which a machine joins, and sees it join', async () => {
    await page.goto(`${fleet.url}/#/join`);
    await page.getByText('spile agent --server').waitFor();
    await page.getByRole('button', { name: 'Copy' }).click();
    await page.getByText('Command copied').waitFor();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toContain(`--server ${fleet.url}`);
    await fleet.join('joined-1', {}, ['app']);
    await page.getByText('joined-1 has joined').waitFor();
  });
});

describe('stream form', () => {
  it('shows the error of a pattern in place, keeps everything over a reload, and starts', async () => {
    await page.goto(`${fleet.url}/#/stream?agent=web-1`);
    await page.getByRole('button', { name: 'error', exact: true }).click();
    await page.getByRole('button', { name: 'shop', exact: true }).click();
    await page.getByLabel('Pattern').fill('refused(');
    await page.getByRole('button', { name: '15 min' }).click();
    await page.getByRole('button', { name: 'Start streaming' }).click();
    await page.locator('#pattern-problem').getByText('missing closing )').waitFor();
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('pattern');
    await page.reload();
    expect(await page.getByLabel('Pattern').inputValue()).toBe('refused(');
    expect(await page.getByRole('button', { name: 'error', exact: true }).getAttribute('aria-pressed')).toBe('true');
    await page.getByLabel('Pattern').fill('refused');
    await page.keyboard.press('Control+Enter');
    await page.getByText('streaming 1/1').waitFor();
    await writeAndSee('web-1', [shopLine(25), shopLine(50)]);
    fleet.write('web-1', 'shop', [shopLine(1)]);
    expect(await messages()).toEqual(['payment was refused by the bank', 'payment was refused by the bank']);
    expect((await fleet.sessions())[0]?.filters).toMatchObject({
      level: ['ERROR'],
      source: ['shop'],
      pattern: 'refused',
    });
  });

  it('asks for history', async () => {
    fleet.write(
      'web-2',
      'shop',
      Array.from({ length: 30 }, (_, i) => shopLine(i + 1, { msg: `old ${i + 1}` })),
    );
    await stream('agent=web-2&tail=5');
    await until('five old lines are there', async () => (await received()) === 5);
    expect(await messages()).toEqual([26, 27, 28, 29, 30].map((n) => `old ${n}`));
  });
});

describe('sessions', () => {
  it('lists, extends, joins and stops', async () => {
    await fleet.call('/stream/start', {
      method: 'POST',
      body: JSON.stringify({ agent_id: 'web-1', filters: { min_level: 'WARN' }, timeout_seconds: 60, reason: 'INC-1' }),
    });
    await page.goto(`${fleet.url}/#/sessions`);
    const row = page.locator('[data-session]');
    await row.getByText('level ≥ WARN').waitFor();
    await row.getByText('INC-1').waitFor();
    await row.getByRole('button', { name: '+5 min' }).click();
    await row.getByText(/^[56]:\d\d$/).waitFor();
    await row.getByRole('link', { name: 'Join' }).click();
    await page.getByText('streaming 1/1').waitFor();
    await page.goBack();
    await row.getByRole('button', { name: 'Stop' }).click();
    await page.getByText('No session is open').waitFor();
    await page.keyboard.press('x');
    await row
      .first()
      .getByText(/stopped/)
      .waitFor();
  });
});

describe('keyboard', () => {
  it('goes everywhere, has a help sheet, and can be turned off', async () => {
    await page.goto(fleet.url);
    await page.locator('[data-agent=web-1]').waitFor();
    for (const [keys, heading] of [
      ['gs', 'New stream'],
      ['go', 'Sessions'],
      ['gj', 'Join a machine'],
      ['gf', 'Fleet'],
    ] as const) {
      for (const key of keys) await page.keyboard.press(key);
      await page.getByRole('heading', { name: heading, level: 1 }).waitFor();
    }
    await page.keyboard.press('?');
    await page.getByRole('heading', { name: 'Keys' }).waitFor();
    await page.getByText('new stream', { exact: true }).waitFor();
    await page.getByRole('checkbox').uncheck();
    await page.keyboard.press('Escape');
    await page.keyboard.press('g');
    await page.keyboard.press('o');
    expect(await page.evaluate(() => location.hash)).toBe('#/fleet');
    await page.reload();
    await page.getByRole('button', { name: 'Keyboard help' }).click();
    expect(await page.getByRole('checkbox').isChecked()).toBe(false);
  });
});
