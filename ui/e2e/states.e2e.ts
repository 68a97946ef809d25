import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { shopLine, until } from './fleet';
import { file, fleet, messages, page, scene, stream, tab, writeAndSee } from './steps';

scene();

const hint = () => page.locator('.hint');

describe('nothing comes: why', () => {
  it('what came is narrowed away on this page', async () => {
    await stream();
    await writeAndSee('web-1', [shopLine(1), shopLine(2)]);
    await page.getByRole('group', { name: 'Levels shown' }).getByRole('button', { name: 'info' }).click();
    await hint().getByText('2 events have come, and none passes what this page narrows by').waitFor();
    await hint().getByRole('button', { name: 'Show all that came' }).click();
    await until('both are shown', async () => (await messages()).length === 2);
    expect(await hint().count()).toBe(0);
  });

  it('a file cannot be read, until it can', async () => {
    const elsewhere = join(fleet.folder, 'elsewhere.log');
    mkdirSync(join(fleet.folder, 'barred-1'));
    symlinkSync(elsewhere, fleet.file('barred-1', 'app'));
    await fleet.join('barred-1', {}, ['app', 'shop']);

    await page.goto(`${fleet.url}/#/fleet`);
    await page.locator('[data-agent=barred-1]').getByText('out of its folder').waitFor();
    await stream('agent=barred-1');
    await hint().getByText('Nothing was written since the session began. Problems: barred-1 app: refuse').waitFor();
    rmSync(fleet.file('barred-1', 'app'));
    writeFileSync(fleet.file('barred-1', 'app'), '');
    await hint().getByText('Nothing was written since the session began.', { exact: true }).waitFor();
    fleet.write('barred-1', 'app', [shopLine(1, { msg: 'it can be read' })]);
    await page.locator('.row', { hasText: 'it can be read' }).waitFor();
  });

  it('the only agent is gone, and goes on where it was when it is back', async () => {
    await fleet.join('leaver-1', {}, ['shop']);
    await stream('agent=leaver-1&mode=complete');
    await page.getByText('streaming 1/1').waitFor();
    await fleet.killAgent('leaver-1');
    await page.getByText('streaming 0/1 · leaver-1 unreachable').waitFor();
    await hint().getByText('The agent cannot be reached.').waitFor();
    await hint().getByText('They go on where they were when they are back.').waitFor();
    fleet.write('leaver-1', 'shop', [shopLine(1, { msg: 'written while it was gone' })]);
    await fleet.join('leaver-1', {}, ['shop']);
    await page.getByText('streaming 1/1').waitFor();
    await page.locator('.row', { hasText: 'written while it was gone' }).waitFor();
    await writeAndSee('leaver-1', [shopLine(2, { msg: 'written afterwards' })]);
    expect(await messages()).toEqual(['written while it was gone', 'written afterwards']);
    expect(await hint().count()).toBe(0);
  });

  it('one of two agents is gone, and the other has nothing to say', async () => {
    await fleet.join('leaver-2', {}, ['shop']);
    await stream('agent=db-1&agent=leaver-2');
    await page.getByText('streaming 2/2').waitFor();
    await fleet.killAgent('leaver-2');
    await hint()
      .getByText('Nothing was written since the session began. Problems: leaver-2 cannot be reached')
      .waitFor();

    await page.goto(`${fleet.url}/#/fleet`);
    const row = page.locator('[data-agent=leaver-2]');
    await row.getByText('offline').waitFor();
    page.removeAllListeners('dialog');
    page.once('dialog', (dialog) => void dialog.accept());
    await row.getByRole('button', { name: 'Forget leaver-2' }).click();
    await until('it is not listed', async () => (await row.count()) === 0);
  });

  it('the server is gone, and then the session is over', async () => {
    await stream();
    await fleet.killServer();
    await hint().getByText('The server cannot be reached now.').waitFor();
    await fleet.serve();
    await until('all agents are back', async () => (await fleet.agents()).every((a) => a.status === 'online'));
    await page.getByText('streaming 1/1').waitFor();
    await fleet.stopSessions();
    await hint().getByText('The session has ended.').waitFor();
    await page.getByRole('link', { name: 'Again' }).waitFor();
  });

  it('the session is over and the page is loaded again, with what the server still has of it', async () => {
    await stream();
    await writeAndSee('web-1', [shopLine(1, { msg: 'shown before' })]);
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await page.locator('[data-state=ended]').waitFor();
    await page.reload();
    await page.locator('.row', { hasText: 'shown before' }).waitFor();
    await page.locator('[data-state=ended]').waitFor();

    // A server that was started anew holds nothing any more.
    await fleet.killServer();
    await fleet.serve();
    await page.reload();
    await hint().getByText('the lines that were shown before the reload are gone with it').waitFor();
    await page.locator('[data-state=ended]').waitFor();
    await page.getByRole('link', { name: 'Again' }).waitFor();
    await until('all agents are back', async () => (await fleet.agents()).every((a) => a.status === 'online'));
  });

  it('the line of a link does not exist, and what is held is shown', async () => {
    await stream();
    await writeAndSee('web-1', [shopLine(1, { msg: 'one' }), shopLine(2, { msg: 'two' })]);
    const frames = (await file('NDJSON')).trimEnd().split('\n');
    const last = JSON.parse(frames.at(-1)!) as { agent: string; epoch: number; seq: number };
    const session = (await fleet.sessions())[0]!;
    const note = page.getByText('The line that this link leads to is not here');
    const follow = async (at: string) => {
      await page.goto('about:blank');
      await page.goto(`${fleet.url}/#/session/${session.id}?at=${at}`);
      await note.waitFor();
      await page.locator('.row', { hasText: 'two' }).waitFor();
    };
    for (const at of [
      `${last.agent}:${last.epoch}:99999999`,
      `${last.agent}:${last.epoch + 7}:1`,
      `11111111-2222-4333-8444-555555555555:1:1`,
    ]) {
      await follow(at);
      expect((await messages()).slice(0, 2)).toEqual(['one', 'two']);
    }
    await writeAndSee('web-1', [shopLine(3, { msg: 'three' })]);

    // It is gone to when it comes after all.
    await follow(`${last.agent}:${last.epoch}:${last.seq + 2}`);
    fleet.write('web-1', 'shop', [shopLine(4, { msg: 'four' })]);
    await page.locator('.row.active', { hasText: 'four' }).waitFor();
    await note.waitFor({ state: 'detached' });
  });

  it('the server is gone while a view opens, which fills itself when it is back', async () => {
    await stream();
    await writeAndSee('web-1', [shopLine(1, { msg: 'written before' })]);
    await page.goto(`${fleet.url}/#/sessions`);
    await page.locator('[data-session]').waitFor();
    await fleet.killServer();
    await page.goBack();
    await page.getByRole('alert').getByText('The server cannot be reached').waitFor();
    await fleet.serve();
    await page.getByText('streaming 1/1').waitFor();
    await page.locator('.row', { hasText: 'written before' }).waitFor();

    await fleet.killServer();
    await page.goto(`${fleet.url}/#/join`);
    await page.getByRole('alert').getByText('The server cannot be reached').waitFor();
    await fleet.serve();
    await page.getByText('spile agent --server').waitFor();
    await until('all agents are back', async () => (await fleet.agents()).every((a) => a.status === 'online'));
  });

  it('the server is gone while the fleet opens, and nothing is offered that is not there', async () => {
    await page.goto(`${fleet.url}/#/join`);
    await page.getByText('spile agent --server').waitFor();
    await fleet.killServer();
    const away = page.getByRole('status').getByText('The server cannot be reached');
    for (const view of ['fleet', 'sessions']) {
      await page.goto(`${fleet.url}/#/${view}`);
      await away.waitFor();
      expect(await page.getByText('What is shown may be old').count()).toBe(0);
      expect(await page.getByRole('button', { name: /^Stream / }).count()).toBe(0);
    }
    await page.goto(`${fleet.url}/#/fleet`);
    await away.waitFor();
    await fleet.serve();
    await until('all agents are back', async () => (await fleet.agents()).every((a) => a.status === 'online'));
    await page.getByRole('button', { name: /^Stream these \d+$/ }).waitFor();
    await fleet.killServer();
    await page.getByText('What is shown may be old').waitFor();
    await fleet.serve();
    await until('all agents are back', async () => (await fleet.agents()).every((a) => a.status === 'online'));
  });

  it('the agent lags behind a file that grows faster than it can be searched', async () => {
    // Nothing shortens the search for this pattern in such lines, which come all at once.
    await stream(`agent=web-1&pattern=${encodeURIComponent('([cd]+[cd]*)*[cd]{9}$')}`);
    await page.getByText('streaming 1/1').waitFor();
    // It lags for a moment only: whoever looks must look already.
    const seen = [
      page.locator('.row.gap', { hasText: /[\d.]+ MB missing from web-1 .*matching fell behind the file/ }).waitFor(),
      page.getByText('streaming 1/1 · web-1 lagging').waitFor(),
    ];
    const line = `${'cd'.repeat(8192)}a`;
    fleet.write(
      'web-1',
      'shop',
      Array.from({ length: 2048 }, () => line),
    );
    await Promise.all(seen);
    await hint()
      .getByText(/let none of them pass: .* Problems: [\d.]+ MB were not read: matching fell behind/)
      .waitFor();
    await page.keyboard.press('a');
    await page.getByText(/Bytes nobody could read: [\d.]+ MB \(matching fell behind the file\)/).waitFor();
    await page.locator('.row.gap').first().click();
    await page.getByRole('complementary', { name: 'The whole event' }).getByText('MB missing from web-1').waitFor();
    // It says so while it is so.
    await page.getByText(/streaming 1\/1$/).waitFor();
  });
});

