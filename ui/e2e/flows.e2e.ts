import { readFileSync } from 'node:fs';
import type { Download, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { open, type Tab } from './browser';
import { Fleet, shopLine, until } from './fleet';

const fleet = new Fleet();
let tab: Tab;
let page: Page;

beforeAll(async () => {
  await fleet.serve();
  await fleet.join('web-1', { env: 'prod', role: 'web' }, ['nginx', 'shop']);
  await fleet.join('web-2', { env: 'prod', role: 'api' }, ['shop']);
  await fleet.join('db-1', { env: 'test', role: 'db' }, ['postgres']);
});
afterAll(() => fleet.close());
beforeEach(async () => {
  tab = await open(fleet);
  page = tab.page;
});
afterEach(async () => {
  await tab.context.close();
  await fleet.stopSessions();
});

/** Starts a session by the form and waits until lines would come. */
async function stream(query = 'agent=web-1'): Promise<void> {
  await page.goto(`${fleet.url}/#/stream?${query}`);
  await page.getByRole('button', { name: 'Start streaming' }).click();
  await page.getByText(/streaming \d+\/\d+/).waitFor();
}

const number = (selector: string, name: string) => async () => Number(await page.locator(selector).getAttribute(name, { timeout: 5000 }).catch(() => '-1'));
const received = number('[data-received]', 'data-received');

async function writeAndSee(agent: string, lines: readonly string[], source = 'shop'): Promise<void> {
  const before = await received();
  fleet.write(agent, source, lines);
  await until(`${lines.length} more events are received`, async () => (await received()) >= before + lines.length);
}

const messages = () => page.locator('.row .message').allTextContents();

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
    expect((await fleet.sessions())[0]?.filters).toMatchObject({ level: ['ERROR'], source: ['shop'], pattern: 'refused' });
  });

  it('asks for history', async () => {
    fleet.write('web-2', 'shop', Array.from({ length: 30 }, (_, i) => shopLine(i + 1, { msg: `old ${i + 1}` })));
    await stream('agent=web-2&tail=5');
    await until('five old lines are there', async () => (await received()) === 5);
    expect(await messages()).toEqual([26, 27, 28, 29, 30].map((n) => `old ${n}`));
  });
});

