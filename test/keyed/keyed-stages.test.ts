import { describe, expect, it, jest } from '@jest/globals';
import {
  BulkheadRejectedError,
  decoratorOf,
  defineStage,
  executeThrough,
  getRateLimitToken,
  getStageToken,
  type KeyedPolicies,
  RateLimitedError,
  type RateLimitPolicy,
  RateLimitRegistry,
  type ResilienceEvent,
  type ResilienceModuleOptions,
  ResilienceService,
  type Retention,
  rules,
  WAIT,
} from '../../lib/index.js';
import { booting, Deferred, elapse, failure, flush, watch } from '../support/resilience-app.js';

const boot = booting();
const byTenant = (tenant: string) => tenant;
const answers = async () => 'answer';
const fails = () => Promise.reject(new Error('down'));

type App = Awaited<ReturnType<typeof boot>>;

/** Calls a pipeline for a tenant. */
const callsOf =
  (pipeline: ReturnType<App['pipeline']>) =>
  (tenant: unknown, fn: () => Promise<unknown> = answers) =>
    pipeline.execute(fn, { args: [tenant] });

describe('A bulkhead by key', () => {
  const options = {
    bulkheads: { partner: { maxConcurrent: 1, queueLimit: 1, key: byTenant, maxKeys: 2 } },
  };

  it('is full for the key that fills it, and for no other', async () => {
    const app = await boot(options);
    const call = callsOf(app.pipeline({ bulkhead: 'partner' }));
    const open = new Deferred<unknown>();
    const running = watch(call('busy', () => open.promise));
    const waiting = watch(call('busy'));
    await flush();
    expect(await failure(call('busy'))).toMatchObject({
      bulkhead: 'partner[busy]',
      reason: 'full',
    });
    expect(await call('other')).toBe('answer');
    open.resolve('first');
    await flush();
    expect([running.value, waiting.value]).toEqual(['first', 'answer']);
    expect(app.bulkheads.get('partner[busy]').getSnapshot()).toMatchObject({
      running: 0,
      queued: 0,
    });
  });

  it('stays while calls hold a slot or wait for one, whatever other keys come', async () => {
    const app = await boot(options);
    const call = callsOf(app.pipeline({ bulkhead: 'partner', timeoutMs: 100 }));
    const open = new Deferred<unknown>();
    const running = watch(call('busy', () => open.promise));
    const waiting = watch(call('busy'));
    await flush();
    for (let other = 0; other < 10; other++) await call(`other ${other}`);
    expect(app.bulkheads.keyed('partner').has('busy')).toBe(true);
    await elapse(100);
    expect([running.state, waiting.state]).toEqual(['rejected', 'rejected']);
    for (let other = 0; other < 10; other++) await call(`other ${other}`);
    expect(app.bulkheads.keyed('partner').has('busy')).toBe(true); // its work still runs
    open.resolve(1);
    await flush();
    for (let other = 0; other < 10; other++) await call(`other ${other}`);
    expect(app.bulkheads.keyed('partner').has('busy')).toBe(false);
  });

  it('gives all places back, however those who wait for it leave', async () => {
    const app = await boot({
      bulkheads: {
        partner: { maxConcurrent: 1, queueLimit: 3, queueTimeoutMs: 50, key: byTenant, maxKeys: 1 },
      },
    });
    const pipeline = app.pipeline({ bulkhead: 'partner' });
    const open = new Deferred<unknown>();
    const running = watch(pipeline.execute(() => open.promise, { args: ['busy'] }));
    const abort = new AbortController();
    const gone = watch(pipeline.execute(answers, { args: ['busy'], signal: abort.signal }));
    const late = watch(pipeline.execute(answers, { args: ['busy'] }));
    await flush();
    abort.abort(new Error('gone'));
    await elapse(50);
    expect(gone.error).toMatchObject({ message: 'gone' });
    expect(late.error).toBeInstanceOf(BulkheadRejectedError);
    open.resolve(1);
    await flush();
    expect(running.state).toBe('fulfilled');
    await pipeline.execute(answers, { args: ['next'] });
    expect(app.bulkheads.keyed('partner').keys()).toEqual(['next']);
  });

  it('lends its slot to a call inside for the same key, and to none of another', async () => {
    const app = await boot({
      bulkheads: { partner: { maxConcurrent: 1, queueLimit: 0, key: byTenant } },
    });
    const call = callsOf(app.pipeline({ name: 'outer', bulkhead: 'partner' }));
    const inner = callsOf(app.pipeline({ name: 'inner', bulkhead: 'partner' }));
    expect(await call('a', () => inner('a', () => inner('b')))).toBe('answer');
    const open = new Deferred<unknown>();
    const busy = call('b', () => open.promise);
    expect(await failure(call('a', () => inner('b')))).toBeInstanceOf(BulkheadRejectedError);
    open.resolve(1);
    await busy;
  });

  it('counts what runs under the name, for all keys', async () => {
    const app = await boot(options);
    const call = callsOf(app.pipeline({ bulkhead: 'partner' }));
    const open = new Deferred<unknown>();
    const running = ['a', 'b', 'c'].map((tenant) => watch(call(tenant, () => open.promise)));
    await flush();
    expect(app.metrics.get('bulkhead.running', { bulkhead: 'partner' })).toBe(3);
    open.resolve(1);
    await flush();
    expect(running.every(({ state }) => state === 'fulfilled')).toBe(true);
    expect(app.metrics.get('bulkhead.running', { bulkhead: 'partner' })).toBe(0);
  });

  it('refuses what waits when the application closes', async () => {
    const app = await boot(options);
    const call = callsOf(app.pipeline({ bulkhead: 'partner' }));
    const open = new Deferred<unknown>();
    const running = watch(call('a', () => open.promise));
    const waiting = watch(call('a'));
    await flush();
    const closing = app.close();
    await waiting;
    await new Promise((resolve) => setImmediate(resolve));
    expect(waiting.error).toMatchObject({ reason: 'shutdown' });
    open.resolve(1);
    await closing;
    await new Promise((resolve) => setImmediate(resolve));
    expect(running.state).toBe('fulfilled');
  });
});

