/// <reference lib="dom" />
import { describe, expect, it } from '@jest/globals';
import { type Advice, ResilienceAdvisor } from '../../lib/index.js';
import { DashboardApp } from './support.js';
import { lowContrast, Visit } from './visit.js';

const OVERRIDES = { operations: { 'PaymentsClient.charge': { timeout: { attemptMs: 800 } } } };
const ADVICE: Advice[] = [
  {
    kind: 'timeout',
    option: 'timeout.attemptMs',
    current: 5_000,
    proposed: 800,
    because: '99.5 % of the attempts that answer do so within 800 ms <b>or less</b>',
    figures: {},
    overrides: OVERRIDES,
  },
  {
    kind: 'bulkhead',
    option: 'bulkheads.payments.maxConcurrent',
    current: 10,
    proposed: 24,
    because: 'In the busiest time 60 calls a second held a slot for 200 ms each',
    figures: {},
    overrides: { bulkheads: { payments: { maxConcurrent: 24 } } },
  },
  {
    kind: 'deadline',
    option: 'deadline of the caller',
    current: 50,
    proposed: undefined,
    because: '20 % of the calls ran out of the time that their caller had left',
    figures: {},
    overrides: {},
  },
];

/** @param advice may change while somebody watches */
async function start(advice: readonly Advice[]): Promise<DashboardApp> {
  const app = await DashboardApp.start({ public: true });
  app.app.get(ResilienceAdvisor).report = () => ({
    observedMs: 1,
    operations:
      advice.length === 0
        ? []
        : [{ operation: 'PaymentsClient.charge', calls: 9, advice: [...advice] }],
    overrides: {},
  });
  return app;
}

async function copied(visit: Visit): Promise<unknown> {
  return JSON.parse(await visit.page.evaluate(() => navigator.clipboard.readText()));
}

describe('Advice in a browser', () => {
  it('is a table, whose buttons copy the overrides of one or of all', async () => {
    const visit = await Visit.to(await start(ADVICE), {
      permissions: ['clipboard-read', 'clipboard-write'],
    });
    const { page } = visit;
    const region = page.locator('#advice');
    const rows = region.getByRole('row');
    expect(await rows.nth(2).innerText()).toMatch(/deadline of the caller\s+50\s+–\s+20 % of/);
    expect(await rows.nth(3).innerText()).toMatch(
      /PaymentsClient.charge\s+timeout.attemptMs\s+5,000\s+800\s+99.5 % .*<b>or less<\/b>\s+Copy/,
    );
    expect(await rows.nth(2).getByRole('button').count()).toBe(0);
    await page.clock.install();
    await page.clock.pauseAt(new Date(Date.now() + 60_000)); // the button says only for a while what it has done
    await rows.nth(3).getByRole('button').press('Enter');
    await region.getByText('Copied', { exact: true }).waitFor();
    expect(await copied(visit)).toEqual(OVERRIDES);
    expect(await page.locator('#announcer').textContent()).toBe('Copied the overrides');
    await page.clock.runFor(2_000);
    expect(await region.getByText('Copied', { exact: true }).count()).toBe(0);
    await region.getByRole('button', { name: 'Copy the overrides of all advice' }).press('Enter');
    await region.getByText('Copied', { exact: true }).waitFor();
    expect(await copied(visit)).toEqual({
      ...OVERRIDES,
      bulkheads: { payments: { maxConcurrent: 24 } },
    });
    await page.getByLabel('Filter').fill('bulkheads');
    expect(await rows.filter({ visible: true }).count()).toBe(2);
    expect(visit.complaints).toEqual([]);
  });

  it('says where there is none', async () => {
    const visit = await Visit.to(await start([]));
    const region = visit.page.locator('#advice');
    expect(await region.innerText()).toContain('There is nothing to advise');
    expect(await region.getByRole('button').count()).toBe(0);
  });

  it.each(['light', 'dark'] as const)(
    'fits a phone, and can be read in %s',
    async (colorScheme) => {
      const viewport = { width: 375, height: 740 };
      const { page } = await Visit.to(await start(ADVICE), { viewport, colorScheme });
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      expect(width).toBeLessThanOrEqual(viewport.width);
      const because = page.getByText('In the busiest time');
      expect(await because.isVisible()).toBe(true);
      const box = await page.getByRole('button', { name: /maxConcurrent/ }).boundingBox();
      expect(box?.height).toBeGreaterThanOrEqual(24);
      expect(await page.evaluate(lowContrast)).toEqual([]);
    },
  );
});
