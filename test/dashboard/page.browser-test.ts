/// <reference lib="dom" />
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import type { ResilienceDashboardOptions } from '../../lib/dashboard/index.js';
import { Chaos, CircuitBreakerRegistry, defineStage, type Pipeline } from '../../lib/index.js';
import { DashboardApp } from './support.js';
import { lowContrast, Visit } from './visit.js';

const BREAKERS = { payments: { failureThreshold: 3, timeoutMs: 7_200_000 }, search: {} };
const OPTIONS: ResilienceDashboardOptions = { public: true, controls: true };
const down = () => Promise.reject(new Error('payments-api answered 503'));
const up = async () => 'done';

async function shop(options = OPTIONS): Promise<{ app: DashboardApp; charge: Pipeline }> {
  const app = await DashboardApp.start(options, { resilience: { breakers: BREAKERS } });
  const charge = app.resilience.pipeline({
    name: 'PaymentsClient.charge',
    critical: true,
    upstream: 'payments-api',
    circuitBreaker: 'payments',
    bulkhead: { maxConcurrent: 4 },
    fallback: () => 'queued',
  });
  await app.resilience
    .pipeline({ name: 'SearchClient.query', circuitBreaker: 'search' })
    .execute(up);
  return { app, charge };
}

async function outage(charge: Pipeline): Promise<void> {
  for (let n = 0; n < 5; n++) await charge.execute(down);
}