describe('A rate limit by key', () => {
  const options = (more: object = {}): ResilienceModuleOptions => ({
    rateLimits: { partner: { limit: 2, intervalMs: 1_000, key: byTenant, ...more } },
  });

  it('is used up for the key that uses it, and for no other', async () => {
    const app = await boot(options());
    const events: ResilienceEvent[] = [];
    app.events.events$.subscribe((event) => events.push(event));
    const call = callsOf(app.pipeline({ rateLimit: 'partner' }));
    await call('greedy');
    await call('greedy');
    expect(await failure(call('greedy'))).toBeInstanceOf(RateLimitedError);
    expect(await call('modest')).toBe('answer');
    expect(events).toContainEqual(
      expect.objectContaining({ rateLimit: 'partner[greedy]', key: 'greedy' }),
    );
  });

  it('is not forgotten, whoever comes, before a new one would let in no more', async () => {
    const app = await boot(options({ maxKeys: 2, idleMs: 1 }));
    const call = callsOf(app.pipeline({ rateLimit: 'partner' }));
    await call('greedy');
    await call('greedy');
    for (let other = 0; other < 10; other++) await call(`other ${other}`).catch(() => undefined);
    expect(await failure(call('greedy'))).toMatchObject({ rateLimit: 'partner[greedy]' });
    await elapse(1_000);
    await call('one');
    await call('two');
    expect(app.module.get(RateLimitRegistry).keyed('partner').has('greedy')).toBe(false);
  });

  it('can be set for one key, and for all', async () => {
    const app = await boot(options());
    const keyed = app.module.get<KeyedPolicies<RateLimitPolicy>>(getRateLimitToken('partner'));
    keyed.forKey('big').setLimit(5);
    const call = callsOf(app.pipeline({ rateLimit: 'partner' }));
    for (let count = 0; count < 2; count++) await call('big');
    keyed.forAll((rateLimit) => rateLimit.setLimit(1));
    await call('small');
    expect(await failure(call('small'))).toBeInstanceOf(RateLimitedError);
  });

  it('that was set for all is no reason to stay, and one that was set for one key is', async () => {
    const app = await boot(options({ maxKeys: 2 }));
    const keyed = app.rateLimits.keyed('partner');
    const call = callsOf(app.pipeline({ rateLimit: 'partner' }));
    keyed.forAll((rateLimit) => rateLimit.setLimit(5));
    for (const tenant of ['a', 'b', 'c', 'd']) {
      await call(tenant);
      await elapse(1_000);
    }
    expect(keyed.keys()).toEqual(['c', 'd']);
    keyed.forKey('c').setLimit(6);
    for (const tenant of ['e', 'f']) {
      await call(tenant);
      await elapse(1_000);
    }
    expect(keyed.keys()).toEqual(['c', 'f']);
  });

  it('lets those who wait in by their key', async () => {
    const app = await boot(options({ maxWaitMs: 5_000, maxKeys: 1 }));
    const call = callsOf(app.pipeline({ rateLimit: 'partner' }));
    const all = Array.from({ length: 4 }, () => watch(call('greedy')));
    await flush();
    expect(all.map(({ state }) => state)).toEqual(['fulfilled', 'fulfilled', 'pending', 'pending']);
    await call('another'); // shares with whoever has no place
    await elapse(1_000);
    expect(all.every(({ state }) => state === 'fulfilled')).toBe(true);
    await elapse(2_000);
    await call('next');
    expect(app.module.get(RateLimitRegistry).keyed('partner').keys()).toEqual(['next']);
  });
});

