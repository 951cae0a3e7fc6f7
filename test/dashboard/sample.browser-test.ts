/// <reference lib="dom" />
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Browser, chromium, type Page } from 'playwright-core';
import { freePort } from '../support/free-port.js';

const CHROMIUM = '/usr/bin/chromium';
const root = join(dirname(fileURLToPath(import.meta.url)), '../..');

let browser: Browser;
let sample: ChildProcess;
let shop: string;

/** The sample as `npm start` runs it, built before. */
async function start(): Promise<void> {
  const port = await freePort();
  sample = spawn(process.execPath, ['sample-app/dist/main.js'], {
    cwd: root,
    env: { ...process.env, NODE_OPTIONS: '', PORT: String(port) },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const said: string = await new Promise((resolve, reject) => {
    let output = '';
    sample.stdout?.on('data', (chunk) => {
      output += chunk;
      if (output.includes('Ctrl-C')) resolve(output);
    });
    sample.once('exit', (code) => reject(new Error(`The sample ended with ${code}`)));
  });
  shop = /http:\/\/\S+/.exec(said)?.[0] as string;
  expect(said).toContain(`${shop}/resilience`);
}

beforeAll(async () => {
  if (!existsSync(CHROMIUM)) {
    throw new Error(`There is no ${CHROMIUM}: install the system package "chromium"`);
  }
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
  await start();
}, 60_000);
afterAll(async () => {
  await browser?.close();
  sample?.kill();
});

const json = (body: object) => ({
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});
const fault = (upstream: string, kind: string) =>
  fetch(`${shop}/upstreams/${upstream}/fault`, { method: 'PUT', ...json({ fault: kind }) });

/** Customers, until the page shows what they meet. */
async function sellUntil(seen: Promise<unknown>): Promise<void> {
  let goOn = true;
  seen.then(
    () => {
      goOn = false;
    },
    () => {
      goOn = false;
    },
  );
  while (goOn) {
    const order = { method: 'POST', ...json({ productId: '1' }) };
    await Promise.all([fetch(`${shop}/orders`, order), fetch(`${shop}/products/1`)]);
  }
  await seen;
}

const sees = (page: Page, breaker: string, state: string) =>
  page
    .getByRole('table', { name: 'Circuit breakers' })
    .getByRole('row', { name: new RegExp(`^${breaker}\\b`) })
    .locator('.badge')
    .filter({ hasText: new RegExp(`^\\S ${state}$`) })
    .waitFor({ timeout: 20_000 });

describe('The dashboard of the sample', () => {
  it('shows the shop in an outage, and how it recovers', async () => {
    const page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
    await page.goto(`${shop}/resilience`);
    await page.getByText('Live', { exact: true }).waitFor();
    await sellUntil(page.getByText('PaymentsClient.charge').first().waitFor());
    await fault('payments', 'unavailable');
    await fault('recommendations', 'hang');
    await sellUntil(sees(page, 'recommendations', 'Open'));
    await sellUntil(sees(page, 'payments', 'Open'));
    await page.getByText('HttpResponseError').first().waitFor();
    if (process.env.SCREENSHOT)
      await page.screenshot({ path: process.env.SCREENSHOT, fullPage: true });
    await fault('payments', 'none');
    await fault('recommendations', 'none');
    await sellUntil(sees(page, 'payments', 'Closed'));
    await sellUntil(sees(page, 'recommendations', 'Closed'));
  }, 90_000);
});