describe('The page in a browser', () => {
  it('tries again where it was not let in, waits longer each time, and claims nothing before it knows', async () => {
    const app = await DashboardApp.start(OPTIONS);
    const { page } = await Visit.to(app);
    const nothing = page.getByText('There is no circuit breaker.');
    expect(await nothing.isVisible()).toBe(true);
    await page.route('**/events', (route) => route.fulfill({ status: 503 }));
    await page.reload();
    await page.getByText('Not let in, trying again in 1 s …').waitFor();
    await page.getByText('Not let in, trying again in 2 s …').waitFor();
    expect(await nothing.isVisible()).toBe(false);
    await page.unroute('**/events');
    await page.getByText('Live', { exact: true }).waitFor();
    expect(await nothing.isVisible()).toBe(true);
  });

  it('shows that chaos is on, and ends it by a button', async () => {
    const app = await DashboardApp.start(OPTIONS, { resilience: { chaos: {} } });
    const chaos = app.app.get(Chaos);
    const pay = app.resilience.pipeline({ name: 'Bank.pay', upstream: 'bank' });
    const visit = await Visit.to(app);
    const { page } = visit;
    const banner = page.getByRole('region', { name: 'Chaos is on' });
    expect(await banner.isVisible()).toBe(false);
    chaos.add({ operations: '<b>*</b>', latencyMs: [100, 2_000], rate: 0.1 });
    chaos.add({ id: 'bank', upstream: 'bank', error: true });
    await pay.execute(up).catch(() => undefined);
    await banner.getByText('1 injected').waitFor();
    expect(await banner.innerText()).toMatch(
      /chaos-1\s+latency 100 ms to 2 s at 10 % of the attempts of <b>\*<\/b> · 0 injected\s+bank\s+error at 100 % of the attempts of whatever that calls bank · 1 injected/,
    );
    await page.locator('#errors').getByText('chaos', { exact: true }).waitFor();
    await visit.press('Stop the chaos');
    await banner.waitFor({ state: 'hidden' });
    expect(chaos.isOn).toBe(false);
    expect(visit.complaints).toEqual([]);
  });

  it('shows an outage as it happens', async () => {
    const { app, charge } = await shop();
    const visit = await Visit.to(app);
    const { page } = visit;
    expect(await visit.row('payments').textContent()).toContain('Closed');
    await outage(charge);
    await visit.sees('payments', 'Open');
    expect(await visit.row('payments').textContent()).toMatch(
      /^payments\s*since [\d:]+Error: payments-api answered 503.*3 of 3100 % at openingin (2 h 0|1 h 5\d) min/,
    );
    expect(await visit.row('PaymentsClient.charge', 'Operations').textContent()).toMatch(
      /critical · calls payments-api.*100 %100 %/,
    );
    expect(await page.locator('#tiles').textContent()).toContain('Breakers open1 of 2');
    expect(await page.locator('#transitions').textContent()).toMatch(
      /payments.*Closed.*Open.*too many failures, 3 of 3 \(100 %\)Error: payments-api answered 503/,
    );
    const errors = page.locator('#errors').getByRole('listitem');
    expect(await errors.allTextContents()).toEqual([
      expect.stringMatching(
        /^CircuitBreakerOpenError× 2.*is opencaused by Error: payments-api answered 503Payments/,
      ),
      expect.stringMatching(
        /^Error× 3.*payments-api answered 503PaymentsClient\.charge · calls payments-api · hidden/,
      ),
    ]);
    expect(await page.getByRole('status').textContent()).toBe(
      'payments is now open: too many failures',
    );
    expect(visit.complaints).toEqual([]);
    expect([...visit.requested]).toEqual([app.url]);
  });

  it('has a table for each stage of the application’s own, made of what its instances say', async () => {
    const lanes = defineStage({
      name: 'lane',
      named: 'laneNames',
      options: {},
      make() {
        let running = 0;
        return {
          admit: () => ++running,
          snapshot: () => ({ running, lastSeen: running > 0 ? '<b>now</b>' : 'never' }),
        };
      },
      health: ({ running }) => (running > 0 ? 'degraded' : 'up'),
    });
    const app = await DashboardApp.start(OPTIONS, {
      resilience: { stages: [lanes], laneNames: { left: {}, right: {} } } as object,
    });
    const visit = await Visit.to(app);
    const { page } = visit;
    const table = page.getByRole('table', { name: 'Lane names' });
    await table.waitFor();
    expect(await table.locator('thead').textContent()).toBe('NameStatusRunningLast seen');
    expect(await visit.row('left', 'Lane names').textContent()).toBe('leftup0never');
    await app.resilience
      .pipeline<[typeof lanes]>({ name: 'Roads.cross', lane: 'left' })
      .execute(up);
    await visit.row('left', 'Lane names').getByText('degraded').waitFor();
    expect(await visit.row('left', 'Lane names').textContent()).toBe('leftdegraded1<b>now</b>');
    await visit.row('Roads.cross', 'Operations').getByText('lane left').waitFor();
    await page.getByRole('searchbox').fill('right');
    expect(await table.locator('tbody tr:visible').count()).toBe(1);
    expect(visit.complaints).toEqual([]);
  });

  it('says which process it shows, and in which time zone', async () => {
    const { app } = await shop({ public: true, instance: '<b>"shop"&1' });
    const { page } = await Visit.to(app, { timezoneId: 'Asia/Tokyo' });
    expect(await page.locator('#source').textContent()).toBe(
      '<b>"shop"&1 · times in Asia/Tokyo (GMT+9)',
    );
  });

  it('keeps what began an outage in sight while the breaker flaps, on a phone too', async () => {
    const breakers = Object.fromEntries(
      Array.from({ length: 8 }, (_, n) => [`b${n}`, { failureThreshold: 4, timeoutMs: 1 }]),
    );
    const app = await DashboardApp.start(OPTIONS, { resilience: { breakers } });
    for (const name of Object.keys(breakers)) {
      const call = app.resilience.pipeline({ name: `${name}.call`, circuitBreaker: name });
      for (let runs = 0; runs < 24; ) {
        const error = new Error(runs < 4 ? `the root of ${name}` : 'refused', {
          cause: new Error(`ECONNREFUSED ${name}`),
        });
        const run = () => {
          runs++;
          return Promise.reject(error);
        };
        await call.execute(run).catch(() => setImmediate()); // until it is time for the next probe
      }
    }
    const { page } = await Visit.to(app, { viewport: { width: 360, height: 740 }, isMobile: true });
    const transitions = page.locator('#transitions').getByRole('listitem');
    expect(await transitions.count()).toBe(6);
    expect(await transitions.first().textContent()).toMatch(
      /^b7since .*too many failures, 4 of 4 \(100 %\)Error: the root of b7 \(caused by Error: ECONNREFUSED b7\)opened again 20 times, by Error: refused/,
    );
    await page.locator('#transitions').getByRole('button', { name: 'Show all 8' }).press('Enter');
    await transitions.nth(7).waitFor();
    expect(await transitions.count()).toBe(8);
    await page.locator('#transitions').getByRole('button', { name: 'Show fewer' }).press('Enter');
    await transitions.nth(6).waitFor({ state: 'detached' });
    expect(await transitions.count()).toBe(6);
    const row = page.locator('#breakers tbody tr').filter({ hasText: 'the root of b3' });
    expect(await row.textContent()).toMatch(/lately Error: refused.*4 of 4100 % at opening/);
  });

  it('opens, closes and disables a breaker by its buttons, once it is confirmed', async () => {
    const { app } = await shop();
    const breaker = app.app.get(CircuitBreakerRegistry).get('payments');
    const visit = await Visit.to(app);
    const dialog = await visit.ask('Force open payments');
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    expect(breaker.getState()).toBe('CLOSED');
    await visit.press('Force open payments');
    await visit.sees('payments', 'Forced open');
    expect(breaker.getState()).toBe('FORCED_OPEN');
    await visit.press('Disable payments');
    await visit.sees('payments', 'Disabled');
    expect(breaker.getState()).toBe('DISABLED');
    await visit.press('Close payments');
    await visit.sees('payments', 'Closed');
    expect(breaker.getState()).toBe('CLOSED');
    const close = visit.page.getByRole('button', { name: 'Close payments' });
    expect(await close.getAttribute('aria-disabled')).toBe('true');
    expect(visit.complaints).toEqual([]);
  });

  it('has a row of all keys beside those of the worst, which go when they are well', async () => {
    const app = await DashboardApp.start(OPTIONS, {
      resilience: {
        breakers: { partner: { failureThreshold: 1, key: (tenant: string) => tenant } },
      },
    });
    const pipeline = app.resilience.pipeline({ name: 'charge', circuitBreaker: 'partner' });
    for (const tenant of ['sick', 'a', 'b'])
      await pipeline
        .execute(tenant === 'sick' ? down : async () => 1, { args: [tenant] })
        .catch(() => undefined);
    const visit = await Visit.to(app);
    await visit.row('partner[*]').getByText('1 of 3 keys open').waitFor();
    await visit.sees('partner[sick]', 'Open');
    await visit.press('Close partner[sick]');
    await visit.row('partner[*]').getByText('0 of 3 keys open').waitFor();
    await visit.row('partner[sick]').waitFor({ state: 'detached' });
    await visit.press('Force open partner[*]');
    await visit.row('partner[*]').getByText('3 of 3 keys open').waitFor();
    await visit.sees('partner[a]', 'Forced open');
    expect(visit.complaints).toEqual([]);
  });

  it('has no buttons for breakers without `controls`', async () => {
    const { app } = await shop({ public: true });
    const visit = await Visit.to(app);
    expect(await visit.row('payments').getByRole('button').count()).toBe(0);
    expect(await visit.page.getByRole('columnheader', { name: 'Control' }).count()).toBe(0);
  });

  it('shows what looks like markup as the text that it is', async () => {
    const evil = '<img src=x onerror="document.title=1"><script>document.title=2</script>';
    const { app } = await shop();
    const failing = app.resilience.pipeline({
      name: evil,
      upstream: evil,
      circuitBreaker: { failureThreshold: 1 },
    });
    class Markup extends Error {
      override name = evil;
    }
    await failing.execute(() => Promise.reject(new Markup(evil))).catch(() => undefined);
    const visit = await Visit.to(app);
    for (const section of ['operations', 'breakers', 'errors']) {
      expect(await visit.page.locator(`#${section}`).textContent()).toContain(evil);
    }
    expect(await visit.page.locator('img').count()).toBe(0);
    expect(await visit.page.title()).toBe('Resilience');
    expect(visit.complaints).toEqual([]);
  });

  it('can be read by a screen reader and used from the keyboard', async () => {
    const { app, charge } = await shop();
    await outage(charge);
    const { page } = await Visit.to(app);
    expect(await page.getByRole('heading', { level: 1 }).allTextContents()).toEqual(['Resilience']);
    expect(await page.locator('main').getByRole('heading', { level: 2 }).allTextContents()).toEqual(
      [
        'Now',
        'Circuit breakers',
        'Outages and transitions',
        'Operations',
        'Bulkheads',
        'Configuration',
        'Changes at run time',
        'Recent errors',
        'Advice',
      ],
    );
    const table = page.getByRole('table', { name: 'Operations' });
    expect(await table.getByRole('columnheader').allTextContents()).toEqual([
      'Operation',
      'Calls/s',
      'Errors',
      'Hidden',
      'Retries',
      'p50',
      'p95',
      'p99',
      'Calls, errors',
      'p99 trend',
    ]);
    expect(await table.getByRole('rowheader').count()).toBe(2);
    expect(await table.locator('[aria-sort]').textContent()).toBe('Errors');
    const nameless = await page
      .getByRole('button')
      .evaluateAll(
        (buttons) =>
          buttons.filter((it) => !(it.getAttribute('aria-label') ?? it.textContent)?.trim()).length,
      );
    expect(nameless).toBe(0);
    expect(await page.getByRole('searchbox', { name: 'Filter' }).count()).toBe(1);

    await page.keyboard.press('Tab');
    await page.locator('#filter:focus').waitFor();
    const outline = () =>
      page.locator(':focus').evaluate((it) => getComputedStyle(it).outlineWidth);
    expect(await outline()).toBe('2px');
    await page.getByRole('button', { name: 'Force open payments' }).focus();
    await page.keyboard.press('Enter');
    await page.locator(':focus', { hasText: /^Cancel$/ }).waitFor();
    await page.keyboard.press('Escape');
    await page.locator(':focus[aria-label="Force open payments"]').waitFor();
  });

  it.each(['light', 'dark'] as const)('has enough contrast in %s', async (colorScheme) => {
    const { app, charge } = await shop();
    await outage(charge);
    const { page } = await Visit.to(app, { colorScheme });
    expect(await page.evaluate(lowContrast)).toEqual([]);
    const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const [red = 0] = /\d+/.exec(background) ?? [];
    expect(Number(red) < 128).toBe(colorScheme === 'dark');
  });

  it('fits a phone, with every value labelled', async () => {
    const { app, charge } = await shop();
    await outage(charge);
    const { page } = await Visit.to(app, {
      viewport: { width: 360, height: 740 },
      isMobile: true,
      hasTouch: true,
    });
    const widths = await page.evaluate(() => [
      document.documentElement.scrollWidth,
      ...[...document.querySelectorAll('.scroll')].map((it) => it.scrollWidth),
    ]);
    expect(Math.max(...widths)).toBeLessThanOrEqual(360);
    const labels = await page
      .locator('#operations tbody tr')
      .first()
      .locator('td')
      .evaluateAll((cells) => cells.map((cell) => getComputedStyle(cell, '::before').content));
    expect(labels).toEqual([
      '"Calls/s"',
      '"Errors"',
      '"Hidden"',
      '"Retries"',
      '"p50"',
      '"p95"',
      '"p99"',
      '"Calls, errors"',
      '"p99 trend"',
    ]);
    const table = page.getByRole('table', { name: 'Operations' });
    expect(await table.getByRole('row').count()).toBe(3);
    await page.getByRole('button', { name: 'Force open payments' }).tap();
    await page.getByRole('dialog').getByRole('button', { name: 'Force open' }).tap();
    await page.locator('#breakers tbody').getByText('Forced open').waitFor();
  });

  it('shows 500 operations, touches only what changed, and finds one among them', async () => {
    const { app, charge } = await shop();
    for (let n = 0; n < 500; n++)
      app.resilience.pipeline({ name: `Client${n}.call`, upstream: `api-${n}` });
    const visit = await Visit.to(app);
    const { page } = visit;
    expect(await page.locator('#operations-count').textContent()).toBe('502');
    await page.evaluate(() => {
      const touched = new Set<string>();
      Object.assign(window, { touched });
      new MutationObserver((changes) => {
        for (const { target } of changes) {
          const row = (target.nodeType === 1 ? (target as Element) : target.parentElement)?.closest(
            '#errors li, tr',
          );
          if (row) touched.add(row.querySelector('.name')?.textContent ?? '');
        }
      }).observe(document.body, { subtree: true, characterData: true, childList: true });
    });
    await outage(charge);
    await visit.sees('payments', 'Open');
    const touched = await page.evaluate(() => [
      ...(window as unknown as { touched: Set<string> }).touched,
    ]);
    expect(touched).toEqual(expect.arrayContaining(['PaymentsClient.charge', 'payments']));
    const mayChange = ['PaymentsClient.charge', 'payments', 'SearchClient.query', 'search'];
    expect(touched.filter((name) => !mayChange.includes(name))).toEqual([]);

    await page.getByRole('searchbox').fill('api-417');
    expect(await page.locator('#operations-count').textContent()).toBe('1 of 502');
    expect(await page.locator('#operations tbody tr:visible').allTextContents()).toEqual([
      expect.stringContaining('Client417.call'),
    ]);
    await page.getByRole('searchbox').fill('');
    await page.getByRole('button', { name: 'Operation', exact: true }).press('Enter');
    const first = page.locator('#operations tbody tr').first();
    await first.getByText('Client0.call').waitFor();
    expect(visit.complaints).toEqual([]);
  });

  it('says so when the connection is lost, and is live again by itself', async () => {
    const { app } = await shop();
    const { page } = await Visit.to(app);
    const stream = '**/resilience/events';
    await page.route(stream, (route) => route.abort()); // it stays lost until it was seen to be
    app.app.getHttpServer().closeAllConnections();
    await page.getByText('Connection lost, trying again …').waitFor();
    await page.unroute(stream);
    await page.getByText('Live', { exact: true }).waitFor();
  });
});