describe('A retry budget by key', () => {
  const retry = { maxAttempts: 2, baseDelayMs: 0, jitter: 'none' as const };
  const tight = { ratio: 0, minRetriesPerSecond: 0.1, windowMs: 10_000 }; // one retry in ten seconds

  const ways: [string, ResilienceModuleOptions, object][] = [
    [
      'with a name',
      { retryBudgets: { partner: { ...tight, key: byTenant } } },
      { ...retry, budget: 'partner' },
    ],
    [
      'by a reference',
      { retryBudgets: { partner: tight } },
      { ...retry, budget: { name: 'partner', key: byTenant } },
    ],
    ['of an operation', {}, { ...retry, budget: { ...tight, key: byTenant } }],
    ['of an upstream', { defaults: { retry: { budget: { ...tight, key: byTenant } } } }, retry],
    [
      'of an upstream with a name',
      { retryBudgets: { partner: { ...tight, key: byTenant } } },
      retry,
    ],
  ];

  it.each(ways)(
    'is used up by the key that uses it, and by no other: %s',
    async (_how, options, own) => {
      const app = await boot(options);
      const pipeline = app.pipeline({ name: 'charge', upstream: 'partner', retry: own });
      const call = async (tenant: string) => {
        let made = 0;
        const called = watch(
          pipeline.execute(
            () => {
              made++;
              return fails();
            },
            { args: [tenant] },
          ),
        );
        await elapse(1);
        expect(called.state).toBe('rejected');
        return made;
      };
      expect(await call('sick')).toBe(2);
      expect(await call('sick')).toBe(1);
      expect(await call('other')).toBe(2);
      await elapse(11_000);
      expect(await call('sick')).toBe(2);
    },
  );

  it('bounds hedges as well', async () => {
    const app = await boot();
    const pipeline = app.pipeline({
      hedge: { delayMs: 10 },
      retry: { ...retry, budget: { ...tight, key: byTenant } },
    });
    const call = async (tenant: string) => {
      let made = 0;
      void pipeline
        .execute(
          async ({ signal }) => {
            made++;
            await new Promise((resolve) => signal.addEventListener('abort', resolve));
          },
          { args: [tenant], signal: AbortSignal.any([]) },
        )
        .catch(() => undefined);
      await elapse(15);
      return made;
    };
    expect(await call('sick')).toBe(2);
    expect(await call('sick')).toBe(1);
    expect(await call('other')).toBe(2);
  });

  it('is described by the pattern', async () => {
    const app = await boot();
    app.pipeline({ name: 'charge', retry: { ...retry, budget: { ...tight, key: byTenant } } });
    const [operation] = app.module.get(ResilienceService).describe();
    expect(operation?.stages.retry).toMatchObject({
      budget: { name: 'charge[*]', ratio: 0, key: byTenant, maxKeys: 1_000, idleMs: 600_000 },
    });
  });

  it.each(['a straight call', 'a call with a timeout'])(
    'fails %s whose key is none, and counts it as over',
    async (how) => {
      const app = await boot();
      const pipeline = app.pipeline({
        ...(how === 'a straight call' ? {} : { timeoutMs: 100 }),
        retry: { ...retry, budget: { key: () => '' } },
      });
      const called = jest.fn(answers);
      expect(await failure(pipeline.execute(called))).toMatchObject({
        name: 'ResilienceConfigurationError',
        message: expect.stringContaining('.retry.budget.key: answered ""'),
      });
      expect(called).not.toHaveBeenCalled();
    },
  );

  it('is by key everywhere, or nowhere', async () => {
    const app = await boot({ retryBudgets: { partner: tight, other: tight } });
    app.pipeline({ retry: { budget: 'partner' } });
    expect(() => app.pipeline({ retry: { budget: { name: 'partner', key: byTenant } } })).toThrow(
      /budget: has a key for "partner", which other operations use without/,
    );
    app.pipeline({ retry: { budget: { name: 'other', key: byTenant } } });
    expect(() => app.pipeline({ retry: { budget: 'other' } })).toThrow(
      /budget: is "other", which other operations have by key/,
    );
  });

  it('has no place for the budgets of tenants that have spent them before their time is over', async () => {
    const app = await boot({ retryBudgets: { partner: { ...tight, key: byTenant, maxKeys: 2 } } });
    const pipeline = app.pipeline({ retry: { ...retry, budget: 'partner' } });
    const call = async (tenant: string) => {
      let made = 0;
      watch(
        pipeline.execute(
          () => {
            made++;
            return fails();
          },
          { args: [tenant] },
        ),
      );
      await elapse(1);
      return made;
    };
    expect([await call('a'), await call('b')]).toEqual([2, 2]);
    expect([await call('c'), await call('d')]).toEqual([2, 1]); // they share one
    expect([await call('a'), await call('b')]).toEqual([1, 1]);
  });
});