describe('troubles that cost nothing yet', () => {
  it('an agent that cannot write its own state says so, in the fleet and in the stream', async () => {
    const inTheWay = join(fleet.folder, 'full-1', 'data', 'counter.checkpoint');
    mkdirSync(join(inTheWay, 'in-the-way'), { recursive: true });
    await fleet.join('full-1', {}, ['shop']);
    await stream('agent=full-1');
    await writeAndSee('full-1', [shopLine(1)]);
    await page.getByText(/full-1: checkpoint cannot be written: .* Lines come all the same/).waitFor();
    await page.goto(`${fleet.url}/#/fleet`);
    await page.locator('[data-agent=full-1]').getByText('checkpoint cannot be written').waitFor();
    await page.goBack();
    await page.getByText('full-1: checkpoint cannot be written').waitFor();
    rmSync(inTheWay, { recursive: true });
    await writeAndSee('full-1', [shopLine(2)]);
    await page.getByText('full-1: checkpoint cannot be written').waitFor({ state: 'detached' });
  });

  it('a server without room refuses a start, and what was typed stays', async () => {
    const refusal = { error: 'storage_failed', message: 'there is no room to store this; nothing was changed' };
    const full = { status: 507, contentType: 'application/json', body: JSON.stringify(refusal) };
    await page.route('**/api/v1/stream/start', (route) => route.fulfill(full));
    await page.goto(`${fleet.url}/#/stream?agent=web-1&pattern=order`);
    await page.getByRole('button', { name: 'Start streaming' }).click();
    await page.getByRole('alert').getByText(refusal.message).waitFor();
    expect(await page.getByLabel('Pattern').inputValue()).toBe('order');
    await page.unroute('**/api/v1/stream/start');
    await page.getByRole('button', { name: 'Start streaming' }).click();
    await page.getByText('streaming 1/1').waitFor();

    await page.route('**/api/v1/sessions/*', (route) =>
      route.request().method() === 'PATCH' ? route.fulfill(full) : route.continue(),
    );
    const told = page.getByText(refusal.message).waitFor();
    await page.getByRole('button', { name: '+5 min' }).click();
    await told;
    await page.locator('[data-state=live]').waitFor();
    expect(tab.complaints.filter((c) => !c.includes('507'))).toEqual([]);
  });
});