describe('live view', () => {
  it('pauses with a count and resumes with exactly what was missed', async () => {
    await stream();
    await writeAndSee('web-1', [shopLine(1, { msg: 'before' })]);
    await page.keyboard.press('p');
    fleet.write('web-1', 'shop', Array.from({ length: 40 }, (_, i) => shopLine(i, { msg: `missed ${i}` })));
    await until('40 are unseen', async () => (await number('[data-unseen]', 'data-unseen')()) === 40);
    expect(await messages()).toEqual(['before']);
    await page.keyboard.press('p');
    await until('all are received', async () => (await received()) === 41);
    await page.keyboard.press('g');
    await page.keyboard.press('g');
    await until('the oldest is chosen', async () => (await page.locator('.row.active').count()) === 1);
    const shown = new Set<string>();
    for (let i = 0; i < 6; i++) {
      for (const one of await messages()) shown.add(one);
      await page.keyboard.press('PageDown');
      await page.waitForTimeout(150);
    }
    expect([...shown].filter((m) => m.startsWith('missed'))).toEqual(Array.from({ length: 40 }, (_, i) => `missed ${i}`));
  });

  it('searches with n and N, marks, wraps, and chooses columns', async () => {
    await stream();
    await writeAndSee('web-1', Array.from({ length: 50 }, (_, i) => shopLine(i + 1)));
    await page.keyboard.press('/');
    await page.keyboard.type('payment');
    await page.keyboard.press('Enter');
    await page.getByText('1 of 2').waitFor();
    expect(await page.locator('.row.active .hit').textContent()).toBe('payment');
    await page.getByRole('listbox').focus();
    await page.keyboard.press('n');
    await page.getByText('2 of 2').waitFor();
    await page.keyboard.press('N');
    await page.getByText('1 of 2').waitFor();
    await page.keyboard.press('m');
    await page.getByLabel('What to mark').fill('order');
    await page.keyboard.press('Enter');
    await page.locator('.row .m1').first().waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('c');
    await page.getByRole('checkbox', { name: 'user.id' }).check();
    await page.keyboard.press('Escape');
    await page.locator('.row .column').first().waitFor();
    await page.getByRole('listbox').focus();
    await page.keyboard.press('w');
    await page.locator('.list.wrap').waitFor();
    await page.reload();
    await page.locator('.list.wrap .row .column').first().waitFor();
    await until('the lines are there again', async () => (await received()) === 50);
  });

  it('opens an event, copies a field, and filters for and against', async () => {
    await stream('agent=web-1&agent=web-2');
    await writeAndSee('web-1', Array.from({ length: 20 }, (_, i) => shopLine(i + 1)));
    await writeAndSee('web-2', [shopLine(25)]);
    await page.keyboard.press('End');
    await page.keyboard.press('k');
    await page.keyboard.press('Enter');
    const event = page.getByRole('complementary', { name: 'The whole event' });
    await event.getByText('payment was refused by the bank').waitFor();
    await event.getByRole('button', { name: 'copy user.id' }).click();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe('107');
    await event.getByRole('button', { name: '≠ no lines with this level' }).click();
    await page.getByRole('button', { name: 'level ≠ ERROR' }).waitFor();
    expect((await messages()).some((m) => m.includes('refused'))).toBe(false);
    await page.getByRole('button', { name: 'Clear', exact: true }).click();
    await page.locator('.row', { hasText: 'refused' }).click();
    await event.getByRole('button', { name: '= only lines with this agent' }).click();
    await until('one line is shown', async () => (await messages()).length === 1);
    await page.getByRole('button', { name: 'Start a session with this filter' }).click();
    await page.getByRole('heading', { name: 'New stream' }).waitFor();
    expect(page.url()).toContain('agent=web-2');
    expect(page.url()).not.toContain('agent=web-1');
  });

  it('says why nothing comes', async () => {
    await stream('agent=web-1&pattern=never-ever');
    fleet.write('web-1', 'shop', Array.from({ length: 7 }, (_, i) => shopLine(i + 1)));
    await page.getByText('read 7 lines, and the filter let none of them pass: pattern never-ever').waitFor();
  });

  it('draws gaps in place with their count and reason', async () => {
    await stream('agent=web-1');
    await writeAndSee('web-1', [shopLine(1)]);
    // A gap is rare; the server makes one for a viewer whose place it never had.
    const session = (await fleet.sessions())[0]!;
    const [agent] = await fleet.agents().then((all) => all.filter((a) => a.name === 'web-1'));
    await writeAndSee('web-1', Array.from({ length: 400 }, (_, i) => shopLine(i, { pad: 'x'.repeat(60_000) })));
    await page.goto('about:blank');
    await page.goto(`${fleet.url}/#/session/${session.id}?at=${agent!.id}:${await epochOf()}:2`);
    const gap = page.locator('.row.gap').first();
    await gap.waitFor();
    expect(await gap.textContent()).toMatch(/[\d,]+ events missing from web-1: the server no longer holds this place/);
  });

  it('leads to a line by its link, also after a reload, and shares the session', async () => {
    await stream();
    await writeAndSee('web-1', Array.from({ length: 60 }, (_, i) => shopLine(i + 1, { msg: `line ${i + 1}` })));
    await page.keyboard.press('g');
    await page.keyboard.press('g');
    await page.locator('.row', { hasText: /line 12$/ }).click();
    await page.getByRole('button', { name: 'Link', exact: true }).click();
    const link = await page.evaluate(() => navigator.clipboard.readText());
    expect(link).toMatch(/#\/session\/sess_[a-z2-7]{26}\?at=/);
    const other = await open(fleet);
    for (const again of [false, true]) {
      await (again ? other.page.reload() : other.page.goto(link));
      await other.page.locator('.row.active', { hasText: 'line 12' }).waitFor();
    }
    await page.getByRole('button', { name: 'Share' }).click();
    await other.page.goto(await page.evaluate(() => navigator.clipboard.readText()));
    await other.page.getByText('streaming 1/1').waitFor();
    await writeAndSee('web-1', [shopLine(1, { msg: 'both see this' })]);
    await other.page.locator('.row', { hasText: 'both see this' }).waitFor();
    await other.context.close();
  });

  it('downloads what is shown, safe for a spreadsheet', async () => {
    await stream();
    await writeAndSee('web-1', [shopLine(1, { msg: '=HYPERLINK("x")' }), shopLine(2, { msg: 'a\u001b[2Jb' })]);
    const file = async (name: string): Promise<string> => {
      await page.keyboard.press('d');
      const waiting: Promise<Download> = page.waitForEvent('download');
      await page.getByRole('button', { name: new RegExp(`^${name}`) }).click();
      const text = readFileSync(await (await waiting).path(), 'utf8');
      await page.keyboard.press('Escape');
      return text;
    };
    const frames = (await file('NDJSON')).trimEnd().split('\n').map((line) => JSON.parse(line) as { message: string });
    expect(frames.map((f) => f.message)).toEqual(['=HYPERLINK("x")', 'a\u001b[2Jb']);
    expect(await file('Text')).toContain('a␛[2Jb');
    expect(await file('CSV')).toContain(`"'=HYPERLINK(""x"")"`);
  });

  it('counts down, extends, keeps accounts that add up, and ends', async () => {
    await stream('agent=web-1&length=1');
    await writeAndSee('web-1', Array.from({ length: 9 }, (_, i) => shopLine(i + 1)));
    await page.getByRole('timer').filter({ hasText: /^0:\d\d$/ }).waitFor();
    await page.keyboard.press('e');
    await page.getByRole('timer').filter({ hasText: /^[56]:\d\d$/ }).waitFor();
    await page.keyboard.press('a');
    await page.getByText('This page: 9 received, 0 told as missing, 0 unaccounted for').waitFor();
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await page.locator('[data-state=ended]').waitFor();
    await until('both equations add up', async () => (await page.getByText('✓ adds up').count()) === 2);
    await page.getByRole('link', { name: 'Again' }).click();
    await page.getByRole('heading', { name: 'New stream' }).waitFor();
  });

  it('tells of an agent that lags or cannot be reached', async () => {
    await stream('agent=web-1&agent=web-2');
    await page.getByText('streaming 2/2').waitFor();
    fleet.signal('web-2', 'SIGSTOP');
    try {
      await page.getByText('streaming 1/2 · web-2').waitFor();
    } finally {
      fleet.signal('web-2', 'SIGCONT');
    }
    await page.getByText('streaming 2/2').waitFor();
  });

  it('comes back by itself when the server was gone, and says so', async () => {
    await stream('agent=web-1&mode=complete');
    await writeAndSee('web-1', [shopLine(1, { msg: 'before' })]);
    await fleet.killServer();
    await page.getByText('connection lost').waitFor();
    fleet.write('web-1', 'shop', [shopLine(2, { msg: 'meanwhile' })]);
    await fleet.serve();
    await page.locator('.row', { hasText: 'meanwhile' }).waitFor();
    await page.getByText('Connected again').waitFor();
    expect((await messages()).filter((m) => ['before', 'meanwhile'].includes(m))).toEqual(['before', 'meanwhile']);
  });
});

/** The epoch of what the page shows last, from the event's own place. */
async function epochOf(): Promise<string> {
  await page.keyboard.press('End');
  await page.keyboard.press('k');
  await page.keyboard.press('Enter');
  const place = await page.getByText(/^epoch \d+, number/).textContent();
  return /epoch (\d+)/.exec(place ?? '')![1]!;
}

describe('sessions', () => {
  it('lists, extends, joins and stops', async () => {
    await fleet.call('/stream/start', { method: 'POST', body: JSON.stringify({ agent_id: 'web-1', filters: { min_level: 'WARN' }, timeout_seconds: 60, reason: 'INC-1' }) });
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
    await row.first().getByText(/stopped/).waitFor();
  });
});

describe('keyboard', () => {
  it('goes everywhere, has a help sheet, and can be turned off', async () => {
    await page.goto(fleet.url);
    await page.locator('[data-agent=web-1]').waitFor();
    for (const [keys, heading] of [['gs', 'New stream'], ['go', 'Sessions'], ['gj', 'Join a machine'], ['gf', 'Fleet']] as const) {
      for (const key of keys) await page.keyboard.press(key);
      await page.getByRole('heading', { name: heading, level: 1 }).waitFor();
    }
    await page.keyboard.press('?');
    await page.getByRole('heading', { name: 'Keys' }).waitFor();
    await page.getByText('new stream').waitFor();
    await page.getByRole('checkbox').uncheck();
    await page.keyboard.press('Escape');
    await page.keyboard.press('g');
    await page.keyboard.press('o');
    await page.waitForTimeout(100);
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Fleet');
    await page.reload();
    await page.getByRole('button', { name: 'Keyboard help' }).click();
    expect(await page.getByRole('checkbox').isChecked()).toBe(false);
  });
});
