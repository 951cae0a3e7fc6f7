import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  Chaos,
  type ChaosRule,
  CircuitBreakerPolicy,
  CircuitState,
  ResilienceConfigurationError,
  type ResilienceModuleOptions,
} from '../../lib/index.js';
import { MemoryFleet, settled } from '../support/memory-fleet.js';
import { booting, type ResilienceApp } from '../support/resilience-app.js';

const boot = booting();
const up = async () => 'done';
const byTenant = { key: (tenant: string) => tenant };

let hub: MemoryFleet;
beforeEach(() => {
  hub = new MemoryFleet();
});

const instance = (options: ResilienceModuleOptions = {}) =>
  boot({ breakers: { payments: {} }, ...options, fleet: hub.fleet() });

const two = async (options?: ResilienceModuleOptions) =>
  [await instance(options), await instance(options)] as const;

const stateOf = ({ breakers }: ResilienceApp, name = 'payments') => breakers.get(name).getState();
const linkOf = (app: ResilienceApp, apps: readonly ResilienceApp[]) =>
  hub.links[apps.indexOf(app)] as MemoryFleet['links'][number];

describe('A breaker that is told something with { fleet: true }', () => {
  it('stays open by force in all instances, also in one that starts later', async () => {
    const [one, other] = await two();
    one.breakers.get('payments').forceOpen({ fleet: true });
    await settled();
    expect([stateOf(one), stateOf(other)]).toEqual(['FORCED_OPEN', 'FORCED_OPEN']);
    const late = await instance();
    expect(stateOf(late)).toBe('FORCED_OPEN');
  });

  it('is disabled and reset in all of them', async () => {
    const [one, other] = await two();
    other.breakers.get('payments').disable({ fleet: true });
    await settled();
    expect([stateOf(one), stateOf(other)]).toEqual(['DISABLED', 'DISABLED']);
    one.breakers.get('payments').reset({ fleet: true });
    await settled();
    expect([stateOf(one), stateOf(other)]).toEqual(['CLOSED', 'CLOSED']);
    expect(stateOf(await instance())).toBe('CLOSED');
  });

  it('says why it changed its state, and by whom', async () => {
    const [one, other] = await two();
    const by = hub.links[0]?.instance;
    const events = new Map<ResilienceApp, unknown[]>();
    for (const app of [one, other]) {
      const heard: unknown[] = [];
      events.set(app, heard);
      app.events.events$.subscribe(({ timestamp: _, ...event }) => heard.push(event));
    }
    for (const action of ['forceOpen', 'disable', 'reset'] as const) {
      one.breakers.get('payments')[action]({ fleet: true });
      await settled();
    }
    const reasons = (app: ResilienceApp) =>
      events.get(app)?.map((event) => {
        const { reason, by: who } = event as { reason: string; by?: string };
        return [reason, who];
      });
    expect(reasons(one)).toEqual([
      ['forced-open', undefined],
      ['disabled', undefined],
      ['reset', undefined],
    ]);
    expect(reasons(other)).toEqual([
      ['fleet-forced', by],
      ['fleet-disabled', by],
      ['fleet-reset', by],
    ]);
  });

  it('says who has told it so, here and in all others', async () => {
    const [one, other] = await two();
    const told: [ResilienceApp, string | undefined][] = [];
    for (const app of [one, other])
      app.events.events$.subscribe((event) => {
        if (event.type === 'circuit-state') told.push([app, event.by]);
      });
    one.breakers.get('payments').forceOpen({ fleet: true, by: 'alice' });
    await settled();
    one.breakers.get('payments').reset({ by: 'bob' });
    expect(told).toEqual([
      [one, 'alice'],
      [other, `alice at ${hub.links[0]?.instance}`],
      [one, 'bob'],
    ]);
    expect(() => one.breakers.get('payments').reset({ by: 'two\nlines' })).toThrow(
      'by: is "two\\nlines"; allowed: a name of 1 to 100 characters',
    );
  });

  it('keeps that without the store, and catches up when the store is back', async () => {
    const apps = await two();
    const [one, other] = apps;
    one.breakers.get('payments').forceOpen({ fleet: true });
    await settled();
    linkOf(other, apps).cut();
    await jest.advanceTimersByTimeAsync(3_600_000);
    expect(stateOf(other)).toBe('FORCED_OPEN');
    one.breakers.get('payments').reset({ fleet: true });
    await settled();
    expect(stateOf(other)).toBe('FORCED_OPEN');
    await linkOf(other, apps).mend();
    expect(stateOf(other)).toBe('CLOSED');
  });

  it('goes by what this instance alone is told, until the fleet is told something newer', async () => {
    const apps = await two();
    const [one, other] = apps;
    one.breakers.get('payments').forceOpen({ fleet: true });
    await settled();
    other.breakers.get('payments').reset();
    linkOf(other, apps).cut();
    await linkOf(other, apps).mend();
    expect([stateOf(one), stateOf(other)]).toEqual(['FORCED_OPEN', 'CLOSED']);
    one.breakers.get('payments').disable({ fleet: true });
    await settled();
    expect(stateOf(other)).toBe('DISABLED');
  });

  it('does not forget what it has learnt by a reset of the time in which it was cut off', async () => {
    const options = { breakers: { payments: { failureThreshold: 1 } } };
    const apps = await two(options);
    const [one, other] = apps;
    linkOf(other, apps).cut();
    one.breakers.get('payments').reset({ fleet: true });
    await jest.advanceTimersByTimeAsync(1_000);
    const failing = () => Promise.reject(new Error('down'));
    await other.breakers
      .get('payments')
      .execute(failing)
      .catch(() => undefined);
    await linkOf(other, apps).mend();
    expect(stateOf(other)).toBe('OPEN');
    one.breakers.get('payments').reset({ fleet: true });
    await settled();
    expect(stateOf(other)).toBe('CLOSED');
  });

  it('is closed for good, where it is shared and all of them have opened it', async () => {
    const shared = { breakers: { payments: { failureThreshold: 1, shared: { quorum: 1 } } } };
    for (const isForced of [false, true]) {
      hub = new MemoryFleet();
      const apps = await two(shared);
      const failing = () => Promise.reject(new Error('down'));
      const [one, other] = apps.map(({ breakers }) => breakers.get('payments'));
      await one?.execute(failing).catch(() => undefined);
      await settled();
      expect(apps.map((app) => stateOf(app))).toEqual(['OPEN', 'OPEN']);
      if (isForced) one?.forceOpen({ fleet: true });
      await settled();
      other?.reset({ fleet: true });
      await settled();
      expect(apps.map((app) => stateOf(app))).toEqual(['CLOSED', 'CLOSED']);
      expect(stateOf(await instance(shared))).toBe('CLOSED');
    }
  });

  it('is left alone where this release does not know the name, and obeys when it is made', async () => {
    const one = await instance({ breakers: { payments: {}, search: {} } });
    const other = await instance();
    one.breakers.get('search').forceOpen({ fleet: true });
    await settled();
    other.pipeline({ name: 'search', circuitBreaker: {} });
    expect(stateOf(other, 'search')).toBe('FORCED_OPEN');
  });

  it('throws without a fleet, and does nothing', async () => {
    const app = await boot({ breakers: { payments: {} } });
    for (const breaker of [app.breakers.get('payments'), new CircuitBreakerPolicy('payments')]) {
      expect(() => breaker.forceOpen({ fleet: true })).toThrow(
        new ResilienceConfigurationError(
          'circuit breaker "payments".fleet',
          'is true, and the application has no fleet; allowed: with one, such as ResilienceModule.forRoot({ fleet: new RedisFleet({ client, namespace }) })',
        ),
      );
      breaker.disable({ fleet: false });
      expect(breaker.getState()).toBe(CircuitState.DISABLED);
    }
    expect(() => app.breakers.get('payments').reset({ fleets: true } as object)).toThrow(
      'circuit breaker "payments".fleets: there is no such option; known: fleet, by; did you mean fleet?',
    );
  });
});

