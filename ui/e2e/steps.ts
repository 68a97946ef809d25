import { readFileSync } from 'node:fs';
import type { Download, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { open, type Tab } from './browser';
import { Fleet, until } from './fleet';

// What the flows have in common: a fleet for a file of tests, a tab for each test. Each file has a module of its own.

export const fleet = new Fleet();
export let tab: Tab;
export let page: Page;

/** Starts and ends what the tests of a file need. */
export function scene(): void {
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
}

/** Starts a session by the form and waits until lines would come. */
export async function stream(query = 'agent=web-1'): Promise<void> {
  await page.goto(`${fleet.url}/#/stream?${query}`);
  await page.getByRole('button', { name: 'Start streaming' }).click();
  await page.getByText(/streaming \d+\/\d+/).waitFor();
}

export const number = (selector: string, name: string) => async () =>
  Number(
    await page
      .locator(selector)
      .getAttribute(name, { timeout: 5000 })
      .catch(() => '-1'),
  );
export const received = number('[data-received]', 'data-received');

export async function writeAndSee(agent: string, lines: readonly string[], source = 'shop'): Promise<void> {
  const before = await received();
  fleet.write(agent, source, lines);
  await until(`${lines.length} more events are received`, async () => (await received()) >= before + lines.length);
}

/** What a download holds. */
export async function file(name: string): Promise<string> {
  await page.keyboard.press('d');
  const waiting: Promise<Download> = page.waitForEvent('download');
  await page.getByRole('button', { name: new RegExp(`^${name}`) }).click();
  const text = readFileSync(await (await waiting).path(), 'utf8');
  await page.keyboard.press('Escape');
  return text;
}

export const messages = () => page.locator('.row .message').allTextContents();