describe('A key of what is held until the work has ended', () => {
  const options: ResilienceModuleOptions = {
    bulkheads: { partner: { maxConcurrent: 3, key: byTenant, idleMs: 1_000 } },
    rateLimits: {
      partner: { limit: 1, intervalMs: 100, maxWaitMs: 5_000, key: byTenant, idleMs: 1_000 },
    },
  };
  const registries = ['bulkheads', 'rateLimits'] as const;
  const stageOf = { bulkheads: 'bulkhead', rateLimits: 'rateLimit' } as const;

  it.each(registries)('is in use as long as calls come, of %s', async (registry) => {
    const app = await boot(options);
    const call = callsOf(app.pipeline({ [stageOf[registry]]: 'partner' }));
    await call('busy');
    const first = app[registry].get('partner[busy]');
    for (let calls = 0; calls < 4; calls++) {
      await elapse(600);
      await call('busy');
      expect(app[registry].get('partner[busy]') === first).toBe(true);
    }
    await elapse(1_001);
    await call('other');
    expect(app[registry].has('partner[busy]')).toBe(false);
  });

  it.each(registries)('is in use until the work of a call has ended, of %s', async (registry) => {
    const app = await boot(options);
    const call = callsOf(app.pipeline({ [stageOf[registry]]: 'partner', timeoutMs: 50 }));
    const open = new Deferred<unknown>();
    const cut = watch(call('busy', () => open.promise));
    await elapse(5_000);
    open.resolve('late');
    await flush();
    expect(cut.state).toBe('rejected');
    await elapse(600);
    await call('other');
    expect(app[registry].keyed('partner').keys()).toEqual(['busy', 'other']);
    await elapse(600);
    expect(app[registry].keyed('partner').keys()).toEqual(['other']);
  });

  it('is in use until one that waits has left', async () => {
    const app = await boot(options);
    const pipeline = app.pipeline({ bulkhead: 'partner' });
    const open = new Deferred<unknown>();
    const running = [1, 2, 3].map(() => pipeline.execute(() => open.promise, { args: ['busy'] }));
    const abort = new AbortController();
    const gone = watch(pipeline.execute(answers, { args: ['busy'], signal: abort.signal }));
    await flush();
    open.resolve(1);
    await Promise.all(running);
    abort.abort();
    await flush();
    expect(gone.state).not.toBe('pending');
    expect(app.bulkheads.keyed('partner').keys()).toEqual(['busy']);
    await elapse(1_001);
    expect(app.bulkheads.keyed('partner').keys()).toEqual([]);
  });

  it.each(registries)('is idle by the clock that is in force, of %s', async (registry) => {
    const app = await boot(options);
    const call = callsOf(app.pipeline({ [stageOf[registry]]: 'partner' }));
    const keys = () => app[registry].keyed('partner').keys();
    await elapse(1_000_000);
    await call('a');
    jest.useRealTimers();
    expect(keys()).toEqual(['a']);
    jest.useFakeTimers();
    expect(keys()).toEqual(['a']);
    await elapse(999);
    expect(keys()).toEqual(['a']);
    await elapse(2);
    expect(keys()).toEqual([]);
  });

  it('that was used last goes last', async () => {
    const app = await boot(options);
    const call = callsOf(app.pipeline({ bulkhead: 'partner' }));
    for (const tenant of ['a', 'b', 'a']) {
      await call(tenant);
      await elapse(10);
    }
    expect(app.bulkheads.keyed('partner').keys()).toEqual(['b', 'a']);
  });
});