describe('Breakers by key that are told something with { fleet: true }', () => {
  const partner = { breakers: { partner: byTenant } };
  const keyed = async () => {
    const apps = await two(partner);
    const calls = apps.map((app) => app.pipeline({ name: 'charge', circuitBreaker: 'partner' }));
    const call = (n: 0 | 1, tenant: string) =>
      calls[n]?.execute(up, { args: [tenant] }).catch(({ code }: { code: string }) => code);
    return { apps, call };
  };

  it('obey one by one', async () => {
    const { apps, call } = await keyed();
    await call(0, 'acme');
    apps[0].breakers.get('partner[acme]').forceOpen({ fleet: true });
    await settled();
    expect(await call(1, 'acme')).toBe('CIRCUIT_OPEN'); // which comes for the first time
    expect(await call(1, 'other')).toBe('done');
  });

  it('tell of another breaker that is forced because of them', async () => {
    const apps = await two({ breakers: { partner: byTenant, payments: {} } });
    apps[0].events.events$.subscribe((event) => {
      if (event.type === 'circuit-state' && event.breaker.startsWith('partner'))
        apps[0].breakers.get('payments').disable({ fleet: true });
    });
    apps[0].breakers.keyed('partner').forKey('acme');
    apps[0].breakers.keyed('partner').forAll((breaker) => breaker.forceOpen({ fleet: true }));
    await settled();
    expect(apps.map((app) => stateOf(app))).toEqual(['DISABLED', 'DISABLED']);
    expect(apps[1].breakers.keyed('partner').forKey('acme').getState()).toBe('FORCED_OPEN');
  });

  it('obey all together, also those that are made later', async () => {
    const { apps, call } = await keyed();
    await call(0, 'acme');
    await call(1, 'acme');
    apps[0].breakers.keyed('partner').forAll((breaker) => breaker.forceOpen({ fleet: true }));
    await settled();
    expect([...hub.boards.register.store.records.keys()]).toEqual(['breakers/partner[*]']);
    expect(await call(1, 'acme')).toBe('CIRCUIT_OPEN');
    expect(await call(1, 'new')).toBe('CIRCUIT_OPEN');
    expect(await call(0, 'new')).toBe('CIRCUIT_OPEN');
    apps[1].breakers.keyed('partner').forAll((breaker) => breaker.reset({ fleet: true }));
    await settled();
    expect(await Promise.all([call(0, 'acme'), call(0, 'new'), call(1, 'newer')])).toEqual([
      'done',
      'done',
      'done',
    ]);
  });

  it('are told all together also where there is none yet, of which nothing is seen', async () => {
    const { apps, call } = await keyed();
    const events: unknown[] = [];
    apps[0].events.events$.subscribe((event) => events.push(event));
    apps[0].breakers.keyed('partner').forAll((breaker) => breaker.forceOpen({ fleet: true }));
    await settled();
    expect([events, apps[0].breakers.list()]).toEqual([[], []]);
    expect(await call(1, 'acme')).toBe('CIRCUIT_OPEN');
  });

  it('do not tell the fleet again when one is made to which it was said before', async () => {
    const { apps, call } = await keyed();
    apps[0].breakers.keyed('partner').forAll((breaker) => breaker.forceOpen({ fleet: true }));
    await settled();
    apps[1].breakers.keyed('partner').forAll((breaker) => breaker.reset({ fleet: true }));
    await settled();
    await call(0, 'acme');
    await settled();
    expect([await call(0, 'acme'), await call(1, 'acme')]).toEqual(['done', 'done']);
  });

  it('go by what was told later: of one of them, or of all', async () => {
    const { apps, call } = await keyed();
    await call(0, 'acme');
    apps[0].breakers.keyed('partner').forAll((breaker) => breaker.forceOpen({ fleet: true }));
    apps[0].breakers.get('partner[acme]').reset({ fleet: true });
    await settled();
    expect([await call(1, 'acme'), await call(1, 'other')]).toEqual(['done', 'CIRCUIT_OPEN']);
    apps[0].breakers.keyed('partner').forAll((breaker) => breaker.disable({ fleet: true }));
    apps[0].breakers.get('partner[acme]').forceOpen();
    await settled();
    expect(await call(1, 'acme')).toBe('done');
    const late = await instance(partner);
    expect(late.breakers.keyed('partner').forKey('acme').getState()).toBe('DISABLED');
  });
});

