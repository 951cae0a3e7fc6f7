import { describe, expect, it, jest } from '@jest/globals';
import { Injectable, Scope } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { lastValueFrom, Observable, of, throwError } from 'rxjs';
import {
  CircuitBreaker,
  CircuitBreakerOpenError,
  type CircuitBreakerPolicy,
  getCircuitBreakerToken,
  type KeyedPolicies,
  Resilience,
  ResilienceConfigurationError,
  type ResilienceEvent,
  ResilienceService,
  Retry,
} from '../../lib/index.js';
import { booting, Deferred, failure, flush, watch } from '../support/resilience-app.js';

const boot = booting();
const ONCE = { failureThreshold: 1, timeoutMs: 1_000 };
const byTenant = (tenant: string) => tenant;
const fails = () => Promise.reject(new Error('down'));
const answers = async () => 'answer';

/** Calls a pipeline for a tenant. */
const callsOf =
  (pipeline: ReturnType<Awaited<ReturnType<typeof boot>>['pipeline']>) =>
  (tenant: unknown, fn: () => Promise<unknown> = answers) =>
    pipeline.execute(fn, { args: [tenant] });

describe('A breaker by key', () => {
  it('opens for the key that fails, and for no other', async () => {
    const app = await boot({ breakers: { partner: { ...ONCE, key: byTenant } } });
    const call = callsOf(app.pipeline({ circuitBreaker: 'partner' }));
    await failure(call('sick', fails));
    expect(await failure(call('sick'))).toMatchObject({
      code: 'CIRCUIT_OPEN',
      breaker: 'partner[sick]',
    });
    expect(await call('well')).toBe('answer');
    expect(app.breakers.get('partner[sick]').getState()).toBe('OPEN');
    expect(app.breakers.get('partner[well]').getState()).toBe('CLOSED');
  });

  it('recovers on its own', async () => {
    const app = await boot({ breakers: { partner: { ...ONCE, key: byTenant } } });
    const call = callsOf(app.pipeline({ circuitBreaker: 'partner' }));
    await failure(call('sick', fails));
    jest.advanceTimersByTime(1_000);
    await call('sick');
    await call('sick');
    expect(app.breakers.get('partner[sick]').getState()).toBe('CLOSED');
  });

  it('is the same for equal keys of different operations, each with a key function of its own', async () => {
    const app = await boot({ breakers: { partner: ONCE } });
    const one = app.pipeline({ name: 'one', circuitBreaker: { name: 'partner', key: byTenant } });
    const other = app.pipeline({
      name: 'other',
      circuitBreaker: { name: 'partner', key: (_id: number, tenant: string) => tenant },
    });
    await failure(one.execute(fails, { args: ['acme'] }));
    expect(await failure(other.execute(answers, { args: [7, 'acme'] }))).toBeInstanceOf(
      CircuitBreakerOpenError,
    );
  });

  it('of an operation alone has the name of the operation', async () => {
    const app = await boot();
    const pipeline = app.pipeline({ name: 'charge', circuitBreaker: { ...ONCE, key: byTenant } });
    await pipeline.execute(answers, { args: ['acme'] });
    expect(app.breakers.list().map(({ name }) => name)).toEqual(['charge[acme]']);
    pipeline.dispose();
    expect(app.breakers.list()).toEqual([]);
  });

  it('judges results as any breaker does', async () => {
    const isFailureResult = (answer: unknown) => answer === 'bad';
    const app = await boot({ breakers: { partner: { ...ONCE, isFailureResult, key: byTenant } } });
    const call = callsOf(app.pipeline({ circuitBreaker: 'partner' }));
    expect(await call('sick', async () => 'bad')).toBe('bad');
    expect(await failure(call('sick'))).toBeInstanceOf(CircuitBreakerOpenError);
    expect(await call('well')).toBe('answer');
  });

  it('takes numbers for what they are as text', async () => {
    const app = await boot({ breakers: { partner: { ...ONCE, key: (id: number) => id } } });
    const call = callsOf(app.pipeline({ circuitBreaker: 'partner' }));
    await failure(call(7, fails));
    expect(app.breakers.get('partner[7]').getState()).toBe('OPEN');
    expect(await failure(call('7'))).toBeInstanceOf(CircuitBreakerOpenError);
  });
});

