import { mkdirSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { open } from './browser';
import { Fleet, PATIENCE_MS, shopLine, until } from './fleet';

// The short form holds that nothing is missing; how fast and how small the page is, the long one measures, alone on its
// machine: SPILE_PAGE_SOAK=600.
const LONG_S = Number(process.env['SPILE_PAGE_SOAK'] ?? '0');
const SECONDS = LONG_S || 20;
const RATE = LONG_S ? 2000 : 500;
const PAUSE_S = LONG_S ? 60 : 4;
const TICK_MS = 50;

const MAX_HEAP = 150 * 1024 * 1024;
const MAX_LONG_TASK_MS = 100;

const fleet = new Fleet();
beforeAll(async () => {
  mkdirSync(fleet.folder, { recursive: true });
  await fleet.serve();
  await fleet.join('web-1', {}, ['shop']);
});
afterAll(() => fleet.close());

/** Writes lines at a rate for a while, whatever the clock of this process does. */
async function write(seconds: number, from: number): Promise<number> {
  const begun = Date.now();
  let n = from;
  for (;;) {
    const due = from + Math.min(seconds * RATE, Math.floor(((Date.now() - begun) / 1000) * RATE));
    const lines: string[] = [];
    for (; n < due; n++) lines.push(shopLine(n));
    if (lines.length > 0) fleet.write('web-1', 'shop', lines);
    if (n >= from + seconds * RATE) return n;
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
}

it(
  `keeps up with ${RATE} lines a second for ${SECONDS} s, and misses nothing of ${PAUSE_S} s of pause`,
  { timeout: SECONDS * 1000 + 4 * PATIENCE_MS },
  async () => {
    const { page, complaints } = await open(fleet);
    // Complete: what the page does not take waits at the agent, so that what is missing is the page's own fault.
    await page.goto(`${fleet.url}/#/stream?agent=web-1&mode=complete&length=60`);
    await page.getByRole('button', { name: 'Start streaming' }).click();
    await page.getByText('streaming 1/1').waitFor();
    await page.evaluate(() => {
      const tasks: number[] = [];
      (window as unknown as { tasks: number[] }).tasks = tasks;
      new PerformanceObserver((list) => tasks.push(...list.getEntries().map((e) => e.duration))).observe({
        entryTypes: ['longtask'],
      });
    });
    const read = async (selector: string, name: string) =>
      Number(
        await page
          .locator(selector)
          .getAttribute(name)
          .catch(() => '0'),
      );
    const text = (): Promise<string> => page.locator('[data-ledger]').innerText();
    await page.keyboard.press('a');
    await page.getByRole('listbox').focus();

    // What the page's thread computes, which does not depend on what else this machine does.
    const session = await page.context().newCDPSession(page);
    await session.send('Performance.enable', { timeDomain: 'threadTicks' });
    const busy = async () =>
      (await session.send('Performance.getMetrics')).metrics.find((m) => m.name === 'TaskDuration')?.value ?? 0;
    const before = await busy();

    let n = await write((SECONDS - PAUSE_S) / 2, 1);
    await until(
      'all of the first half is received',
      async () => (await read('[data-received]', 'data-received')) === n - 1,
    );
    await page.keyboard.press('p');
    const frozen = await page.locator('.row').last().innerText();
    n = await write(PAUSE_S, n);
    await until('the page holds some', async () => (await read('[data-unseen]', 'data-unseen')) > 0);
    expect(await page.locator('.row').last().innerText(), 'nothing moves while paused').toBe(frozen);
    await page.keyboard.press('p');
    n = await write((SECONDS - PAUSE_S) / 2, n);
    await until('all is received', async () => (await read('[data-received]', 'data-received')) >= n - 1);
    const total = (n - 1).toLocaleString('en');
    await until('the ledger is whole', async () =>
      (await text()).includes(`${total} received, 0 told as missing, 0 unaccounted for`),
    );

    const spent = (await busy()) - before;
    await session.send('HeapProfiler.collectGarbage');
    const { usedSize } = await session.send('Runtime.getHeapUsage');
    const tasks = (await page.evaluate(() => (window as unknown as { tasks: number[] }).tasks)).sort((a, b) => a - b);
    const p95 = tasks[Math.floor(tasks.length * 0.95)] ?? 0;
    const heap = `JS heap ${(usedSize / 2 ** 20).toFixed(1)} MiB; ${((spent / n) * 1e6).toFixed(0)} µs of the page a line`;
    const longest = (tasks.at(-1) ?? 0).toFixed(0);
    console.log(`${total} lines; ${heap}; ${tasks.length} long tasks, p95 ${p95.toFixed(0)} ms, longest ${longest} ms`);
    expect(usedSize).toBeLessThan(MAX_HEAP);
    if (LONG_S) expect(p95).toBeLessThan(MAX_LONG_TASK_MS);
    expect(complaints).toEqual([]);
  },
);