describe('A stage of a user’s own by key', () => {
  class Quota {
    used = 0;
    retention: Retention = 'none';
    readonly disposed = jest.fn();

    constructor(
      private readonly limit: number,
      private readonly refuse: () => Error,
    ) {}

    admit(): string {
      if (this.used >= this.limit) throw this.refuse();
      this.used++;
      return 'permit';
    }
    settled(permit: unknown): void {
      expect(permit).toBe('permit');
    }
    snapshot() {
      return { used: this.used };
    }
    dispose(): void {
      this.disposed();
    }
  }

  const quota = defineStage({
    name: 'quota',
    named: 'quotas',
    options: { limit: rules.count },
    defaults: { limit: 1 },
    make: (_name, { limit }, host) => new Quota(limit, () => host.refusal()),
  });
  const Quoted = decoratorOf(quota);

  class Partner {
    @Quoted('partner', { key: byTenant })
    async call(tenant: string): Promise<string> {
      return tenant;
    }
  }

  const options = {
    stages: [quota],
    quotas: { partner: { maxKeys: 2 } },
  } as object as ResilienceModuleOptions;

  it('has an instance for each key, which is disposed of with it', async () => {
    const app = await boot(options, [Partner]);
    const partner = app.module.get(Partner);
    expect(await partner.call('a')).toBe('a');
    expect(await failure(partner.call('a'))).toMatchObject({ code: 'REJECTED' });
    expect(await partner.call('b')).toBe('b');
    const quotas = app.module.get<KeyedPolicies<Quota>>(getStageToken(quota, 'partner'));
    const first = quotas.forKey('a');
    expect(first).toBeInstanceOf(Quota);
    expect(first.used).toBe(1);
    await executeThrough(quotas.forKey('c'), answers);
    expect(quotas.keys()).toEqual(['a', 'c']);
    first.retention = 'kept';
    await partner.call('d');
    expect(quotas.keys()).toEqual(['a', 'd']);
    expect(first.disposed).not.toHaveBeenCalled();
    quotas.forget('a');
    expect(first.disposed).toHaveBeenCalledTimes(1);
    const last = quotas.forKey('d');
    await app.close();
    expect(last.disposed).toHaveBeenCalledTimes(1);
  });

  it('is not in use by a call that could not wait', async () => {
    const broken = defineStage({
      name: 'broken',
      named: 'brokens',
      options: { size: rules.count },
      defaults: { size: 1 },
      make: () => ({
        admit: () => WAIT,
        wait(): () => void {
          throw new Error('broken');
        },
      }),
    });
    const Broken = decoratorOf(broken);

    class Client {
      @Broken('partner', { key: byTenant })
      async call(tenant: string): Promise<string> {
        return tenant;
      }
    }
    const app = await boot(
      {
        stages: [broken],
        brokens: { partner: { idleMs: 100 } },
      } as object as ResilienceModuleOptions,
      [Client],
    );
    expect(await failure(app.module.get(Client).call('a'))).toMatchObject({ message: 'broken' });
    const keyed = app.module.get<KeyedPolicies<object>>(getStageToken(broken, 'partner'));
    expect(keyed.keys()).toEqual(['a']);
    await elapse(101);
    expect(keyed.keys()).toEqual([]);
  });
});