describe('A key of a method', () => {
  @Injectable()
  class Partner {
    baseUrl = 'https://one.example';
    isDown = false;

    @CircuitBreaker({
      failureThreshold: 1,
      key(this: Partner) {
        return this.baseUrl;
      },
    })
    async charge(): Promise<string> {
      if (this.isDown) throw new Error('down');
      return this.baseUrl;
    }

    @CircuitBreaker('shared', { key: (tenant: string) => tenant })
    async promise(_tenant: string): Promise<string> {
      if (this.isDown) throw new Error('down');
      return 'answer';
    }

    @CircuitBreaker('shared', { key: (_id: number, tenant: string) => tenant })
    observable(_id: number, _tenant: string): Observable<string> {
      return this.isDown ? throwError(() => new Error('down')) : of('answer');
    }

    @CircuitBreaker('shared', { key: (tenant: string) => tenant })
    async *generator(_tenant: string): AsyncGenerator<string> {
      if (this.isDown) throw new Error('down');
      yield 'answer';
    }
  }

  @Injectable({ scope: Scope.TRANSIENT })
  class Transient extends Partner {}

  @Injectable({ scope: Scope.REQUEST })
  class OfRequest extends Partner {}

  const options = { breakers: { shared: ONCE } };

  it.each([
    ['a singleton', Partner],
    ['a transient one', Transient],
    ['one of a request', OfRequest],
  ])('is asked of the object whose method is called: %s', async (_scope, type) => {
    const app = await boot(options, [type]);
    const make = () =>
      type === Partner
        ? Promise.resolve(app.module.get(Partner))
        : app.module.get(ModuleRef).resolve(type as typeof Partner, undefined, { strict: false });
    const one = await make();
    one.isDown = true;
    await failure(one.charge());
    expect(await failure(one.charge())).toBeInstanceOf(CircuitBreakerOpenError);
    const other = await make();
    other.isDown = false;
    other.baseUrl = 'https://two.example';
    expect(await other.charge()).toBe('https://two.example');
  });

  it.each([
    ['promise', (partner: Partner, tenant: string) => partner.promise(tenant)],
    [
      'Observable',
      (partner: Partner, tenant: string) => lastValueFrom(partner.observable(1, tenant)),
    ],
    [
      'async generator',
      async (partner: Partner, tenant: string) => (await partner.generator(tenant).next()).value,
    ],
  ])('is asked for each call that answers by a %s', async (_kind, call) => {
    const app = await boot(options, [Partner]);
    const partner = app.module.get(Partner);
    partner.isDown = true;
    await failure(call(partner, 'sick'));
    partner.isDown = false;
    expect(await failure(call(partner, 'sick'))).toMatchObject({ breaker: 'shared[sick]' });
    expect(await call(partner, 'well')).toBe('answer');
    await expect(call(partner, 'well')).resolves.toBe('answer');
  });

  it('of a bundle is asked for each of its operations', async () => {
    @Injectable()
    class Client {
      @Resilience('partner')
      async call(_tenant: string, fn: () => Promise<unknown>): Promise<unknown> {
        return fn();
      }
    }
    const app = await boot(
      { services: { partner: { circuitBreaker: { ...ONCE, key: byTenant } } } },
      [Client],
    );
    const client = app.module.get(Client);
    await failure(client.call('sick', fails));
    expect(await failure(client.call('sick', answers))).toMatchObject({ breaker: 'partner[sick]' });
    expect(await client.call('well', answers)).toBe('answer');
    const service = app.module.get(ResilienceService);
    const executed = service.execute('partner', answers, { args: ['sick'] });
    expect(await failure(executed)).toBeInstanceOf(CircuitBreakerOpenError);
  });
});

