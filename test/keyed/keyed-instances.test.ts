import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Test } from '@nestjs/testing';
import fc from 'fast-check';
import {
  CircuitBreaker,
  CircuitBreakerPolicy,
  CircuitBreakerRegistry,
  getCircuitBreakerToken,
  InjectCircuitBreaker,
  ResilienceModule,
  ResilienceService,
  type Retention,
} from '../../lib/index.js';
import { KeyedInstances } from '../../lib/instances/keyed-instances.js';
import { KeyedReports } from '../../lib/instances/keyed-reports.js';
import { booting, Deferred, failure, flush, watch } from '../support/resilience-app.js';
import { stageHost } from '../support/stage-host.js';

const boot = booting();
const byTenant = (tenant: string) => tenant;
const answers = async () => 'answer';
const fails = () => Promise.reject(new Error('down'));

class Policy {
  retention: Retention = 'none';

  constructor(readonly name: string) {}
}

/** What is kept, as it says itself, but in the simplest way. */
class Model {
  readonly entries = new Map<string, { usedAt: number; users: number; retention: Retention }>();

  constructor(
    private readonly maxKeys: number,
    private readonly idleMs: number,
  ) {}

  /** @returns the keys that may have been forgotten by now, the longest idle first */
  mayGo(): string[] {
    return [...this.entries]
      .filter(([, { users, retention }]) => users === 0 && retention === 'none')
      .sort(([, one], [, other]) => one.usedAt - other.usedAt)
      .map(([key]) => key);
  }

  expire(at: number): void {
    for (const [key, { usedAt, users, retention }] of this.entries)
      if (users === 0 && retention === 'none' && usedAt <= at - this.idleMs)
        this.entries.delete(key);
  }

  use(key: string, at: number): void {
    this.expire(at);
    const entry = this.entries.get(key);
    if (entry !== undefined) return;
    if (this.entries.size >= this.maxKeys) {
      const [first] = this.mayGo();
      if (first === undefined) return; // it shares one
      this.entries.delete(first);
    }
    this.entries.set(key, { usedAt: at, users: 0, retention: 'none' });
  }
}

describe('What is kept by key', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });

  it('is what the simplest way would keep, whatever comes in whatever order', () => {
    const step = fc.record({
      key: fc.integer({ min: 0, max: 4 }).map(String),
      does: fc.constantFrom('call', 'call', 'call', 'begin', 'end', 'hold', 'let go'),
      passesMs: fc.constantFrom(1, 1, 1, 40),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const [maxKeys, idleMs] = [3, 100];
        const made: string[] = [];
        const instances = new KeyedInstances<Policy>({
          name: 'it',
          place: 'it',
          given: {},
          options: {},
          keyed: { maxKeys, idleMs, keyLabel: false },
          reports: new KeyedReports(stageHost(), 'it', {}, false),
          make: (name) => {
            made.push(name);
            return new Policy(name);
          },
          reveal: (policy) => policy,
          dispose: () => undefined,
          shutdown: () => undefined,
          crowded: () => undefined,
        });
        const model = new Model(maxKeys, idleMs);
        const inside: [key: string, entry: ReturnType<typeof instances.find>][] = [];
        let at = 1_000;
        for (const { key, does, passesMs } of steps) {
          at += passesMs;
          if (does === 'call' || does === 'begin') {
            model.use(key, at);
            const entry = instances.find(key, at, 'it');
            instances.enter(entry, at);
            const known = model.entries.get(key);
            expect(entry.key).toBe(known === undefined ? undefined : key);
            if (known !== undefined) known.usedAt = at;
            if (does === 'call') instances.exit(entry, at);
            else {
              inside.push([key, entry]);
              if (known !== undefined) known.users++;
            }
          } else if (does === 'end') {
            const [ended] = inside.splice(0, 1);
            if (ended === undefined) continue;
            instances.exit(ended[1], at);
            const known = ended[1].key === undefined ? undefined : model.entries.get(ended[0]);
            if (known !== undefined) {
              known.usedAt = at;
              known.users--;
            }
          } else {
            const known = model.entries.get(key);
            if (known === undefined) continue;
            known.retention = does === 'hold' ? 'kept' : 'none';
            const policy = instances.named(`it[${key}]`) as Policy;
            policy.retention = known.retention;
          }
          expect(instances.size).toBeLessThanOrEqual(maxKeys);
          const kept = Array.from({ length: 8 }, (_, each) => String(each)).filter((each) =>
            instances.has(each),
          );
          expect(kept).toEqual([...model.entries.keys()].sort());
        }
      }),
      {
        numRuns: 1_000,
        examples: [
          [
            [
              { key: '0', does: 'call', passesMs: 1 },
              { key: '1', does: 'call', passesMs: 1 },
              { key: '1', does: 'hold', passesMs: 1 },
              { key: '1', does: 'call', passesMs: 1 },
              { key: '1', does: 'let go', passesMs: 1 },
              { key: '2', does: 'call', passesMs: 1 },
              { key: '3', does: 'call', passesMs: 1 },
            ],
          ],
          [
            [
              { key: '2', does: 'call', passesMs: 1 },
              { key: '0', does: 'call', passesMs: 1 },
              { key: '2', does: 'begin', passesMs: 40 },
              { key: '1', does: 'call', passesMs: 40 },
              { key: '1', does: 'call', passesMs: 40 },
            ],
          ],
        ],
      },
    );
  });
});

