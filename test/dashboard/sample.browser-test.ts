/// <reference lib="dom" />
import { type ChildProcess, spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Visit } from './visit.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');

let sample: ChildProcess;
let shop: string;

/** The sample as `npm start` runs it, built before. */
async function start(): Promise<void> {
  sample = spawn(process.execPath, ['sample-app/dist/main.js'], {
    cwd: root,
    env: { ...process.env, NODE_OPTIONS: '', PORT: '0' },
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

beforeAll(start);
afterAll(() => {
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

describe('The dashboard of the sample', () => {
  it('shows the shop in an outage, and how it recovers', async () => {
    const visit = await Visit.to({ url: shop });
    const { page } = visit;
    await sellUntil(page.getByText('PaymentsClient.charge').first().waitFor());
    await fault('payments', 'unavailable');
    await fault('recommendations', 'hang');
    await sellUntil(visit.sees('recommendations', 'Open'));
    await sellUntil(visit.sees('payments', 'Open'));
    await page.getByText('HttpResponseError').first().waitFor();
    if (process.env.SCREENSHOT)
      await page.screenshot({ path: process.env.SCREENSHOT, fullPage: true });
    await fault('payments', 'none');
    await fault('recommendations', 'none');
    await sellUntil(visit.sees('payments', 'Closed'));
    await sellUntil(visit.sees('recommendations', 'Closed'));
  });
});