describe('A call whose key is none', () => {
  const bad: [string, unknown, RegExp][] = [
    [
      'throws',
      () => {
        throw new Error('no tenant');
      },
      /\.key: threw "no tenant"/,
    ],
    ['answers nothing', () => undefined, /\.key: answered undefined; allowed: a non-empty string/],
    ['answers an empty text', () => '', /\.key: answered ""/],
    ['answers NaN', () => Number.NaN, /\.key: answered NaN/],
    ['answers an object', () => ({ id: 1 }), /\.key: answered \{"id":1\}/],
    [
      'answers a promise',
      () => Promise.resolve('acme'),
      /\.key: answered a promise; it has to answer at once/,
    ],
    [
      'answers a promise that is rejected',
      () => Promise.reject(new Error('x')),
      /answered a promise/,
    ],
    [
      'answers what cannot be looked into',
      () => ({
        // biome-ignore lint/suspicious/noThenProperty: it may look like a promise
        get then(): never {
          throw new Error('unreadable');
        },
      }),
      /answered an object/,
    ],
    [
      'answers a promise that cannot be asked',
      () => ({
        // biome-ignore lint/suspicious/noThenProperty: so are promises of others
        then: () => {
          throw new Error('unusable');
        },
      }),
      /answered a promise/,
    ],
  ];

  it.each(bad)(
    'fails by a mistake in the configuration where the function %s',
    async (_how, key, message) => {
      const app = await boot();
      const pipeline = app.pipeline({
        name: 'charge',
        retry: { maxAttempts: 3, baseDelayMs: 0, retryableErrors: () => true },
        circuitBreaker: { ...ONCE, key: key as () => string },
      });
      const called = jest.fn(answers);
      const error = await failure(pipeline.execute(called));
      expect(error).toBeInstanceOf(ResilienceConfigurationError);
      expect((error as Error).message).toMatch(message);
      expect((error as Error).message).toContain('pipeline "charge".circuitBreaker.key');
      expect(called).not.toHaveBeenCalled();
      expect(app.metrics.get('retry.attempt')).toBe(0);
    },
  );

  it('says what the function threw', async () => {
    const thrown = new Error('no tenant');
    const app = await boot();
    const key = (): string => {
      throw thrown;
    };
    const pipeline = app.pipeline({ circuitBreaker: { key } });
    expect(await failure(pipeline.execute(answers))).toMatchObject({ cause: thrown });
  });

  it('counts as no failure of the stages around, and leaves no permit with them', async () => {
    const app = await boot({ bulkheads: { narrow: { maxConcurrent: 1, queueLimit: 0 } } });
    let tenant: string | undefined;
    const pipeline = app.pipeline({
      circuitBreaker: { failureThreshold: 1, isFailure: () => true },
      bulkhead: { name: 'narrow', key: () => tenant as string },
    });
    for (let call = 0; call < 3; call++)
      expect(await failure(pipeline.execute(answers))).toBeInstanceOf(ResilienceConfigurationError);
    tenant = 'acme';
    expect(await pipeline.execute(answers)).toBe('answer');
    expect(await pipeline.execute(answers)).toBe('answer');
  });

  it.each(['a straight call', 'a call with a timeout', 'a hedged call'])(
    'fails so in %s as well',
    async (how) => {
      const app = await boot();
      const own = {
        'a call with a timeout': { timeoutMs: 100 },
        'a hedged call': { hedge: { delayMs: 5 } },
      }[how];
      const pipeline = app.pipeline({ ...own, circuitBreaker: { key: () => '' } });
      expect(await failure(pipeline.execute(answers))).toBeInstanceOf(ResilienceConfigurationError);
    },
  );
});

describe('A key that is too long, or would break lines', () => {
  it('stands by a hash, of which the beginning can be read', async () => {
    const app = await boot({ breakers: { partner: { ...ONCE, key: byTenant } } });
    const call = callsOf(app.pipeline({ circuitBreaker: 'partner' }));
    const long = 'x'.repeat(1_000_000);
    await failure(call(long, fails));
    await call(`${long}y`);
    await call('two\nlines');
    await call('two\u2028lines');
    const names = app.breakers.list().map(({ name }) => name);
    expect(names).toHaveLength(4);
    for (const name of names) {
      expect(name.length).toBeLessThan(120);
      expect(name).not.toMatch(/[\n\u2028]/);
    }
    expect(await failure(call(long))).toBeInstanceOf(CircuitBreakerOpenError);
    expect(app.breakers.keyed('partner').has(long)).toBe(true);
  });
});

