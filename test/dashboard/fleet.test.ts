import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FleetWatch } from '../../lib/dashboard/fleet-watch.js';
import type { Frame } from '../../lib/dashboard/frame.js';
import {
  Chaos,
  CircuitBreakerRegistry,
  type FleetInstance,
  type FleetView,
  type ResilienceModuleOptions,
} from '../../lib/index.js';
import { MemoryFleet, settled } from '../support/memory-fleet.js';
import { type Adapter, closeAll, DashboardApp } from './support.js';

afterEach(closeAll);

let hub: MemoryFleet;
beforeEach(() => {
  hub = new MemoryFleet();
});

const start = (
  adapter: Adapter,
  { controls = true, resilience = {} as ResilienceModuleOptions } = {},
) =>
  DashboardApp.start(
    { public: true, controls },
    { adapter, resilience: { breakers: { payments: {} }, fleet: hub.fleet(), ...resilience } },
  );

const alone = (adapter: Adapter) =>
  DashboardApp.start(
    { public: true, controls: true },
    { adapter, resilience: { breakers: { payments: {} }, chaos: {} } },
  );

const stateOf = ({ app }: DashboardApp) =>
  app.get(CircuitBreakerRegistry).get('payments').getState();

describe.each<Adapter>(['express', 'fastify'])('The fleet on the dashboard on %s', (adapter) => {
  it('is sent with a row for each policy, and a cell for each instance', async () => {
    const [one, other] = [await start(adapter), await start(adapter)];
    other.app.get(CircuitBreakerRegistry).get('payments').forceOpen();
    const watcher = await one.watch();
    const sees = ({ fleet }: Frame) => fleet?.instances.length === 2;
    const { fleet } = await watcher.frame(sees, 'the other instance');
    expect(fleet).toMatchObject({ up: true, size: 2 });
    expect(fleet?.instances.map(({ here }) => here).sort()).toEqual([true, undefined]);
    const cells = fleet?.instances.map(({ here }) =>
      here ? ['CLOSED', 'up'] : ['FORCED_OPEN', 'degraded'],
    );
    const row = { name: 'breakers/payments', section: 'breakers', title: 'payments', cells };
    const frame = await watcher.frame((each) => each.policies?.[0]?.cells.length === 2, 'its row');
    expect(frame.policies).toEqual([row]);
    expect(await (await one.fetch('/resilience')).text()).toContain('data-fleet="true"');
  });

  it('is not sent where there is none', async () => {
    const dashboard = await alone(adapter);
    const frame = await (await dashboard.watch()).frame(() => true);
    expect(Object.keys(frame)).not.toEqual(expect.arrayContaining(['fleet']));
    expect(frame).not.toHaveProperty('policies');
    expect(await (await dashboard.fetch('/resilience')).text()).not.toContain('id="fleet"');
  });

  it('is told by a button with the scope of the fleet, and the log says so', async () => {
    const [one, other] = [await start(adapter), await start(adapter)];
    for (const [action, state] of [
      ['open', 'FORCED_OPEN'],
      ['disable', 'DISABLED'],
      ['close', 'CLOSED'],
    ]) {
      const { status } = await one.press(`payments/${action}?scope=fleet`);
      await settled();
      expect([status, stateOf(one), stateOf(other)]).toEqual([204, state, state]);
    }
    await one.press('payments/open?scope=instance');
    await settled();
    expect([stateOf(one), stateOf(other)]).toEqual(['FORCED_OPEN', 'CLOSED']);
    // The logger of the application that was started last hears all.
    expect(other.logger.messages('warn', 'ResilienceAdmin')).toEqual([
      {
        event: 'circuit_breaker_controlled',
        breaker: 'payments',
        action: 'open',
        fleet: true,
        by: 'unknown',
      },
      {
        event: 'circuit_breaker_controlled',
        breaker: 'payments',
        action: 'disable',
        fleet: true,
        by: 'unknown',
      },
      {
        event: 'circuit_breaker_controlled',
        breaker: 'payments',
        action: 'close',
        fleet: true,
        by: 'unknown',
      },
      { event: 'circuit_breaker_controlled', breaker: 'payments', action: 'open', by: 'unknown' },
    ]);
  });

  it('is told of all keys by the pattern of their names', async () => {
    const resilience = { breakers: { partner: { key: (tenant: string) => tenant } } };
    const apps = [await start(adapter, { resilience }), await start(adapter, { resilience })];
    const calls = apps.map((each) =>
      each.resilience.pipeline({ name: 'charge', circuitBreaker: 'partner' }),
    );
    await apps[0]?.press('partner[*]/open?scope=fleet');
    await settled();
    await expect(calls[1]?.execute(async () => 1, { args: ['acme'] })).rejects.toThrow('is open');
  });

  it('has its chaos ended by a button, also where there is none here', async () => {
    const resilience: ResilienceModuleOptions = {
      chaos: { rules: [{ operations: '*', latencyMs: 1 }] },
    };
    const [one, other] = [await start(adapter), await start(adapter, { resilience })];
    const press = (button: string) =>
      one
        .fetch(`/resilience/api/chaos/${button}`, {
          method: 'POST',
          headers: { 'x-resilience-control': '1' },
        })
        .then(({ status }) => status);
    expect(await press('stop')).toBe(204);
    expect(other.app.get(Chaos).isOn).toBe(true);
    expect(await press('stop?scope=fleet')).toBe(204);
    await settled();
    expect(other.app.get(Chaos).isOn).toBe(false);
    // The logger of the application that was started last hears all.
    expect(other.logger.messages('warn', 'ResilienceAdmin')).toEqual([
      { event: 'chaos_controlled', action: 'stop', fleet: true, by: 'unknown' },
    ]);
  });

  it('refuses a scope that there is not, and what another site sends', async () => {
    const one = await start(adapter);
    const scoped = 'payments/open?scope=fleet';
    expect((await one.press('payments/open?scope=all')).status).toBe(400);
    expect((await one.press(scoped, { origin: 'https://elsewhere.example' })).status).toBe(403);
    expect((await (await alone(adapter)).press(scoped)).status).toBe(400);
    const unseen = await start(adapter, { controls: false });
    expect((await unseen.press(scoped)).status).toBe(404);
    expect(stateOf(one)).toBe('CLOSED');
  });
});