describe('A gauge of what is kept by key', () => {
  it.each([
    ['sum', (values: number[]) => values.reduce((sum, value) => sum + value, 0)],
    ['max', (values: number[]) => (values.length === 0 ? 0 : Math.max(...values))],
  ] as const)('is the %s of all that have said something', (aggregator, together) => {
    const step = fc.record({
      who: fc.integer({ min: 0, max: 3 }),
      says: fc.option(fc.integer({ min: -3, max: 3 })),
    });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        let read = () => Number.NaN;
        let told = 0;
        const host = stageHost();
        const watching: typeof host = {
          ...host,
          metrics: {
            ...host.metrics,
            watch: (_name, _tags, asked) => {
              read = asked;
              told = asked();
              return { changed: () => (told = asked()) };
            },
          },
        };
        const metrics = { it: { kind: 'gauge', help: '', labels: ['name'], aggregator } } as const;
        const reports = new KeyedReports(watching, 'it', metrics, false);
        const hosts = [0, 1, 2, 3].map((who) => reports.of(`it[${who}]`, String(who)));
        const values = new Map<number, number>();
        for (const { who, says } of steps) {
          if (says === null) {
            hosts[who]?.end();
            hosts[who] = reports.of(`it[${who}]`, String(who));
            values.delete(who);
          } else {
            hosts[who]?.metrics.gauge('it', says, { name: `it[${who}]` });
            values.set(who, says);
          }
          if (values.size === 0 && told === 0) continue;
          expect(told).toBe(together([...values.values()]));
          expect(read()).toBe(told);
        }
      }),
    );
  });
});

describe('Calls inside of calls by key', () => {
  it('are counted once where they are for the same key, and each where they are not', async () => {
    const app = await boot({
      breakers: { partner: { failureThreshold: 10, key: byTenant } },
    });
    const outer = app.pipeline({ name: 'outer', circuitBreaker: 'partner' });
    const inner = app.pipeline({ name: 'inner', circuitBreaker: 'partner' });
    const failuresOf = (tenant: string) =>
      app.breakers.keyed('partner').forKey(tenant).getSnapshot().failures;
    const call = (tenant: string, inside: string) =>
      failure(outer.execute(() => inner.execute(fails, { args: [inside] }), { args: [tenant] }));
    await call('a', 'a');
    expect(failuresOf('a')).toBe(1);
    await call('b', 'c');
    expect([failuresOf('b'), failuresOf('c')]).toEqual([1, 1]);
  });

  it('are part of the probe of the same key', async () => {
    const app = await boot({
      breakers: {
        partner: { failureThreshold: 1, timeoutMs: 1_000, halfOpenMaxCalls: 1, key: byTenant },
      },
    });
    const outer = app.pipeline({ name: 'outer', circuitBreaker: 'partner' });
    const inner = app.pipeline({ name: 'inner', circuitBreaker: 'partner' });
    await failure(outer.execute(fails, { args: ['a'] }));
    jest.advanceTimersByTime(1_000);
    const probe = outer.execute(
      async () => {
        await flush();
        return inner.execute(answers, { args: ['a'] });
      },
      { args: ['a'] },
    );
    await expect(probe).resolves.toBe('answer');
  });
});