describe('Where there are more keys than places', () => {
  const bounded = { breakers: { partner: { ...ONCE, key: byTenant, maxKeys: 3, idleMs: 60_000 } } };
  const keysOf = (app: Awaited<ReturnType<typeof boot>>) => app.breakers.keyed('partner').keys();

  it('the one that has been idle longest goes', async () => {
    const app = await boot(bounded);
    const call = callsOf(app.pipeline({ circuitBreaker: 'partner' }));
    for (const tenant of ['a', 'b', 'c', 'a', 'd']) {
      jest.advanceTimersByTime(1);
      await call(tenant);
    }
    expect(keysOf(app)).toEqual(['c', 'a', 'd']);
  });

  it('an open one stays, also when its time is over', async () => {
    const app = await boot(bounded);
    const call = callsOf(app.pipeline({ circuitBreaker: 'partner' }));
    await failure(call('sick', fails));
    jest.advanceTimersByTime(2_000);
    for (const tenant of ['a', 'b', 'c', 'd', 'e']) await call(tenant);
    expect(keysOf(app)).toContain('sick');
    expect(app.breakers.get('partner[sick]').getState()).toBe('OPEN');
    expect(keysOf(app)).toHaveLength(3);
  });

  it('one that a call is in stays', async () => {
    const app = await boot(bounded);
    const call = callsOf(app.pipeline({ circuitBreaker: 'partner' }));
    const open = new Deferred<unknown>();
    const running = call('busy', () => open.promise);
    for (const tenant of ['a', 'b', 'c', 'd', 'e']) await call(tenant);
    expect(keysOf(app)).toContain('busy');
    open.resolve(1);
    await running;
    for (const tenant of ['a', 'b', 'c']) await call(tenant);
    expect(keysOf(app)).not.toContain('busy');
  });

  it('keys share one while all have to stay, and have their own again when one may go', async () => {
    const app = await boot(bounded);
    const call = callsOf(app.pipeline({ circuitBreaker: 'partner' }));
    for (const tenant of ['a', 'b', 'c']) await failure(call(tenant, fails));
    await call('d');
    expect(keysOf(app)).toHaveLength(3);
    await failure(call('e', fails));
    expect(await failure(call('d'))).toMatchObject({ breaker: 'partner[]' });
    expect(app.breakers.get('partner[]').getState()).toBe('OPEN');
    app.breakers.get('partner[b]').reset();
    expect(await call('d')).toBe('answer');
    expect(keysOf(app)).toContain('d');
    expect(keysOf(app)).not.toContain('b');
  });

  it('one that was open goes when it has closed', async () => {
    const app = await boot(bounded);
    const call = callsOf(app.pipeline({ circuitBreaker: 'partner' }));
    await failure(call('sick', fails));
    jest.advanceTimersByTime(1_000);
    await call('sick');
    await call('sick');
    for (const tenant of ['a', 'b', 'c']) {
      jest.advanceTimersByTime(1);
      await call(tenant);
    }
    expect(keysOf(app)).toEqual(['a', 'b', 'c']);
  });
});

describe('One that is idle', () => {
  const bounded = { breakers: { partner: { ...ONCE, key: byTenant, idleMs: 10_000 } } };

  it('is forgotten after idleMs, by the next call or the next look, without a timer', async () => {
    const app = await boot(bounded);
    const call = callsOf(app.pipeline({ circuitBreaker: 'partner' }));
    await call('a');
    jest.advanceTimersByTime(5_000);
    await call('b');
    expect(jest.getTimerCount()).toBe(0);
    jest.advanceTimersByTime(5_000);
    expect(app.breakers.keyed('partner').keys()).toEqual(['b']);
    jest.advanceTimersByTime(20_000);
    await call('c');
    expect(app.breakers.keyed('partner').size).toBe(1);
  });

  it('and open is forgotten as well, but not before its time is over', async () => {
    const app = await boot({
      breakers: { partner: { ...ONCE, timeoutMs: 30_000, key: byTenant, idleMs: 10_000 } },
    });
    const call = callsOf(app.pipeline({ circuitBreaker: 'partner' }));
    await failure(call('sick', fails));
    jest.advanceTimersByTime(20_000);
    await call('a');
    expect(app.breakers.keyed('partner').has('sick')).toBe(true);
    jest.advanceTimersByTime(10_000);
    await call('a');
    expect(app.breakers.keyed('partner').has('sick')).toBe(false);
  });

  it('is forgotten as well where it is the one that keys without a place share', async () => {
    const app = await boot({
      breakers: { partner: { ...ONCE, key: byTenant, idleMs: 10_000, maxKeys: 1 } },
    });
    const call = callsOf(app.pipeline({ circuitBreaker: 'partner' }));
    for (const tenant of ['sick', 'sick as well']) await failure(call(tenant, fails));
    expect(app.breakers.list().map(({ name }) => name)).toEqual(['partner[sick]', 'partner[]']);
    jest.advanceTimersByTime(9_999);
    expect(app.breakers.list()).toHaveLength(2);
    jest.advanceTimersByTime(1);
    expect(app.breakers.list()).toEqual([]);
    expect(app.metrics.get('circuit.state', { breaker: 'partner' })).toBe(0);
    for (const tenant of ['sick', 'sick as well']) await failure(call(tenant, fails));
    expect(await failure(call('another'))).toMatchObject({ breaker: 'partner[]' });
  });

  it('is never forgotten while somebody has forced its state', async () => {
    const app = await boot(bounded);
    const call = callsOf(app.pipeline({ circuitBreaker: 'partner' }));
    app.breakers.keyed('partner').forKey('barred').forceOpen();
    jest.advanceTimersByTime(1_000_000);
    expect(await failure(call('barred'))).toBeInstanceOf(CircuitBreakerOpenError);
  });
});

