/// <reference lib="dom" />
import { describe, expect, it } from '@jest/globals';
import { MetricsFanOut } from '../../lib/index.js';
import { DashboardApp } from './support.js';
import { lowContrast, Visit } from './visit.js';

const up = async () => 'done';
const down = () => Promise.reject(new Error('the bank is down'));

/** A shop that uses all that there is a panel for. */
async function shop(): Promise<DashboardApp> {
  const app = await DashboardApp.start(
    { public: true },
    {
      resilience: {
        rateLimits: { partner: { limit: 2, intervalMs: 3_600_000 } },
        retryBudgets: { bank: { ratio: 0.1, minRetriesPerSecond: 0.1, windowMs: 60_000 } },
        bulkheads: { crowd: { maxConcurrent: 20, adaptive: true } },
      },
    },
  );
  const { resilience } = app;
  const read = resilience.pipeline({ name: 'Catalogue.read', hedge: { delayMs: 1 } });
  let calls = 0;
  await read.execute(() => (++calls === 1 ? new Promise<string>(() => {}) : up()));
  const limited = resilience.pipeline({ name: 'Partner.send', rateLimit: 'partner' });
  for (let n = 0; n < 3; n++) await limited.execute(up).catch(() => undefined);
  const retry = { maxAttempts: 3, delayMs: [0], budget: 'bank' };
  const pay = resilience.pipeline({ name: 'Bank.pay', retry });
  for (let n = 0; n < 3; n++) await pay.execute(down).catch(() => undefined);
  const fallback = { lastGood: { maxAgeMs: 60_000, key: () => 'all' } };
  const rates = resilience.pipeline({ name: 'Rates.get', fallback });
  await rates.execute(up);
  for (const call of [down, down]) await rates.execute(call);
  await resilience.pipeline({ name: 'Crowd.enter', bulkhead: 'crowd' }).execute(up);
  const metrics = app.app.get(MetricsFanOut);
  for (let n = 0; n < 4; n++)
    metrics.increment('shadow.rejected', { stage: 'bulkhead', name: 'crowd', reason: 'full' });
  metrics.increment('shadow.timeout', { operation: 'Bank.pay' });
  metrics.gauge('shedding.in_flight', 12);
  metrics.gauge('shedding.limit', 10);
  metrics.gauge('shedding.event_loop_delay', 3);
  const shed = { reason: 'in-flight', criticality: 'sheddable' };
  metrics.increment('shedding.rejected', shed, 1_234);
  return app;
}

describe('The panels in a browser', () => {
  it('show budgets, hedges, rate limits, last successes, shadow mode and shedding where there are any', async () => {
    const visit = await Visit.to(await shop(), { viewport: { width: 1280, height: 900 } });
    const text = async (row: string, table: string) => {
      const cells = await visit.row(row, table).locator('th, td').allTextContents();
      return cells.join('|');
    };
    expect(await text('bank', 'Retry budgets')).toMatch(/^bank\|\d of \d\|\d\|[1-9]\d*$/);
    expect(await text('partner', 'Rate limits')).toBe('partner|0 of 2|0|–|1');
    expect(await text('Catalogue.read', 'Hedges and shared answers')).toBe(
      'Catalogue.read|1|1|–|–',
    );
    expect(await text('Rates.get', 'Hedges and shared answers')).toMatch(
      /^Rates.get\|–\|–\|–\|2lately [\d.]+ m?s old$/,
    );
    expect(await text('crowd', 'Shadow mode')).toBe('crowdbulkhead|4|0|0');
    expect(await text('Bank.pay', 'Shadow mode')).toBe('Bank.paytimeout|0|1|0');
    expect(await text('server', 'Shedding')).toBe('server|12 of 10|3 ms late|sheddable 1,234');
    expect(visit.complaints).toEqual([]);
  });

  it('are not there where there is nothing to show', async () => {
    const visit = await Visit.to(await DashboardApp.start({ public: true }));
    const headings = visit.page.locator('main').getByRole('heading', { level: 2 });
    for (const panel of ['Retry budgets', 'Rate limits', 'Shadow mode', 'Shedding'])
      expect(await headings.filter({ hasText: panel }).count()).toBe(0);
  });

  it.each(['light', 'dark'] as const)('can be read in %s, on a phone too', async (colorScheme) => {
    const app = await shop();
    const wide = await Visit.to(app, { colorScheme, viewport: { width: 1280, height: 900 } });
    await wide.page.getByRole('table', { name: 'Shedding' }).waitFor();
    expect(await wide.page.evaluate(lowContrast)).toEqual([]);
    await keep(wide, `wide-${colorScheme}`);
    const phone = await Visit.to(app, {
      colorScheme,
      viewport: { width: 360, height: 740 },
      isMobile: true,
    });
    await phone.page.getByRole('table', { name: 'Shedding' }).waitFor();
    const widths = await phone.page.evaluate(() => [
      document.documentElement.scrollWidth,
      ...[...document.querySelectorAll('.scroll')].map((it) => it.scrollWidth),
    ]);
    expect(Math.max(...widths)).toBeLessThanOrEqual(360);
    await keep(phone, `phone-${colorScheme}`);
  });
});

async function keep({ page }: Visit, name: string): Promise<void> {
  const folder = process.env.SCREENSHOTS;
  if (folder) await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
}

describe('The configuration in a browser', () => {
  it('is that of the operation that somebody chooses, and follows what is changed at run time, and by whom', async () => {
    const app = await DashboardApp.start({ public: true });
    app.resilience.pipeline({ name: 'Bank.pay', timeoutMs: 2_000, retry: { maxAttempts: 2 } });
    const visit = await Visit.to(app, { viewport: { width: 1280, height: 900 } });
    const { page } = visit;
    await page.getByRole('combobox', { name: 'Operation' }).selectOption('Bank.pay');
    const cell = (option: string) => visit.row(option, 'Configuration').getByRole('cell').first();
    await cell('maxAttempts').getByText('2', { exact: true }).waitFor();
    app.resilience.reconfigure(
      { operations: { 'Bank.pay': { retry: { maxAttempts: 1 } } } },
      { by: 'anna' },
    );
    await cell('maxAttempts').getByText('1', { exact: true }).waitFor();
    await visit.row('maxAttempts', 'Configuration').getByText('run time').waitFor();
    expect(await visit.row('jitter', 'Configuration').textContent()).toMatch(/default$/);
    const change = page.locator('#actions').getByRole('listitem');
    expect(await change.innerText()).toMatch(
      /^anna\s+[\d:]+\s+operations\.Bank\.pay\.retry\.maxAttempts: 2 → 1$/,
    );
    await keep(visit, 'configuration');
    expect(visit.complaints).toEqual([]);
  });
});
