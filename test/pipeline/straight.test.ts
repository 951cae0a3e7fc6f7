import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { runInScope } from '../../lib/context/ambient.js';
import { Scope } from '../../lib/context/scope.js';
import {
  CircuitBreaker,
  decoratorOf,
  defineStage,
  Fallback,
  type Pipeline,
  type ResilienceModuleOptions,
  Retry,
  type ServiceOptions,
} from '../../lib/index.js';
import { StraightCall } from '../../lib/pipeline/straight-call.js';
import { FunctionWork } from '../../lib/pipeline/work.js';
import { booting, elapse, failure, flush } from '../support/resilience-app.js';

const boot = booting();
afterEach(() => {
  jest.restoreAllMocks();
});

/** What is called cannot see its attempt, as a method without a signal cannot: so it needs no scope. */
class Unseen extends FunctionWork {
  override get needsScope(): boolean {
    return false;
  }
}

/** The ways in which one and the same call can be made; only the first may go straight. */
type Way = (pipeline: Pipeline, body: () => unknown) => Promise<unknown>;
const WAYS: Record<string, Way> = {
  outside: (pipeline, body) => pipeline.call(new Unseen(body), undefined, []),
  'inside a scope': (pipeline, body) =>
    runInScope(new Scope(1, undefined, Infinity, Infinity), () =>
      pipeline.call(new Unseen(body), undefined, []),
    ),
  'with a signal': (pipeline, body) =>
    pipeline.call(new Unseen(body), undefined, [], new AbortController().signal),
};

/** How one attempt goes: after so many ms, or at once without any promise. */
interface Attempt {
  afterMs: number | 'at once';
  how: 'value' | 'failed value' | 'error' | 'client error' | 'constant' | 'text';
}

interface Case {
  stages: ServiceOptions;
  /** Of what is called inside, where anything is. */
  inner: ServiceOptions | undefined;
  calls: { startMs: number; attempts: Attempt[] }[];
}

const isFailed = (result: unknown) => result === 'failed value';

const retry = fc
  .record(
    {
      maxAttempts: fc.integer({ min: 2, max: 3 }),
      baseDelayMs: fc.constantFrom(0, 7),
      budget: fc.constant(false as const),
      retryableResults: fc.constant(isFailed),
    },
    { requiredKeys: ['maxAttempts', 'baseDelayMs', 'budget'] },
  )
  .map((options) => ({ ...options, jitter: 'none' as const, factor: 1 }));
const circuitBreaker = fc.record({
  failureThreshold: fc.integer({ min: 1, max: 3 }),
  timeoutMs: fc.constantFrom(5, 40),
  isFailureResult: fc.constantFrom(isFailed, () => false),
});
const fallback = fc.constantFrom(
  { handler: () => 'instead', whenResult: isFailed },
  () => 'instead',
  async () => 'instead',
  () => {
    throw new Error('no fallback');
  },
);
const stages: fc.Arbitrary<ServiceOptions> = fc.record(
  {
    retry,
    circuitBreaker,
    fallback,
    critical: fc.boolean(),
    timeoutMs: fc.constantFrom(13, 50),
    bulkhead: fc.record({
      maxConcurrent: fc.integer({ min: 1, max: 2 }),
      queueLimit: fc.integer({ min: 0, max: 1 }),
    }),
  },
  { requiredKeys: [] },
);
/** Of which nothing needs a scope, so that calls go straight. */
const straightStages: fc.Arbitrary<ServiceOptions> = fc.record(
  { retry, circuitBreaker, fallback },
  { requiredKeys: [] },
);
const attempt: fc.Arbitrary<Attempt> = fc.record({
  afterMs: fc.oneof(fc.constant('at once' as const), fc.integer({ min: 0, max: 20 })),
  how: fc.constantFrom(
    'value',
    'value',
    'failed value',
    'error',
    'client error',
    'constant',
    'text',
  ),
});
const cases: fc.Arbitrary<Case> = fc.record({
  stages: fc.oneof(stages, { weight: 3, arbitrary: straightStages }),
  inner: fc.option(straightStages, { nil: undefined }),
  calls: fc.array(
    fc.record({
      startMs: fc.integer({ min: 0, max: 40 }),
      attempts: fc.array(attempt, { minLength: 1, maxLength: 4 }),
    }),
    { minLength: 1, maxLength: 4 },
  ),
});

function errorOf({ how }: Attempt, constant: Error): unknown {
  if (how === 'constant') return constant;
  if (how === 'text') return 'a text';
  return Object.assign(new Error(how), how === 'client error' ? { status: 404 } : {});
}

/** @param constant the same error each time */
function perform(attempt: Attempt, constant: Error): unknown {
  const end = () => {
    if (attempt.how === 'value' || attempt.how === 'failed value') return attempt.how;
    throw errorOf(attempt, constant);
  };
  const { afterMs } = attempt;
  if (afterMs === 'at once') return end();
  return new Promise((resolve) => setTimeout(resolve, afterMs)).then(end);
}