describe('All of a name', () => {
  it('can be asked for by the registry and by injection', async () => {
    const app = await boot({ breakers: { partner: { ...ONCE, key: byTenant } } });
    const keyed = app.breakers.keyed('partner');
    expect(app.module.get(getCircuitBreakerToken('partner'))).toBe(keyed);
    const breaker: CircuitBreakerPolicy = keyed.forKey('acme');
    expect(breaker).toBe(app.breakers.get('partner[acme]'));
    expect(keyed.list()).toEqual([breaker]);
    expect(app.breakers.list()).toEqual([breaker]);
    expect(app.breakers.has('partner[acme]')).toBe(true);
    expect(app.breakers.has('partner[other]')).toBe(false);
    expect(app.breakers.has('partner')).toBe(false);
    expect(() => app.breakers.get('partner')).toThrow(
      /is one for each key; allowed: keyed\("partner"\)/,
    );
    expect(keyed.forget('acme')).toBe(true);
    expect(keyed.forget('acme')).toBe(false);
    expect(keyed.size).toBe(0);
    expect(() => keyed.forKey('')).toThrow(/circuit breaker "partner"\.key: answered ""/);
  });

  it('are not there where there is one for all calls', async () => {
    const app = await boot({ breakers: { plain: {} } });
    expect(() => app.breakers.keyed('plain')).toThrow(/is one for all calls/);
  });

  it('can be forced, with those that come later, until something else is said', async () => {
    const app = await boot({ breakers: { partner: { ...ONCE, key: byTenant } } });
    const call = callsOf(app.pipeline({ circuitBreaker: 'partner' }));
    await call('a');
    const keyed: KeyedPolicies<CircuitBreakerPolicy> = app.breakers.keyed('partner');
    keyed.forAll((breaker) => breaker.forceOpen());
    for (const tenant of ['a', 'later'])
      expect(await failure(call(tenant))).toBeInstanceOf(CircuitBreakerOpenError);
    keyed.forAll((breaker) => breaker.reset());
    for (const tenant of ['a', 'later', 'latest']) expect(await call(tenant)).toBe('answer');
  });

  it('stay for what was said of them alone, and not for what was said of all', async () => {
    const app = await boot({ breakers: { partner: { ...ONCE, key: byTenant, maxKeys: 2 } } });
    const keyed = app.breakers.keyed('partner');
    keyed.forAll((breaker) => breaker.forceOpen());
    const call = callsOf(app.pipeline({ circuitBreaker: 'partner' }));
    keyed.forKey('well').reset();
    for (const tenant of ['a', 'b', 'c', 'well']) watch(call(tenant));
    await flush();
    expect(keyed.keys().sort()).toEqual(['c', 'well']);
    expect(await call('well')).toBe('answer');
    keyed.forAll((breaker) => breaker.reset());
    for (const tenant of ['d', 'e']) await call(tenant);
    expect(keyed.keys()).toEqual(['d', 'e']);
  });

  it('one can be forced alone', async () => {
    const app = await boot({ breakers: { partner: { ...ONCE, key: byTenant } } });
    const call = callsOf(app.pipeline({ circuitBreaker: 'partner' }));
    app.breakers.keyed('partner').forKey('a').forceOpen();
    expect(await failure(call('a'))).toBeInstanceOf(CircuitBreakerOpenError);
    expect(await call('b')).toBe('answer');
  });

  it('go on for a call that runs when one is forgotten', async () => {
    const app = await boot({ breakers: { partner: { ...ONCE, key: byTenant } } });
    const call = callsOf(app.pipeline({ circuitBreaker: 'partner' }));
    const open = new Deferred<unknown>();
    const running = call('a', () => open.promise);
    app.breakers.keyed('partner').forget('a');
    const next = app.breakers.keyed('partner').forKey('a');
    next.forceOpen();
    open.reject(new Error('down'));
    await failure(running);
    jest.advanceTimersByTime(1_000_000);
    expect(await failure(call('a'))).toBeInstanceOf(CircuitBreakerOpenError);
    expect(app.breakers.keyed('partner').forKey('a')).toBe(next);
  });
});