describe('Chaos that is stopped with { fleet: true }', () => {
  const rule: ChaosRule = { operations: '*', error: true };
  const chaosOf = ({ module }: ResilienceApp) => module.get(Chaos);

  it('ends in all instances', async () => {
    const [one, other] = await two({ chaos: { rules: [rule] } });
    chaosOf(one).stopAll({ fleet: true });
    await settled();
    expect([chaosOf(one).isOn, chaosOf(other).isOn]).toEqual([false, false]);
  });

  it('ends in one that was cut off when it is back, but not what was added there since', async () => {
    const apps = await two({ chaos: { rules: [rule] } });
    const [one, other] = apps;
    linkOf(other, apps).cut();
    chaosOf(one).stopAll({ fleet: true });
    await jest.advanceTimersByTimeAsync(60_000);
    chaosOf(other).add({ ...rule, id: 'added-since' });
    await linkOf(other, apps).mend();
    expect(
      chaosOf(other)
        .list()
        .map(({ id }) => id),
    ).toEqual(['added-since']);
  });

  it('goes on in one that starts later with rules of its own', async () => {
    const one = await instance({ chaos: { rules: [rule] } });
    chaosOf(one).stopAll({ fleet: true });
    await jest.advanceTimersByTimeAsync(60_000);
    const late = await instance({ chaos: { rules: [rule] } });
    expect(chaosOf(late).isOn).toBe(true);
    chaosOf(one).stopAll({ fleet: true });
    await settled();
    expect(chaosOf(late).isOn).toBe(false);
  });

  it('throws without a fleet, and goes on', async () => {
    const app = await boot({ chaos: { rules: [rule] } });
    expect(() => chaosOf(app).stopAll({ fleet: true })).toThrow(
      'Chaos.stopAll().fleet: is true, and the application has no fleet',
    );
    expect(chaosOf(app).isOn).toBe(true);
  });
});
