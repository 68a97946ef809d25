import { afterAll, beforeAll, expect, it } from 'vitest';
import { open } from './browser';
import { Fleet, until } from './fleet';

/** What a stranger might log, and what a reader must see of it. */
const HOSTILE: [name: string, text: string, seen: string][] = [
  ['script', '<script>window.ran=1</script>', '<script>window.ran=1</script>'],
  ['image', '<img src=x onerror="window.ran=1">', '<img src=x onerror="window.ran=1">'],
  ['frame', '<iframe src="javascript:parent.ran=1"></iframe>', '<iframe src="javascript:parent.ran=1"></iframe>'],
  ['template', '{@html "<b>x</b>"} {{x}} ${window.ran=1}', '{@html "<b>x</b>"} {{x}} ${window.ran=1}'],
  ['attribute', '" onmouseover="window.ran=1" x=\'', '" onmouseover="window.ran=1" x=\''],
  ['style', '</style><style>*{display:none}</style>', '</style><style>*{display:none}</style>'],
  ['ansi', '\u001b[31mred\u001b[2J', '␛[31mred␛[2J'],
  ['osc', '\u001b]0;title\u0007', '␛]0;title␇'],
  ['null', 'a\u0000b', 'a␀b'],
  ['c1', 'a\u009b2Jb', 'aU+009B2Jb'],
  ['line-feed', 'a\nb', 'a␊b'],
  ['bidi', 'a\u202egnp.exe\u202c', 'aU+202Egnp.exeU+202C'],
  ['isolate', 'a\u2066b\u2069', 'aU+2066bU+2069'],
  ['zero-width', 'pass\u200bword\ufeff', 'passU+200BwordU+FEFF'],
  ['line-separator', 'a\u2028b', 'aU+2028b'],
  ['zalgo', `z${'\u0300\u0301\u0302'.repeat(20)}`, `z${'\u0300\u0301\u0302'.repeat(20)}`],
];

const fleet = new Fleet();
beforeAll(async () => {
  await fleet.serve();
  await fleet.join('web-1', {}, ['app']);
});
afterAll(() => fleet.close());

it('shows hostile lines and does nothing else', async () => {
  const { page, complaints } = await open(fleet);
  const asked: string[] = [];
  page.on('request', (request) => asked.push(request.url()));
  await page.goto(`${fleet.url}/#/stream?agent=web-1`);
  await page.getByRole('button', { name: 'Start streaming' }).click();
  await page.getByText('streaming 1/1').waitFor();
  const elements = () =>
    page.evaluate(() => [...new Set([...document.querySelectorAll('.list *')].map((e) => e.localName))].sort());
  fleet.write(
    'web-1',
    'app',
    HOSTILE.map(([name, text]) => JSON.stringify({ level: 'info', msg: text, [`key ${text}`]: text, name })),
  );
  const messages = page.locator('.row .message');
  await until('all are shown', async () => (await messages.count()) === HOSTILE.length);
  expect(await messages.allTextContents()).toEqual(HOSTILE.map(([, , seen]) => seen));
  expect(await elements()).toEqual(['div', 'span']);

  // Each in full, its metadata too.
  await page.keyboard.press('Home');
  await page.keyboard.press('Enter');
  for (const [name, , seen] of HOSTILE) {
    await page.locator('aside .field', { hasText: name }).first().waitFor();
    const text = await page.locator('aside').evaluate((e) => e.textContent ?? '');
    expect(text, name).toContain(seen);
    expect(text, name).toContain(`key ${seen}`);
    await page.keyboard.press('j');
  }
  // As a column, as a narrowing, and as what is searched.
  await page.getByRole('button', { name: 'Columns' }).click();
  await page.getByRole('checkbox').first().check();
  await page.keyboard.press('Escape');
  await page.getByRole('searchbox').fill('<img src=x onerror="window.ran=1">');
  await page.locator('#search-count').getByText(/1$/).waitFor();

  // A line of a megabyte: the agent keeps its beginning, the list shows the beginning of that.
  fleet.write('web-1', 'app', ['x'.repeat(1 << 20), JSON.stringify({ msg: 'after it', level: 'info' })]);
  await page.getByRole('listbox').focus();
  await page.keyboard.press('End');
  await page.locator('.row', { hasText: 'after it' }).waitFor();
  const long = page.locator('.row', { hasText: 'more characters' });
  expect((await long.textContent())!.length).toBeLessThan(2000);
  await long.click();
  const whole = page.locator('aside').getByRole('button', { name: /more characters/ });
  await whole.click();
  await until(
    'all that was kept is there',
    async () => (await page.locator('aside .value').first().textContent())!.length >= 60_000,
  );

  expect(await page.evaluate(() => 'ran' in window)).toBe(false);
  expect(await page.title()).toBe('Stream · Spile');
  expect(complaints).toEqual([]);
  expect(asked.filter((url) => !url.startsWith(fleet.url) && !url.startsWith(fleet.url.replace('http', 'ws')))).toEqual(
    [],
  );
});
