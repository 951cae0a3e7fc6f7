/// <reference lib="dom" />
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { freePort } from '../support/free-port.js';
import { DOCS, pages } from './pages.js';

/** What `npm run docs:build` has made. */
const SITE = join(DOCS, '.vitepress/dist');
const CHROMIUM = '/usr/bin/chromium';
/** Far more than anything takes, in ms: a busy machine can stand still for seconds. */
const PATIENCE_MS = 60_000;
// What was waited for in vain is told by the browser, long before the test itself is out of time.
jest.setTimeout(10 * PATIENCE_MS);

let browser: Browser;
let preview: ChildProcess;
let address: string;

beforeAll(async () => {
  if (!existsSync(SITE))
    throw new Error('There is no built site: run `npm run test:docs` as a whole');
  if (!existsSync(CHROMIUM))
    throw new Error(`There is no ${CHROMIUM}: install the system package "chromium"`);
  const port = await freePort();
  address = `http://localhost:${port}`;
  const { NODE_OPTIONS: _jest, ...env } = process.env;
  const args = ['node_modules/vitepress/bin/vitepress.js', 'preview', '--port', String(port)];
  preview = spawn('node', args, { cwd: DOCS, env, stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: preview.stdout as NodeJS.ReadableStream });
  for await (const line of lines) if (line.includes(String(port))) break;
  browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox'],
    timeout: PATIENCE_MS,
  });
});

afterAll(async () => {
  await browser?.close();
  if (preview === undefined) return;
  const exit = once(preview, 'exit');
  preview.kill('SIGKILL');
  await exit;
});

/** The page, and what the browser complained of. */
async function visit(path: string, options: BrowserContextOptions = {}): Promise<[Page, string[]]> {
  const context = await browser.newContext({ locale: 'en-GB', ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== address) complaints.push(`asks ${request.url()}`);
  });
  await page.goto(`${address}${path}`);
  await alive(page);
  return [page, complaints];
}

/** The page is there as text before its buttons do anything. */
const alive = (page: Page) =>
  page.waitForFunction(() => '__vue_app__' in (document.querySelector('#app') ?? {}));

const isDark = (page: Page) =>
  page.evaluate(() => document.documentElement.classList.contains('dark'));

describe('The documentation in a browser', () => {
  it('leads from the first page to the first protected call', async () => {
    const [page, complaints] = await visit('/');
    await page.getByRole('link', { name: 'Get started' }).click();
    await page.getByRole('heading', { name: 'Getting started', level: 1 }).waitFor();
    expect(complaints).toEqual([]);
  });

  it('finds an option by its name', async () => {
    const [page, complaints] = await visit('/guide/getting-started');
    await page.getByRole('button', { name: 'Search' }).click();
    await page
      .getByRole('searchbox')
      .or(page.locator('#localsearch-input'))
      .first()
      .fill('beforeRetry');
    await page.getByRole('option').filter({ hasText: '@Retry' }).first().click();
    await page.waitForURL(/\/policies\/retry/);
    expect(complaints).toEqual([]);
  });

  it('is light or dark as the reader likes', async () => {
    const [page] = await visit('/policies/retry', { colorScheme: 'light' });
    expect(await isDark(page)).toBe(false);
    await page.getByRole('switch', { name: /dark/i }).first().click();
    await page.waitForFunction(() => document.documentElement.classList.contains('dark'));
    const [other] = await visit('/policies/retry', { colorScheme: 'dark' });
    expect(await isDark(other)).toBe(true);
  });

  it('draws its diagrams', async () => {
    const drawn = pages().filter(({ fences }) =>
      fences.some(({ language }) => language === 'mermaid'),
    );
    expect(drawn.length).toBeGreaterThan(0);
    const [page, complaints] = await visit('/'); // one for all: what draws is loaded once
    const diagrams = page.locator('.mermaid svg');
    for (const { name, fences } of drawn) {
      const expected = fences.filter(({ language }) => language === 'mermaid').length;
      await page.goto(`${address}/${name}`);
      await diagrams.nth(expected - 1).waitFor();
      expect([name, await diagrams.count(), complaints]).toEqual([name, expected, []]);
    }
  });

  it('fits on a phone, page by page', async () => {
    const context = await browser.newContext({ viewport: { width: 375, height: 740 } });
    context.setDefaultTimeout(PATIENCE_MS);
    const page = await context.newPage();
    const tooWide: string[] = [];
    for (const { name } of pages()) {
      await page.goto(`${address}/${name === 'index' ? '' : name}`);
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      if (width > 375) tooWide.push(`${name}: ${width}`);
    }
    expect(tooWide).toEqual([]);
    await alive(page);
    await page.getByRole('button', { name: 'mobile navigation' }).click();
    await page.getByRole('link', { name: 'Recipes' }).first().waitFor();
  });
});

describe('The documentation', () => {
  const html = (path: string) =>
    join(SITE, path.endsWith('/') ? `${path}index.html` : `${path}.html`);

  it('has a line in the menu, a description and an address in llms.txt for each page', () => {
    const listed = readFileSync(join(SITE, 'llms.txt'), 'utf8');
    const menu = readFileSync(join(DOCS, '.vitepress/sidebar.ts'), 'utf8');
    const written = pages().filter(({ name }) => name !== 'index');
    expect(
      written.filter(({ name }) => !menu.includes(`'/${name}'`)).map(({ name }) => name),
    ).toEqual([]);
    expect(
      written.filter(({ name }) => !listed.includes(`/${name}.md`)).map(({ name }) => name),
    ).toEqual([]);
    expect(
      written.filter(({ text }) => !/^description: ./m.test(text)).map(({ name }) => name),
    ).toEqual([]);
    for (const [, link] of menu.matchAll(/page\('([^']+)'/g))
      expect([link, existsSync(html(link as string))]).toEqual([link, true]);
  });

  it('has no link to a heading that is not there', () => {
    const dead = pages().flatMap(({ name, text }) =>
      [...text.matchAll(/\]\((\/[^)#\s]*|)#([^)\s]+)\)/g)].flatMap(([, path, anchor]) => {
        const target = html(path === '' ? `/${name}` : (path as string));
        const there = existsSync(target) && readFileSync(target, 'utf8').includes(`id="${anchor}"`);
        return there ? [] : [`docs/${name}.md: ${path}#${anchor}`];
      }),
    );
    expect(dead).toEqual([]);
  });

  it('tells of every name that the package exports in the reference', () => {
    const modules = readdirSync(join(SITE, 'reference'), { withFileTypes: true });
    const { exports } = JSON.parse(readFileSync(join(DOCS, '../package.json'), 'utf8'));
    const entries = Object.keys(exports).filter((name) => !name.endsWith('.json'));
    expect(modules.filter((entry) => entry.isDirectory())).toHaveLength(entries.length);
  });
});