describe('What tells of breakers by key', () => {
  it('describes the pattern', async () => {
    const app = await boot({ breakers: { partner: { ...ONCE, key: byTenant } } });
    app.pipeline({ name: 'charge', circuitBreaker: 'partner' });
    const [operation] = app.module.get(ResilienceService).describe();
    expect(operation?.stages.circuitBreaker).toMatchObject({
      name: 'partner[*]',
      failureThreshold: 1,
      key: byTenant,
      maxKeys: 1_000,
      idleMs: 600_000,
      keyLabel: false,
    });
  });

  it('says the key in events', async () => {
    const app = await boot({ breakers: { partner: { ...ONCE, key: byTenant } } });
    const events: ResilienceEvent[] = [];
    app.events.events$.subscribe((event) => events.push(event));
    const call = callsOf(app.pipeline({ circuitBreaker: 'partner' }));
    await failure(call('sick', fails));
    await failure(call('sick'));
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'circuit-state', breaker: 'partner[sick]', key: 'sick' }),
    );
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'circuit-rejected', breaker: 'partner[sick]', key: 'sick' }),
    );
  });

  it('counts under the name, of which the state is that of the worst key', async () => {
    const app = await boot({ breakers: { partner: { ...ONCE, key: byTenant, maxKeys: 2 } } });
    const call = callsOf(app.pipeline({ circuitBreaker: 'partner' }));
    const state = () => app.metrics.get('circuit.state', { breaker: 'partner' });
    await failure(call('a', fails));
    await failure(call('b', fails));
    await failure(call('a'));
    expect(app.metrics.get('circuit.open', { breaker: 'partner' })).toBe(2);
    expect(app.metrics.get('circuit.rejected', { breaker: 'partner' })).toBe(1);
    expect(state()).toBe(2);
    app.breakers.keyed('partner').forKey('a').reset();
    expect(state()).toBe(2);
    app.breakers.keyed('partner').forget('b');
    expect(state()).toBe(0);
    const names = new Set(app.metrics.snapshot().map(({ tags }) => tags.breaker));
    expect([...names].filter((name) => name?.includes('['))).toEqual([]);
  });

  it('has series of each key where that is asked for, which go with it', async () => {
    const app = await boot({
      breakers: { partner: { ...ONCE, key: byTenant, maxKeys: 2, keyLabel: true } },
    });
    const call = callsOf(app.pipeline({ circuitBreaker: 'partner' }));
    await failure(call('sick', fails));
    expect(app.metrics.get('circuit.state', { breaker: 'partner[sick]' })).toBe(2);
    for (let tenant = 0; tenant < 100; tenant++) await call(`tenant ${tenant}`);
    const of = app.metrics.snapshot().filter(({ tags }) => tags.breaker?.startsWith('partner['));
    expect(new Set(of.map(({ tags }) => tags.breaker))).toEqual(
      new Set(['partner[sick]', 'partner[tenant 99]']),
    );
    app.breakers.keyed('partner').forget('sick');
    expect(app.metrics.get('circuit.open', { breaker: 'partner[sick]' })).toBe(0);
  });

  it('shows all together, and the worst of them', async () => {
    const app = await boot({ breakers: { partner: { ...ONCE, key: byTenant } } });
    const call = callsOf(app.pipeline({ circuitBreaker: 'partner' }));
    for (let tenant = 0; tenant < 50; tenant++)
      await call(`tenant ${tenant}`, tenant < 10 ? fails : answers).catch(() => undefined);
    const views = app.module
      .get(ResilienceService)
      .instances()
      .find(({ stage }) => stage === 'circuitBreaker')?.instances;
    expect(views).toHaveLength(6);
    expect(views?.[0]?.name).toBe('partner[*]');
    expect(views?.[0]?.snapshot()).toMatchObject({
      keys: 50,
      degradedKeys: 10,
      openKeys: 10,
      state: 'OPEN',
      calls: 50,
      failures: 10,
    });
    expect(views?.[0]?.health(true)).toEqual({ status: 'degraded', keys: 50, degradedKeys: 10 });
    for (const view of views?.slice(1) ?? []) {
      expect(view.oneOf).toBe('partner[*]');
      expect(view.health().status).toBe('degraded');
    }
  });
});

