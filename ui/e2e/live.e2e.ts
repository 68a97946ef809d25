import { describe, expect, it } from 'vitest';
import { open } from './browser';
import { shopLine, until } from './fleet';
import { file, fleet, messages, number, page, received, scene, stream, writeAndSee } from './steps';

scene();

const lineOf = (text: string | undefined | null) => Number(/\d+$/.exec(text ?? '')?.[0] ?? -100);

describe('live view', () => {
  it('pauses with a count and resumes with exactly what was missed', async () => {
    await stream();
    await writeAndSee('web-1', [shopLine(1, { msg: 'before' })]);
    await page.keyboard.press('p');
    fleet.write(
      'web-1',
      'shop',
      Array.from({ length: 40 }, (_, i) => shopLine(i, { msg: `missed ${i}` })),
    );
    await until('40 are unseen', async () => (await number('[data-unseen]', 'data-unseen')()) === 40);
    expect(await messages()).toEqual(['before']);
    await page.keyboard.press('p');
    await until('all are received', async () => (await received()) === 41);
    const all = (await file('NDJSON'))
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { message: string }).message);
    expect(all).toEqual(['before', ...Array.from({ length: 40 }, (_, i) => `missed ${i}`)]);
    await page.keyboard.press('Home');
    await page.getByText('From here on: 40 events that came while paused').waitFor();
  });

  it('is still paused after a reload, at the same place and with the same count', async () => {
    await stream('agent=web-1&agent=web-2&agent=db-1');
    await writeAndSee(
      'web-1',
      Array.from({ length: 200 }, (_, i) => shopLine(i, { msg: `shown ${i}` })),
    );
    await page.keyboard.press('p');
    await page.locator('.list').evaluate((list) => {
      list.scrollTop = 1200;
    });
    const first = () =>
      page.locator('.list').evaluate((list) => {
        const edge = list.getBoundingClientRect().top;
        const rows = [...list.querySelectorAll('.row')].map((row) => ({
          top: row.getBoundingClientRect().top,
          text: row.querySelector('.message')?.textContent,
        }));
        return rows.filter((row) => row.top >= edge - 1).sort((a, b) => a.top - b.top)[0]?.text;
      });
    await until('the list has moved', async () => !(await messages()).includes('shown 199'));
    const stood = await first();
    // One has spoken before, the other has not.
    fleet.write(
      'web-1',
      'shop',
      Array.from({ length: 30 }, (_, i) => shopLine(i, { msg: `missed ${i}` })),
    );
    fleet.write(
      'web-2',
      'shop',
      Array.from({ length: 10 }, (_, i) => shopLine(i, { msg: `missed too ${i}` })),
    );
    const unseen = number('[data-unseen]', 'data-unseen');
    await until('40 are unseen', async () => (await unseen()) === 40);
    for (let again = 0; again < 2; again++) {
      await page.reload();
      await until('40 are unseen again', async () => (await unseen()) === 40);
      await until('the list stands where it stood', async () => Math.abs(lineOf(await first()) - lineOf(stood)) <= 1);
      expect((await messages()).some((m) => m.startsWith('missed'))).toBe(false);
    }
    await page.keyboard.press('p');
    await until('all are received', async () => (await received()) === 240);
    const all = (await file('NDJSON'))
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { message: string }).message);
    expect(all.slice(0, 200)).toEqual(Array.from({ length: 200 }, (_, i) => `shown ${i}`));
    expect(all.filter((m) => m.startsWith('missed '))).toHaveLength(40);
    await page.reload();
    await until('it follows again', async () => (await messages()).some((m) => m.startsWith('missed')));
    expect(await page.getByRole('button', { name: 'Pause', exact: true }).count()).toBe(1);
  });

  it('holds what came while paused over a reload when nothing was shown yet', async () => {
    await stream();
    await page.keyboard.press('p');
    fleet.write('web-1', 'shop', [shopLine(1), shopLine(2)]);
    const unseen = number('[data-unseen]', 'data-unseen');
    await until('both are unseen', async () => (await unseen()) === 2);
    await page.reload();
    await until('both are unseen again', async () => (await unseen()) === 2);
    expect(await messages()).toEqual([]);
  });

  it('leaves while it holds what it may, comes back to the same place, and keeps to its memory', async () => {
    const many = (from: number, count: number) =>
      Array.from({ length: count }, (_, i) => `{"level":"info","msg":"line ${from + i}"}`);
    await stream('agent=web-1&mode=complete');
    await writeAndSee('web-1', many(1, 1));
    await page.keyboard.press('p');
    fleet.write('web-1', 'shop', many(2, 12_000));
    await page.getByText('has left the session').waitFor();
    expect(await received()).toBeLessThan(12_000);
    await page.keyboard.press('p');
    await until('all are received', async () => (await received()) === 12_001);
    await page.keyboard.press('a');
    await page.getByText('12,001 received, 0 told as missing, 0 unaccounted for').waitFor();
    await writeAndSee('web-1', many(12_002, 9_000));
    await page.getByText(/older ones left this page’s memory/).waitFor();
    expect(await page.locator('.row').last().locator('.message').textContent()).toBe('line 21001');

    // Who reads the oldest line is not robbed of it.
    await page.getByRole('listbox').focus();
    await page.keyboard.press('Home');
    const oldest = await page.locator('.row.active .message').textContent();
    fleet.write('web-1', 'shop', many(21_002, 3_000));
    await page.getByText('Paused by itself').waitFor();
    expect(await page.locator('.row.active .message').textContent()).toBe(oldest);
    await page.keyboard.press('p');
    await until('the rest is received', async () => (await received()) === 24_001);
    await page.getByText('24,001 received, 0 told as missing, 0 unaccounted for').waitFor();
  });

  it('searches with n and N, marks, wraps, and chooses columns', async () => {
    await stream();
    await writeAndSee(
      'web-1',
      Array.from({ length: 50 }, (_, i) => shopLine(i + 1)),
    );
    await page.keyboard.press('Home');
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
    expect(await page.getByRole('searchbox').inputValue()).toBe('payment');
    await page.locator('.row .hit').first().waitFor();
  });

  it('opens an event, copies a field, and filters for and against', async () => {
    await stream('agent=web-1&agent=web-2');
    await writeAndSee(
      'web-1',
      Array.from({ length: 20 }, (_, i) => shopLine(i + 1)),
    );
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
    fleet.write(
      'web-1',
      'shop',
      Array.from({ length: 7 }, (_, i) => shopLine(i + 1)),
    );
    await page.getByText('read 7 lines, and the filter let none of them pass: pattern never-ever').waitFor();
  });

  it('draws gaps in place with their count and reason, and a link leads there', async () => {
    await fleet.join('slow-1', {}, ['shop'], ['--max-rate', '10']);
    await stream('agent=slow-1');
    fleet.write(
      'slow-1',
      'shop',
      Array.from({ length: 300 }, (_, i) => shopLine(i + 1)),
    );
    const gap = page.locator('.row.gap').first();
    await gap.waitFor();
    expect(await gap.textContent()).toMatch(/[\d,]+ events missing from slow-1: the agent’s limit of lines a second/);
    await page.getByText(/[1-9]\d* gaps?, [\d,]+ events/).waitFor();
    await gap.click();
    const numbers = (await page.getByText(/^Numbers \d+ to \d+ of epoch \d+$/).textContent())!.match(/\d+/g)!;
    const [agent] = (await fleet.agents()).filter((a) => a.name === 'slow-1');
    const session = (await fleet.sessions())[0]!;
    await page.goto('about:blank');
    await page.goto(`${fleet.url}/#/session/${session.id}?at=${agent!.id}:${numbers[2]}:${numbers[1]}`);
    await page.locator('.row.gap.active').waitFor();
  });

  it('shows the lines around a match, apart and dimmer, and counts the matches alone', async () => {
    await page.goto(`${fleet.url}/#/stream?agent=web-1&pattern=refused&before=101&after=2`);
    await page.getByRole('button', { name: 'Start streaming' }).click();
    await page.locator('#context-problem').getByText('a whole number from 0 to 100').waitFor();
    await page.getByLabel('How many lines before each match').fill('1');
    await page.waitForURL(/before=1&after=2/);
    await page.reload();
    expect(await page.getByLabel('How many lines before each match').inputValue()).toBe('1');
    await page.getByRole('button', { name: 'Start streaming' }).click();
    await page.getByText('streaming 1/1').waitFor();
    await page.getByText('pattern refused · with 1 line before and 2 after').waitFor();
    fleet.write(
      'web-1',
      'shop',
      Array.from({ length: 60 }, (_, i) => shopLine(i + 1)),
    );
    // 25 and 50 match; 24, 26, 27 and 49, 51, 52 stand around them.
    await until('all are received', async () => (await received()) === 8);
    const rows = await page
      .locator('.row')
      .evaluateAll((all) =>
        all.map((row) => [
          row.querySelector('.message')!.textContent,
          row.classList.contains('context'),
          row.classList.contains('apart'),
          getComputedStyle(row.querySelector('.message')!).color,
        ]),
      );
    const refused = 'payment was refused by the bank';
    expect(rows.map((row) => row.slice(0, 3))).toEqual([
      ['order 4024 was placed', true, false],
      [refused, false, false],
      ['order 4026 was placed', true, false],
      ['order 4027 was placed', true, false],
      ['cache miss for the price list', true, true],
      [refused, false, false],
      ['order 4051 was placed', true, false],
      ['order 4052 was placed', true, false],
    ]);
    expect(rows[0]![3]).not.toBe(rows[1]![3]);
    expect(await number('[data-matched]', 'data-matched')()).toBe(2);
    await page.getByText('8 received, 2 of them matches').waitFor();
    await page.getByRole('group', { name: 'Levels shown' }).getByRole('button', { name: 'error 2' }).waitFor();
    await page.getByRole('img', { name: /^matches by level .*: error 2$/ }).waitFor();

    const frames = (await file('NDJSON')).trimEnd().split('\n');
    const around = frames.map((line) => (JSON.parse(line) as { context?: boolean }).context === true);
    expect(around).toEqual([true, false, true, true, true, false, true, true]);
    expect((await file('Text')).trimEnd().split('\n').indexOf('--')).toBe(4);

    // What a link or a reload brings is drawn the same, and the session can be started again as it was.
    await page.reload();
    await until('all are there again', async () => (await page.locator('.row.context').count()) === 6);
    await page.locator('.row.context').first().click();
    const event = page.getByRole('complementary', { name: 'The whole event' });
    await event.getByText('stands around a match').waitFor();
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await page.getByRole('link', { name: 'Again' }).click();
    await page.getByRole('heading', { name: 'New stream' }).waitFor();
    await page.waitForURL(/before=1&after=2/);
  });

  it('leads to a line by its link, also after a reload, and shares the session', async () => {
    await stream();
    await writeAndSee(
      'web-1',
      Array.from({ length: 60 }, (_, i) => shopLine(i + 1, { msg: `line ${i + 1}` })),
    );
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
    const frames = (await file('NDJSON'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { message: string });
    expect(frames.map((f) => f.message)).toEqual(['=HYPERLINK("x")', 'a\u001b[2Jb']);
    expect(await file('Text')).toContain('a␛[2Jb');
    expect(await file('CSV')).toContain(`"'=HYPERLINK(""x"")"`);
  });

  it('counts down, extends, keeps accounts that add up, and ends', async () => {
    await stream('agent=web-1&length=1');
    await writeAndSee(
      'web-1',
      Array.from({ length: 9 }, (_, i) => shopLine(i + 1)),
    );
    await page
      .getByRole('timer')
      .filter({ hasText: /^0:\d\d$/ })
      .waitFor();
    await page.keyboard.press('e');
    await page
      .getByRole('timer')
      .filter({ hasText: /^[56]:\d\d$/ })
      .waitFor();
    await page.keyboard.press('a');
    await page.getByText('This page: 9 received, 0 told as missing, 0 unaccounted for').waitFor();
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await page.locator('[data-state=ended]').waitFor();
    await until('both equations add up', async () => (await page.getByText('✓ adds up').count()) === 2);
    await page.getByRole('link', { name: 'Again' }).click();
    await page.getByRole('heading', { name: 'New stream' }).waitFor();
  });

  it('tells of an agent that cannot be reached', async () => {
    await stream('agent=web-1&agent=web-2');
    await page.getByText('streaming 2/2').waitFor();
    await fleet.killAgent('web-2');
    await page.getByText('streaming 1/2 · web-2 unreachable').waitFor();
    await fleet.join('web-2', { env: 'prod', role: 'api' }, ['shop']);
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