describe('What the page shows of a fleet', () => {
  const seen = (instance: string, state = 'CLOSED', ageMs = 0): FleetInstance => ({
    instance,
    library: '1.0.0',
    upMs: 60_000,
    ageMs,
    chaos: false,
    policies: [{ section: 'breakers', name: 'payments', state, status: 'up' }],
  });

  function watch(looks: FleetInstance[][]) {
    const fleet = {
      instance: 'b',
      isUp: true,
      size: 2,
      look: async () => looks.shift() ?? [],
    };
    const clock = { now: 0 };
    const watched = new FleetWatch(fleet as unknown as FleetView, () => clock.now);
    const read = async (now: number) => {
      clock.now = now;
      watched.read();
      await settled();
      const { state, rows } = watched.read();
      await settled();
      return { ids: state.instances.map(({ id, lost }) => (lost ? `${id} lost` : id)), rows };
    };
    return { read, fleet };
  }

  it('fades where an instance tells nothing any more', async () => {
    const { read } = watch([
      [seen('b'), seen('a')],
      [seen('b'), seen('a')],
      [seen('b'), seen('a', 'CLOSED', 7_000)],
      [seen('b'), seen('a', 'CLOSED', 7_000)],
      [seen('b')],
    ]);
    expect((await read(0)).ids).toEqual(['a', 'b']);
    expect((await read(1_000)).ids).toEqual(['a lost', 'b']);
    expect((await read(2_000)).ids).toEqual(['b']);
  });

  it('keeps for half a minute what it knows of others that are not reached', async () => {
    const own = () => [seen('b')];
    const { read, fleet } = watch([
      [seen('b'), seen('a')],
      [seen('b'), seen('a')],
      ...Array.from({ length: 8 }, own),
    ]);
    await read(0);
    fleet.isUp = false;
    expect((await read(5_000)).ids).toEqual(['a', 'b']);
    expect((await read(10_000)).ids).toEqual(['a lost', 'b']);
    expect((await read(40_000)).ids).toEqual(['b']);
  });

  it('has no cell where an instance does not have the policy', async () => {
    const without = { ...seen('a'), policies: [] };
    const { read } = watch([
      [seen('b', 'OPEN'), without],
      [seen('b', 'OPEN'), without],
    ]);
    expect((await read(0)).rows).toEqual([
      {
        name: 'breakers/payments',
        section: 'breakers',
        title: 'payments',
        cells: [null, ['OPEN', 'up']],
      },
    ]);
  });
});