describe('Keys and their options are checked at boot', () => {
  const bootWith = (breaker: object, name = 'partner') =>
    boot({ breakers: { [name]: breaker } }).catch((error: Error) => error.message);

  it.each([
    [
      { key: 'tenant' },
      'breakers.partner.key: is "tenant"; allowed: a function that returns its answer at once',
    ],
    [
      { key: async () => 'x' },
      'breakers.partner.key: is function key; allowed: a function that returns its answer at once',
    ],
    [
      { key: byTenant, maxKeys: 0 },
      'breakers.partner.maxKeys: is 0; allowed: a whole number from 1',
    ],
    [{ key: byTenant, idleMs: -1 }, 'breakers.partner.idleMs: is -1'],
    [
      { key: byTenant, keyLabel: 'yes' },
      'breakers.partner.keyLabel: is "yes"; allowed: true or false',
    ],
    [{ kye: byTenant }, 'did you mean key?'],
    [{ failureTreshold: 1 }, 'did you mean failureThreshold?'],
  ])('%j', async (breaker, message) => {
    expect(await bootWith(breaker)).toContain(message);
  });

  it('what is of keys means nothing without a key', async () => {
    const app = await boot();
    expect(() => app.pipeline({ name: 'p', circuitBreaker: { maxKeys: 5 } })).toThrow(
      'pipeline "p".circuitBreaker.maxKeys: is of instances by key, and there is no key',
    );
  });

  it('a name is by key everywhere, or nowhere', async () => {
    const app = await boot({ breakers: { partner: ONCE, other: ONCE } });
    app.pipeline({ circuitBreaker: 'partner' });
    expect(() => app.pipeline({ circuitBreaker: { name: 'partner', key: byTenant } })).toThrow(
      /has a key for "partner", which other operations use without/,
    );
    app.pipeline({ circuitBreaker: { name: 'other', key: byTenant } });
    expect(() => app.pipeline({ circuitBreaker: 'other' })).toThrow(
      /is "other", which other operations have by key; allowed: a key here too/,
    );
  });

  it('a name that there is not is named', async () => {
    const app = await boot({ breakers: { partner: ONCE } });
    expect(() => app.pipeline({ circuitBreaker: { name: 'partnr', key: byTenant } })).toThrow(
      /there is no circuit breaker "partnr".*did you mean partner\?/,
    );
  });

  it('a key that is missing beside a name is asked for', async () => {
    @Injectable()
    class Partner {
      @CircuitBreaker('partner', {} as { key: typeof byTenant })
      async call(_tenant: string): Promise<void> {}
    }
    await expect(boot({ breakers: { partner: ONCE } }, [Partner])).rejects.toThrow(
      'Partner.call @CircuitBreaker(): has no key; allowed: a name, and a function that answers the key of a call',
    );
  });

  it('a reference says a name and a key, and nothing else', async () => {
    const app = await boot({ breakers: { partner: ONCE } });
    const wrong = { name: 'partner', key: byTenant, maxKeys: 5 } as {
      name: string;
      key: typeof byTenant;
    };
    expect(() => app.pipeline({ circuitBreaker: wrong })).toThrow(
      /maxKeys: there is no such option/,
    );
  });

  it('options below a decorator of a method are inherited with their key', async () => {
    @Injectable()
    @CircuitBreaker('partner', { key: byTenant })
    class Client {
      @CircuitBreaker({ failureThreshold: 2 })
      async call(_tenant: string, fn: () => Promise<unknown>): Promise<unknown> {
        return fn();
      }
      @Retry({ maxAttempts: 1 })
      async other(_tenant: string, fn: () => Promise<unknown>): Promise<unknown> {
        return fn();
      }
    }
    const app = await boot({ breakers: { partner: ONCE } }, [Client]);
    const client = app.module.get(Client);
    await failure(client.call('a', fails));
    expect(await client.call('a', answers)).toBe('answer');
    await failure(client.call('a', fails));
    expect(await failure(client.call('a', answers))).toMatchObject({ breaker: 'Client.call[a]' });
    await failure(client.other('a', fails));
    expect(await failure(client.other('a', answers))).toMatchObject({ breaker: 'partner[a]' });
  });
});
