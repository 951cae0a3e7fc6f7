/// <reference lib="dom" />
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import type { ResilienceDashboardOptions } from '../../lib/dashboard/index.js';
import {
  Chaos,
  CircuitBreakerRegistry,
  ResilienceModule,
  type ResilienceModuleOptions,
} from '../../lib/index.js';
import { RecordingLogger, track } from '../binding/support.js';
import { MemoryFleet } from '../support/memory-fleet.js';
import { DashboardApp } from './support.js';
import { eventually, lowContrast, Visit } from './visit.js';

const OPTIONS: ResilienceDashboardOptions = { public: true, controls: true, instance: 'here' };
const POLICIES: ResilienceModuleOptions = {
  breakers: { payments: {}, search: {} },
  bulkheads: { write: { maxConcurrent: 5 } },
};

let hub: MemoryFleet;
beforeEach(() => {
  hub = new MemoryFleet();
});
afterEach(() => {
  hub.clear();
});

/** The instance whose page is looked at. */
function shop(options = POLICIES): Promise<DashboardApp> {
  return DashboardApp.start(OPTIONS, {
    resilience: { ...options, fleet: hub.fleet({ version: '1.4.2' }) },
  });
}

/** Another one, without a page. */
async function other(options = POLICIES) {
  const module = await Test.createTestingModule({
    imports: [ResilienceModule.forRoot({ ...options, fleet: hub.fleet({ version: '1.4.3' }) })],
  })
    .setLogger(new RecordingLogger())
    .compile();
  track(module);
  await module.init();
  const breakers = module.get(CircuitBreakerRegistry);
  return {
    module,
    breakers,
    chaos: module.get(Chaos),
    link: hub.links.at(-1) as MemoryFleet['links'][number],
  };
}

const fleetOf = ({ page }: Visit) => page.getByRole('region', { name: 'Fleet' }).first();

