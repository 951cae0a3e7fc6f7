/// <reference lib="dom" />
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, jest } from '@jest/globals';
import {
  type Browser,
  type BrowserContextOptions,
  chromium,
  type Locator,
  type Page,
} from 'playwright-core';
import { closeAll, type DashboardApp } from './support.js';

const CHROMIUM = '/usr/bin/chromium';
/** Far more than anything takes, in ms: a busy machine can stand still for seconds. */
const PATIENCE_MS = 60_000;
// What was waited for in vain is told by the browser, long before the test itself is out of time.
jest.setTimeout(5 * PATIENCE_MS);

let browser: Browser;
beforeAll(async () => {
  if (!existsSync(CHROMIUM))
    throw new Error(`There is no ${CHROMIUM}: install the system package "chromium"`);
  browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox'],
    timeout: PATIENCE_MS,
  });
});
afterAll(async () => {
  await browser?.close();
});

const visits: Visit[] = [];
afterEach(async () => {
  for (const visit of visits.splice(0)) await visit.close();
  await closeAll();
});

/** Tries again until it holds: what the page shows can be a frame, or a drawing, behind. */
export async function eventually(check: () => Promise<void>): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw error;
      await sleep(50);
    }
  }
}

/** Somebody on call who looks at the page, and what the browser complained of. */
export class Visit {
  private constructor(
    readonly page: Page,
    readonly complaints: string[],
    readonly requested: Set<string>,
  ) {}

  static async to(
    { url }: Pick<DashboardApp, 'url'>,
    options: BrowserContextOptions = { viewport: { width: 1200, height: 900 } },
  ): Promise<Visit> {
    const context = await browser.newContext({ locale: 'en-GB', ...options });
    context.setDefaultTimeout(PATIENCE_MS);
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

  /**
   * Presses a button that asks back. By the keyboard: while the page is being filled it moves, and a
   * pointer can miss what it points at.
   *
   * @returns the dialog
   */
  async ask(button: string): Promise<Locator> {
    await this.page.getByRole('button', { name: button, exact: true }).press('Enter');
    const dialog = this.page.getByRole('dialog');
    await dialog.waitFor();
    return dialog;
  }

  /** Presses a button, and confirms it. */
  async press(button: string): Promise<void> {
    const dialog = await this.ask(button);
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
