/// <reference lib="dom" />
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { DashboardApp } from './support.js';
import { eventually, Visit } from './visit.js';

const SLICE = 10_000;

afterEach(() => {
  jest.restoreAllMocks();
});

/**
 * An application whose clock a test puts forward, and nothing else: a slice lasts as long as the test needs,
 * and no call takes no time at all. What runs in the browser has its own clock.
 */
async function shop() {
  let now = performance.now();
  jest.spyOn(performance, 'now').mockImplementation(() => {
    now += 0.001;
    return now;
  });
  const app = await DashboardApp.start({ public: true });
  const charge = app.resilience.pipeline({ name: 'PaymentsClient.charge' });
  const search = app.resilience.pipeline({ name: 'SearchClient.query', fallback: () => [] });
  const down = () => Promise.reject(new Error('down'));
  /** So many calls, and the next slice. */
  const slice = async (calls: number, failures = 0) => {
    for (let n = 0; n < calls; n++) await charge.execute(async () => 1);
    for (let n = 0; n < failures; n++) {
      await charge.execute(down).catch(() => undefined);
      await search.execute(down);
    }
    now += SLICE;
  };
  return { app, slice };
}

describe('The trends in a browser', () => {
  it('draw the last 15 minutes that were before somebody came, and go on', async () => {
    const { app, slice } = await shop();
    for (let n = 0; n < 12; n++) await slice(20);
    for (let n = 0; n < 6; n++) await slice(60, 10);
    const visit = await Visit.to(app);
    const { page } = visit;
    const line = visit.row('PaymentsClient.charge', 'Operations').getByRole('img').first();
    expect(await line.getAttribute('aria-label')).toBe(
      'Calls 7 per second, rising; Errors 1 per second, rising; Hidden errors none; over 15 minutes',
    );
    const tile = page.locator('.tile', { hasText: 'Hidden from callers' }).getByRole('img');
    expect(await tile.getAttribute('aria-label')).toBe(
      'Hidden errors 1 per second, rising; over 15 minutes',
    );
    const points = () => line.locator('path.area').getAttribute('d');
    const drawn = (slices: number) =>
      eventually(async () => expect((await points())?.match(/[ML]/g)).toHaveLength(slices));
    await drawn(18);
    for (let n = 0; n < 3; n++) await slice(0);
    await drawn(21);
    if (process.env.SCREENSHOT) await page.screenshot({ path: process.env.SCREENSHOT });
    expect(visit.complaints).toEqual([]);
  });

  it('leave a gap in the latency where there were no calls, and before the first', async () => {
    const { app, slice } = await shop();
    for (const calls of [5, 5, 0, 0, 5, 5, 0, 5]) await slice(calls);
    const visit = await Visit.to(app);
    const row = visit.row('PaymentsClient.charge', 'Operations');
    const latency = row.getByRole('img').last();
    expect(await latency.getAttribute('aria-label')).toMatch(/^p99 .* over 15 minutes$/);
    await eventually(async () => {
      const path = (await latency.locator('path').getAttribute('d')) ?? '';
      expect(path.match(/M/g)).toHaveLength(3);
      expect(path.startsWith('M0 ')).toBe(false);
    });
    const idle = visit.row('SearchClient.query', 'Operations').getByRole('img').last();
    expect(await idle.getAttribute('aria-label')).toBe('p99: none in 15 minutes');
    await eventually(async () => expect(await idle.locator('path').getAttribute('d')).toBe(''));
  });
});