describe('Attempts by key', () => {
  it('each have the key of their moment', async () => {
    const app = await boot({ breakers: { partner: { failureThreshold: 1 } } });
    let host = 'one';
    const pipeline = app.pipeline({
      retry: { maxAttempts: 2, baseDelayMs: 0, jitter: 'none', budget: false },
      circuitBreaker: { name: 'partner', key: () => host },
    });
    const called = watch(
      pipeline.execute(() => {
        if (host === 'two') return answers();
        host = 'two';
        return fails();
      }),
    );
    await jest.advanceTimersByTimeAsync(1);
    expect(called.value).toBe('answer');
    expect(app.breakers.get('partner[one]').getState()).toBe('OPEN');
    expect(app.breakers.get('partner[two]').getState()).toBe('CLOSED');
  });

  it('that are hedged hold a slot of the key each', async () => {
    const app = await boot({
      bulkheads: { partner: { maxConcurrent: 2, queueLimit: 0, key: byTenant } },
    });
    const pipeline = app.pipeline({ hedge: { delayMs: 10 }, bulkhead: 'partner' });
    const open = new Deferred<unknown>();
    const called = watch(pipeline.execute(() => open.promise, { args: ['a'] }));
    await jest.advanceTimersByTimeAsync(10);
    expect(app.bulkheads.get('partner[a]').getSnapshot().running).toBe(2);
    open.resolve('answer');
    await flush();
    expect(called.value).toBe('answer');
    expect(app.bulkheads.get('partner[a]').getSnapshot().running).toBe(0);
  });
});

describe('A test that puts something else in the place of what is by key', () => {
  it('has it in the place of all keys', async () => {
    class Client {
      constructor(@InjectCircuitBreaker('partner') readonly breakers: unknown) {}
    }
    const other = new CircuitBreakerPolicy('other');
    other.forceOpen();
    const module = await Test.createTestingModule({
      imports: [ResilienceModule.forRoot({ breakers: { partner: { key: byTenant } } })],
      providers: [Client],
    })
      .overrideProvider(getCircuitBreakerToken('partner'))
      .useValue(other)
      .compile();
    await module.init();
    expect(module.get(Client).breakers).toBe(other);
    const pipeline = module.get(ResilienceService).pipeline({ circuitBreaker: 'partner' });
    for (const tenant of ['a', 'b'])
      expect(await failure(pipeline.execute(answers, { args: [tenant] }))).toMatchObject({
        breaker: 'other',
      });
    expect(module.get(CircuitBreakerRegistry).keyed('partner').forKey('a')).toBe(other);
    await module.close();
  });

  it('has it there where it stands in for the registry, also when calls have been made before', async () => {
    class Client {
      @CircuitBreaker('partner', { key: byTenant })
      async call(tenant: string): Promise<string> {
        return tenant;
      }
    }
    const other = new CircuitBreakerPolicy('other');
    const early = new Deferred<string>();
    const module = await Test.createTestingModule({
      imports: [ResilienceModule.forRoot({ breakers: { partner: {} } })],
      providers: [
        Client,
        {
          provide: 'early',
          inject: [Client],
          useFactory: async (client: Client) => early.resolve(await client.call('early')),
        },
      ],
    })
      .overrideProvider(CircuitBreakerRegistry)
      .useFactory({
        factory: async () => {
          await early.promise;
          return { has: (name: string) => name === 'partner', get: () => other };
        },
      })
      .compile();
    await module.init();
    other.forceOpen();
    for (const tenant of ['early', 'late'])
      expect(await failure(module.get(Client).call(tenant))).toMatchObject({ breaker: 'other' });
    await module.close();
  });
});