describe('The fleet in a browser', () => {
  it('has its instances beside each other, from any of them, as they change', async () => {
    const app = await shop();
    const second = await other();
    const visit = await Visit.to(app);
    const instances = visit.page.getByRole('list', { name: 'Instances' }).getByRole('listitem');
    await instances.nth(1).waitFor();
    const told = await instances.allTextContents(); // by the names of the instances, which are random
    expect(told).toHaveLength(2);
    for (const about of [/^\d.*this instance.*version 1\.4\.2/, /^\d.*version 1\.4\.3/])
      expect(told).toContainEqual(expect.stringMatching(about));
    for (const each of told) expect(each).toMatch(/ · nestjs-bulwark [\d.]+ · since /);
    await fleetOf(visit).getByText('2 instances are there').waitFor();
    const row = visit.row('payments', 'Fleet');
    const sum = row.getByRole('cell').first();
    await eventually(async () => expect(await sum.textContent()).toBe('● Closedall 2'));
    second.breakers.get('payments').forceOpen();
    await eventually(async () => expect(await sum.textContent()).toBe('■ Forced open1 of 2'));
    expect(await visit.row('write', 'Fleet').textContent()).toContain('0 of 5');
    second.link.crash();
    await instances.filter({ hasText: 'not heard of any more' }).waitFor();
    expect(visit.complaints).toEqual([]);
  });

  it('says that the others are not reached, and goes on', async () => {
    const app = await shop();
    const visit = await Visit.to(app);
    await fleetOf(visit).getByText('1 instance is there').waitFor();
    hub.links[0]?.cut();
    await fleetOf(visit).getByText('The other instances are not reached').waitFor();
    await eventually(async () =>
      expect(await visit.page.getByRole('status').textContent()).toBe(
        'The other instances are not reached',
      ),
    );
    await hub.links[0]?.mend();
    await fleetOf(visit).getByText('1 instance is there').waitFor();
  });

  it('is told by the buttons of breakers: this instance, or all', async () => {
    const app = await shop();
    const breaker = app.app.get(CircuitBreakerRegistry).get('payments');
    const second = (await other()).breakers.get('payments');
    const visit = await Visit.to(app);
    await visit.press('Force open payments');
    await visit.sees('payments', 'Forced open');
    expect(second.getState()).toBe('CLOSED');
    const dialog = await visit.ask('Disable payments');
    expect(await dialog.getByRole('radio', { name: 'This instance' }).isChecked()).toBe(true);
    await dialog.getByRole('radio', { name: 'All instances' }).check();
    await dialog.getByRole('button', { name: 'Disable' }).click();
    await visit.sees('payments', 'Disabled');
    expect([breaker.getState(), second.getState()]).toEqual(['DISABLED', 'DISABLED']);
    await visit.ask('Close payments');
    expect(await dialog.getByRole('radio', { name: 'This instance' }).isChecked()).toBe(true);
    await dialog.getByRole('button', { name: 'Close' }).click();
    await visit.sees('payments', 'Closed');
    expect(second.getState()).toBe('DISABLED');
    expect(visit.complaints).toEqual([]);
  });

  it('shows chaos that is on elsewhere, and stops it', async () => {
    const app = await shop();
    const { chaos } = await other({
      ...POLICIES,
      chaos: { rules: [{ operations: '*', latencyMs: 1 }] },
    });
    const visit = await Visit.to(app);
    const banner = visit.page.getByRole('region', { name: 'Chaos is on' });
    await banner.getByText('In other instances').waitFor();
    const dialog = await visit.ask('Stop the chaos');
    await dialog.getByRole('radio', { name: 'All instances' }).check();
    await dialog.getByRole('button', { name: 'Stop', exact: true }).click();
    await banner.waitFor({ state: 'hidden' });
    expect(chaos.isOn).toBe(false);
  });

  it('shows what looks like markup as the text that it is', async () => {
    const evil = '<img src=x onerror="document.title=1">';
    const app = await shop();
    hub.boards.snapshots.shown.set(evil, {
      at: hub.now(),
      snapshot: {
        version: evil,
        library: evil,
        upMs: 1,
        chaos: true,
        policies: [{ section: evil, name: evil, state: evil, status: 'down' }],
      },
    });
    const visit = await Visit.to(app);
    await visit.page.getByRole('rowheader', { name: evil }).first().waitFor();
    expect(await visit.page.locator('img').count()).toBe(0);
    expect(await visit.page.title()).toBe('Resilience');
    expect(visit.complaints).toEqual([]);
  });

  it('is not there where there is no fleet', async () => {
    const app = await DashboardApp.start(OPTIONS, { resilience: POLICIES });
    const visit = await Visit.to(app);
    expect(await visit.page.getByRole('heading', { name: 'Fleet' }).count()).toBe(0);
    const dialog = await visit.ask('Force open payments');
    expect(await dialog.getByRole('radio').count()).toBe(0);
  });

  describe('of 20 instances with 50 policies', () => {
    const many: ResilienceModuleOptions = {
      breakers: Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`breaker-${n}`, {}])),
    };
    const start = async () => {
      const app = await shop(many);
      const others = [];
      for (let n = 1; n < 20; n++) others.push(await other(many));
      others[3]?.breakers.get('breaker-7').forceOpen();
      others[5]?.breakers.get('breaker-9').disable();
      return app;
    };
    const arrived = ({ page }: Visit) =>
      page.getByRole('list', { name: 'Instances' }).getByRole('listitem').nth(19).waitFor();

    it('has what is worst first, and can be read by a screen reader', async () => {
      const visit = await Visit.to(await start());
      await arrived(visit);
      const table = visit.page.getByRole('table', { name: 'Fleet' });
      expect(await table.getByRole('row').count()).toBe(51);
      expect(await table.getByRole('columnheader').count()).toBe(22);
      const first = table.getByRole('row').nth(1);
      await eventually(async () =>
        expect(await first.getByRole('rowheader').textContent()).toBe('breaker-7breakers'),
      );
      const cells = await first.getByRole('cell').allTextContents();
      expect(cells[0]).toBe('■ Forced open1 of 20');
      expect(cells.filter((text) => text === '■ Forced open')).toHaveLength(1);
      expect(cells.filter((text) => text === '● Closed')).toHaveLength(19);
      const width = await visit.page.locator('#fleet-body').evaluate((it) => it.scrollWidth);
      expect(width).toBeLessThanOrEqual(1_200);
      expect(visit.complaints).toEqual([]);
    });

    it.each(['light', 'dark'] as const)('has enough contrast in %s', async (colorScheme) => {
      const visit = await Visit.to(await start(), { colorScheme });
      await arrived(visit);
      expect(await visit.page.evaluate(lowContrast)).toEqual([]);
    });

    it('fits a phone', async () => {
      const visit = await Visit.to(await start(), {
        viewport: { width: 360, height: 740 },
        isMobile: true,
      });
      await arrived(visit);
      const widths = await visit.page.evaluate(() => [
        document.documentElement.scrollWidth,
        ...[...document.querySelectorAll('.scroll, .instances')].map((it) => it.scrollWidth),
      ]);
      expect(Math.max(...widths)).toBeLessThanOrEqual(360);
    });
  });
});
