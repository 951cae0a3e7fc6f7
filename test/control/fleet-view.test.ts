import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { VERSION } from '../../lib/common/version.js';
import { policiesOf, snapshotFrom } from '../../lib/fleet/instance-snapshot.js';
import {
  Chaos,
  type FleetView,
  type ResilienceModuleOptions,
  ResilienceService,
} from '../../lib/index.js';
import { MemoryFleet, settled } from '../support/memory-fleet.js';
import { booting, type ResilienceApp } from '../support/resilience-app.js';

const boot = booting();

let hub: MemoryFleet;
beforeEach(() => {
  hub = new MemoryFleet();
});

const viewOf = ({ module }: ResilienceApp) => module.get(ResilienceService).fleet() as FleetView;

const instance = (options: ResilienceModuleOptions = {}, version?: string) =>
  boot({
    breakers: { payments: {} },
    bulkheads: { write: { maxConcurrent: 5 } },
    rateLimits: { partner: { limit: 10 } },
    ...options,
    fleet: hub.fleet(version === undefined ? undefined : { version }),
  });

async function seenBy(app: ResilienceApp) {
  await viewOf(app).look();
  await settled();
  return viewOf(app).look();
}

describe('The view of a fleet', () => {
  it('is there where the application has a fleet', async () => {
    const alone = await boot();
    expect(viewOf(alone)).toBeUndefined();
    const one = await instance();
    expect(viewOf(one)).toMatchObject({ isUp: true, size: 1, instance: hub.links[0]?.instance });
    hub.links[0]?.cut();
    expect(viewOf(one).isUp).toBe(false);
  });

  it('has all instances, with their release, their age and how their policies are', async () => {
    const one = await instance({}, '1.4.2');
    await jest.advanceTimersByTimeAsync(5_000);
    const other = await instance({ chaos: { rules: [{ operations: '*', latencyMs: 1 }] } });
    other.breakers.get('payments').forceOpen();
    await jest.advanceTimersByTimeAsync(1_000);
    const policies = (state: string, status: string) =>
      expect.arrayContaining([
        { section: 'breakers', name: 'payments', state, status },
        { section: 'bulkheads', name: 'write', state: '0 of 5', status: 'up' },
        { section: 'rateLimits', name: 'partner', state: '10 of 10 left', status: 'up' },
      ]);
    const [own, seen] = await seenBy(one);
    expect(own).toEqual({
      instance: viewOf(one).instance,
      ageMs: 0,
      version: '1.4.2',
      library: VERSION,
      upMs: expect.any(Number),
      chaos: false,
      policies: policies('CLOSED', 'up'),
    });
    expect(seen).toEqual({
      instance: viewOf(other).instance,
      ageMs: 0,
      library: VERSION,
      upMs: expect.any(Number),
      chaos: true,
      policies: policies('FORCED_OPEN', 'degraded'),
    });
    other.module.get(Chaos).stopAll();
  });

  it('costs nothing while nobody looks', async () => {
    const [one] = [await instance(), await instance()];
    hub.isHolding = true;
    await jest.advanceTimersByTimeAsync(3_600_000);
    expect(hub.parcels).toEqual([]);
    hub.isHolding = false;
    await seenBy(one);
    hub.isHolding = true;
    await jest.advanceTimersByTimeAsync(3_600_000);
    expect(hub.parcels).toEqual([]);
  });

  it('asks all instances once in two seconds, however many look', async () => {
    const apps = [await instance(), await instance(), await instance()];
    const messages: string[] = [];
    const publish = hub.publish.bind(hub);
    hub.publish = (name, message) => {
      messages.push(name);
      publish(name, message);
    };
    for (let second = 0; second < 10; second++) {
      for (const app of apps) await viewOf(app).look();
      await jest.advanceTimersByTimeAsync(1_000);
    }
    expect(messages).toEqual(['look', 'look', 'look', 'look', 'look']);
  });

  it('keeps who is gone for half a minute, with its age, but not who has said so', async () => {
    const [one, crashed, closed] = [await instance(), await instance(), await instance()];
    const names = async () => (await seenBy(one)).map(({ instance: name }) => name);
    const gone = viewOf(crashed).instance;
    expect(await names()).toHaveLength(3);
    hub.links[1]?.crash();
    await closed.close();
    jest.useFakeTimers();
    await jest.advanceTimersByTimeAsync(20_000);
    expect(await names()).toEqual([viewOf(one).instance, gone]);
    expect((await viewOf(one).look())[1]?.ageMs).toBeGreaterThanOrEqual(20_000);
    await jest.advanceTimersByTimeAsync(11_000);
    expect(await names()).toEqual([viewOf(one).instance]);
  });

  it('has this instance alone while the others are not reached', async () => {
    const [one] = [await instance(), await instance()];
    await seenBy(one);
    hub.links[0]?.cut();
    expect((await viewOf(one).look()).map(({ instance: name }) => name)).toEqual([
      viewOf(one).instance,
    ]);
  });

  it('does not believe what no instance shows', async () => {
    const one = await instance();
    const good = { library: '1.0.0', upMs: 5, chaos: false, policies: [] };
    const policy = { section: 'breakers', name: 'payments', state: 'OPEN', status: 'degraded' };
    const { shown } = hub.boards.snapshots;
    const wrong: unknown[] = [
      null,
      'text',
      [],
      {},
      { ...good, version: 5 },
      { ...good, version: 'x'.repeat(101) },
      { ...good, library: '' },
      { ...good, upMs: Number.NaN },
      { ...good, upMs: -1 },
      { ...good, chaos: 'yes' },
      { ...good, policies: {} },
      { ...good, policies: [null] },
      { ...good, policies: [{ ...policy, state: { toString: 'x' } }] },
      { ...good, policies: [{ ...policy, status: 'fine' }] },
      { ...good, policies: [{ ...policy, name: 'x'.repeat(301) }] },
      { ...good, policies: Array.from({ length: 501 }, () => policy) },
    ];
    for (const [n, snapshot] of wrong.entries())
      shown.set(`wrong-${n}`, { at: hub.now(), snapshot });
    shown.set('right', {
      at: hub.now(),
      snapshot: { ...good, policies: [{ ...policy, more: 1 }], more: 1 },
    });
    const all = await viewOf(one).look();
    expect(all.slice(1)).toEqual([{ ...good, instance: 'right', ageMs: 0, policies: [policy] }]);
    expect(JSON.stringify(one.metrics.snapshot())).toContain('fleet.refused');
  });

  it('leaves out of which nothing can be told, such as what a test has put in the place of a policy', () => {
    const broken = {
      name: 'fake',
      snapshot: () => ({}),
      health: () => {
        throw new TypeError('getSnapshot is not a function');
      },
    };
    expect(policiesOf([{ stage: 'x', section: 'x', instances: [broken] }])).toEqual([]);
  });

  it('shows of too many policies those that are not well', () => {
    const view = (name: string, status: 'up' | 'degraded') => ({
      name,
      snapshot: () => ({}),
      health: () => ({ status }),
    });
    const stages = (nameLength: number) => [
      {
        stage: 'bulkhead',
        section: 'bulkheads',
        instances: [
          ...Array.from({ length: 600 }, (_, n) => view(`${n}`.padEnd(nameLength), 'up')),
          view('sick', 'degraded'),
        ],
      },
    ];
    const shown = policiesOf(stages(5));
    expect([shown.length, shown[0]?.name]).toEqual([500, 'sick']);
    const long = policiesOf(stages(300));
    expect(long[0]?.name).toBe('sick');
    expect(JSON.stringify(long).length).toBeLessThanOrEqual(60_001);
    expect(snapshotFrom({ library: '1', upMs: 0, chaos: false, policies: long })).toBeDefined();
  });
});

it('The library knows its own release', () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  expect(VERSION).toBe(version);
});
