import { afterEach, describe, expect, it } from '@jest/globals';
import { Chaos } from '../../lib/index.js';
import { type Adapter, closeAll, DashboardApp } from './support.js';

afterEach(closeAll);

const PRESSED = { method: 'POST', headers: { 'x-resilience-control': '1' } };

async function start(adapter: Adapter, controls: boolean) {
  const dashboard = await DashboardApp.start(
    { public: true, controls },
    {
      adapter,
      resilience: { chaos: { rules: [{ operations: 'Bank.pay', rate: 0.5, error: true }] } },
    },
  );
  return { dashboard, chaos: dashboard.app.get(Chaos) };
}

describe.each<Adapter>(['express', 'fastify'])('Chaos on the dashboard on %s', (adapter) => {
  it('is shown for as long as anything is injected', async () => {
    const { dashboard, chaos } = await start(adapter, false);
    const watcher = await dashboard.watch();
    const full = await watcher.frame(() => true);
    expect(full.chaos).toEqual([
      { id: 'chaos-1', operations: 'Bank.pay', rate: 0.5, effect: 'error', injected: 0 },
    ]);
    chaos.stopAll();
    await watcher.frame((frame) => frame.chaos?.length === 0, 'the end of it');
  });

  it('sets the errors apart that come of it', async () => {
    const { dashboard, chaos } = await start(adapter, false);
    const pay = dashboard.resilience.pipeline({ name: 'Bank.pay' });
    chaos.stopAll();
    chaos.add({ operations: 'Bank.pay', error: () => new Error('503') });
    const call = () => pay.execute(() => Promise.reject(new Error('503'))).catch(() => undefined);
    await call();
    chaos.stopAll();
    await call();
    await call();
    const watcher = await dashboard.watch();
    const { errors } = await watcher.frame(() => true);
    expect(errors?.map(({ count, chaos: isMarked }) => [count, isMarked])).toEqual([
      [2, undefined],
      [1, true],
    ]);
  });

  it('is ended by a button, where there are buttons', async () => {
    const { dashboard, chaos } = await start(adapter, true);
    const press = (action: string, init: RequestInit = PRESSED) =>
      dashboard.fetch(`/resilience/api/chaos/${action}`, init).then(({ status }) => status);
    expect(await press('begin')).toBe(405);
    expect(await press('stop', { method: 'POST' })).toBe(403);
    expect(chaos.isOn).toBe(true);
    expect(await press('stop')).toBe(204);
    expect(chaos.isOn).toBe(false);
    expect(await press('stop')).toBe(204);
    expect(dashboard.logger.messages('warn', 'ResilienceAdmin')).toEqual([
      { event: 'chaos_controlled', action: 'stop', by: 'unknown' },
    ]);
  });

  it('cannot be ended where there are none', async () => {
    const { dashboard, chaos } = await start(adapter, false);
    const { status } = await dashboard.fetch('/resilience/api/chaos/stop', PRESSED);
    expect(status).toBe(404);
    expect(chaos.isOn).toBe(true);
  });
});
