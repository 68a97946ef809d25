import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import type { Fleet } from './fleet';
import { PATIENCE_MS } from './fleet';

/** Where pictures go; git does not keep them. */
export const SHOTS = process.env['SPILE_PICTURES'] ?? join(import.meta.dirname, '..', 'shots');

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let browser: Promise<Browser> | undefined;

/** The one browser of the run. */
export function launch(): Promise<Browser> {
  browser ??= chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--disable-dev-shm-usage',
    ],
  });
  return browser;
}

export interface Look {
  scheme?: 'light' | 'dark';
  width?: number;
  height?: number;
}

/** A tab, and what the browser complained about in it. */
export interface Tab {
  page: Page;
  context: BrowserContext;
  complaints: string[];
}

/** Opens a tab that is logged in, if a fleet is given, without going anywhere. */
export async function open(fleet: Fleet | undefined, look: Look = {}): Promise<Tab> {
  const context = await (
    await launch()
  ).newContext({
    colorScheme: look.scheme ?? 'light',
    viewport: { width: look.width ?? 1280, height: look.height ?? 800 },
    permissions: ['clipboard-read', 'clipboard-write'],
    acceptDownloads: true,
    reducedMotion: 'reduce',
    hasTouch: (look.width ?? 1280) < 500,
  });
  context.setDefaultTimeout(PATIENCE_MS);
  if (fleet) {
    // Not by the form: that is a flow of its own.
    const answer = await context.request.post(`${fleet.url}/api/v1/login`, {
      data: { token: fleet.token },
      headers: { origin: fleet.url },
    });
    if (!answer.ok()) throw new Error(`login: ${answer.status()} ${await answer.text()}`);
  }
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (err) => complaints.push(`error: ${err.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  return { page, context, complaints };
}

/** A picture of what is to be seen. */
export async function shot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(SHOTS, `${name}.png`) });
}

interface Violation {
  id: string;
  help: string;
  nodes: { html: string; failureSummary?: string }[];
}

/** What axe finds against WCAG 2.2 AA and its own best practice, as text; empty when all is well. */
export async function axe(page: Page): Promise<string[]> {
  // By the debugger's way, which the page's policy does not stop.
  await page.evaluate(axeSource);
  const violations = await page.evaluate(async () => {
    const { axe: run } = window as unknown as { axe: { run(options: object): Promise<{ violations: Violation[] }> } };
    return (await run.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }))
      .violations;
  });
  return violations.map(
    (v) =>
      `${v.id}: ${v.help}: ${v.nodes
        .slice(0, 3)
        .map((n) => `${n.html} ${n.failureSummary ?? ''}`)
        .join(' | ')}`,
  );
}

/**
 * What in the list of lines has less contrast than WCAG AA asks for, as text; empty when all is well. axe leaves the
 * list out, since rows stand half behind its edge.
 */
export function faint(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const ENOUGH = 4.5;
    const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true })!;
    // Paints what lies behind first, and reads what is to be seen.
    const painted = (colors: string[]) => {
      context.clearRect(0, 0, 1, 1);
      for (const color of colors) {
        context.fillStyle = color;
        context.fillRect(0, 0, 1, 1);
      }
      return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const luminance = (color: number[]) => {
      const [r, g, b] = color.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
    };
    const out: string[] = [];
    for (const element of document.querySelectorAll<HTMLElement>('.list .row, .list .row *')) {
      if (![...element.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.textContent!.trim())) continue;
      const behind: string[] = [];
      for (let e: Element | null = element; e; e = e.parentElement) {
        behind.unshift(getComputedStyle(e).backgroundColor);
        if (getComputedStyle(e).opacity !== '1') out.push(`opacity: ${e.outerHTML.slice(0, 200)}`);
      }
      const { color } = getComputedStyle(element);
      const [a, b] = [luminance(painted(behind)), luminance(painted([...behind, color]))];
      const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      if (contrast < ENOUGH) out.push(`${contrast.toFixed(2)}: ${element.outerHTML.slice(0, 200)}`);
    }
    return out;
  });
}
