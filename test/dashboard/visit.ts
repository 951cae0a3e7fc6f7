/// <reference lib="dom" />
import { existsSync } from 'node:fs';
import { afterAll, afterEach, beforeAll } from '@jest/globals';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { closeAll, type DashboardApp } from './support.js';

const CHROMIUM = '/usr/bin/chromium';

let browser: Browser;
beforeAll(async () => {
  if (!existsSync(CHROMIUM))
    throw new Error(`There is no ${CHROMIUM}: install the system package "chromium"`);
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
}, 30_000);
afterAll(async () => {
  await browser?.close();
});

const visits: Visit[] = [];
afterEach(async () => {
  for (const visit of visits.splice(0)) await visit.close();
  await closeAll();
});

/** Somebody on call who looks at the page, and what the browser complained of. */
export class Visit {
  private constructor(
    readonly page: Page,
    readonly complaints: string[],
    readonly requested: Set<string>,
  ) {}

  static async to(
    { url }: DashboardApp,
    options: BrowserContextOptions = { viewport: { width: 1200, height: 900 } },
  ): Promise<Visit> {
    const context = await browser.newContext({ locale: 'en-GB', ...options });
    context.setDefaultTimeout(3_000);
    const page = await context.newPage();
    const complaints: string[] = [];
    const requested = new Set<string>();
    page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => requested.add(new URL(request.url()).origin));
    const visit = new Visit(page, complaints, requested);
    visits.push(visit);
    await page.goto(`${url}/resilience`);
    await page.getByText('Live', { exact: true }).waitFor();
    return visit;
  }

  row(name: string, table = 'Circuit breakers') {
    return this.page
      .getByRole('table', { name: table })
      .getByRole('row', { name: new RegExp(`^${name.replaceAll(/[.*[\]]/g, '\\$&')}(?!\\w)`) });
  }

  /** Waits until the page shows a breaker in this state. */
  sees(breaker: string, state: string): Promise<void> {
    const badge = this.row(breaker).locator('.badge');
    return badge.filter({ hasText: new RegExp(`^\\S ${state}$`) }).waitFor();
  }

  async press(button: string): Promise<void> {
    const opens = this.page.getByRole('button', { name: button, exact: true });
    const dialog = this.page.getByRole('dialog');
    await opens.click();
    // While the page is being filled it moves, and a click as fast as this can miss.
    await dialog.waitFor({ timeout: 2_000 }).catch(() => opens.click());
    const action = button.startsWith('Force') ? 'Force open' : (button.split(' ')[0] as string);
    await dialog.getByRole('button', { name: action, exact: true }).click();
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }
}

/** Runs in the page: every text whose contrast with what is behind it is below 4.5 to 1. */
export function lowContrast(): string[] {
  const channels = (colour: string) => (colour.match(/[\d.]+/g) ?? []).map(Number);
  const luminance = (colour: string) => {
    const [r = 0, g = 0, b = 0] = channels(colour).map((value) => {
      const share = value / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element: Element | null): string => {
    if (element === null) return 'rgb(255, 255, 255)';
    const colour = getComputedStyle(element).backgroundColor;
    return channels(colour)[3] === 0 ? behind(element.parentElement) : colour;
  };
  return [...document.querySelectorAll('body *')].flatMap((element) => {
    const hasText = [...element.childNodes].some(
      (it) => it.nodeType === 3 && it.textContent?.trim(),
    );
    if (!hasText || !element.checkVisibility() || element.closest('script, noscript')) return [];
    const [a, b] = [luminance(getComputedStyle(element).color), luminance(behind(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    return contrast < 4.5 ? [`${element.textContent}: ${contrast.toFixed(2)}`] : [];
  });
}