it('A call that goes straight is the same as one by the general way, event by event, whatever its stages and its outcomes', async () => {
  const app = await boot({ alertIntervalMs: 0 });
  const straight = jest.spyOn(StraightCall.prototype, 'run');

  /** All that can be seen of a case, with the time at which it was; in one ms, in no order. */
  async function seen(way: Way, { stages, inner, calls }: Case): Promise<unknown> {
    const outer = app.pipeline({ ...stages, name: 'outer' });
    const nested = inner && app.pipeline({ ...inner, name: 'inner' });
    app.metrics.reset();
    const log: string[] = [];
    const constant = new Error('a constant');
    const began = performance.now();
    const note = (what: string, detail: unknown) => {
      const text = JSON.stringify(detail, (_, value: unknown) =>
        value instanceof Error ? `${value.name}: ${value.message}` : value,
      );
      log.push(`${String(performance.now() - began).padStart(6)} ${what} ${text}`);
    };
    const listening = [
      app.events.events$.subscribe(({ timestamp: _, ...event }) => note('event', event)),
      app.tracker.errors$.subscribe(({ timestamp: _, ...error }) => note('tracked', error)),
    ];
    const settled = calls.map(async ({ startMs, attempts }, index) => {
      await new Promise((resolve) => setTimeout(resolve, startMs));
      let made = 0;
      const body = () => {
        const attempt = attempts[Math.min(made++, attempts.length - 1)] as Attempt;
        note(`call ${index} begins`, made);
        return perform(attempt, constant);
      };
      const call = nested === undefined ? body : () => WAYS.outside?.(nested, body);
      await way(outer, call).then(
        (value) => note(`call ${index} answered`, value),
        (error) => note(`call ${index} failed`, String(error)),
      );
    });
    await elapse(1_000);
    await Promise.all(settled);
    await flush();
    for (const each of listening) each.unsubscribe();
    const counted = app.metrics.snapshot().map((series) => JSON.stringify(series));
    const breakers = app.breakers
      .list()
      .map((breaker) => ({ ...breaker.getSnapshot(), openedAt: undefined }));
    outer.dispose();
    nested?.dispose();
    return { log: log.sort(), counted: counted.sort(), breakers };
  }

  await fc.assert(
    fc.asyncProperty(cases, async (each) => {
      const [first, ...others] = Object.values(WAYS);
      const expected = await seen(first as Way, each);
      for (const way of others) expect(await seen(way, each)).toEqual(expected);
    }),
    { numRuns: 100 },
  );
  expect(straight.mock.calls.length).toBeGreaterThan(50); // else nothing was compared
});

describe('Calls that go straight', () => {
  const CONSTANT = new Error('a constant');
  const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

  it('are each retried where they fail beside one another by the same constant, or by what is no object', async () => {
    for (const thrown of [CONSTANT, 'a text']) {
      const calls: number[] = [];
      class Service {
        @Retry({ maxAttempts: 3, baseDelayMs: 1, jitter: 'none', budget: false })
        async run(index: number): Promise<void> {
          calls[index] = (calls[index] ?? 0) + 1;
          await later(1 + index);
          throw thrown;
        }
      }
      const app = await boot({}, [Service]);
      const service = app.module.get(Service);
      const all = Promise.allSettled(Array.from({ length: 20 }, (_, index) => service.run(index)));
      await elapse(1_000);
      await all;
      expect(calls).toEqual(Array.from({ length: 20 }, () => 3));
    }
  });

  it('are not retried where a call inside was, whatever it has handed on', async () => {
    for (const thrown of [() => new Error('made'), () => CONSTANT, () => 'a text']) {
      let calls = 0;
      class Service {
        @Retry({ maxAttempts: 3, baseDelayMs: 1, budget: false })
        async outer(): Promise<void> {
          try {
            await this.between();
          } catch (error) {
            if (!(error instanceof Error)) throw error;
            throw new Error('of the outer', { cause: error });
          }
        }
        private async between(): Promise<void> {
          await Promise.all([this.inner()]);
        }
        @Retry({ maxAttempts: 3, baseDelayMs: 1, budget: false })
        async inner(): Promise<void> {
          calls++;
          await later(1);
          throw thrown();
        }
      }
      const app = await boot({}, [Service]);
      const outer = failure(app.module.get(Service).outer());
      await elapse(1_000);
      await outer;
      expect(calls).toBe(3);
    }
  });

  it('fail by what a stage throws when it hears of their success, and are tried again for that', async () => {
    const broken = new Error('broken');
    let told = 0;
    const strict = defineStage({
      name: 'strict',
      options: {},
      make: () => ({
        admit: () => undefined,
        settled(_permit, _attempt, how) {
          if (how === 'success' && ++told < 3) throw broken;
        },
      }),
    });
    const Strict = decoratorOf(strict);
    class Service {
      @Retry({ maxAttempts: 2, baseDelayMs: 1, budget: false })
      @Strict()
      async run(): Promise<string> {
        return 'value';
      }
    }
    const app = await boot({ stages: [strict] } as unknown as ResilienceModuleOptions, [Service]);
    const service = app.module.get(Service);
    const first = failure(service.run());
    await elapse(10);
    expect(await first).toBe(broken);
    expect(app.tracker.getMetrics().total).toBe(1);
    await expect(service.run()).resolves.toBe('value');
    expect(told).toBe(3);
  });

  it('take no AsyncLocalStorage: what is called inside sees none of theirs', async () => {
    const entered = jest.spyOn(AsyncLocalStorage.prototype, 'run');
    const enteredWith = jest.spyOn(AsyncLocalStorage.prototype, 'enterWith');
    class Service {
      @Retry()
      @CircuitBreaker()
      @Fallback(() => 'instead')
      async run(): Promise<string> {
        await later(1);
        return 'value';
      }
    }
    const app = await boot({}, [Service]);
    entered.mockClear();
    enteredWith.mockClear();
    const call = app.module.get(Service).run();
    await elapse(10);
    await expect(call).resolves.toBe('value');
    expect([entered.mock.calls, enteredWith.mock.calls]).toEqual([[], []]);
  });
});
