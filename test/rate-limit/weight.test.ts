import { afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  CircuitBreaker,
  CircuitState,
  RateLimit,
  RateLimitPolicy,
  ResilienceConfigurationError,
  Retry,
} from '../../lib/index.js';
import { HOSTILE_ERRORS } from '../support/hostile-errors.js';
import { booting, elapse, failure, type ResilienceApp, watch } from '../support/resilience-app.js';

const boot = booting();

/** What weights of users may come to, and what is said of it. */
const WRONG: [string, () => unknown, string][] = [
  ['NaN', () => Number.NaN, 'answered NaN; allowed: a number above 0 and at most 10, the burst'],
  ['0', () => 0, 'answered 0; allowed'],
  ['less than 0', () => -1, 'answered -1; allowed'],
  ['more than the burst', () => 11, 'answered 11; allowed'],
  ['Infinity', () => Number.POSITIVE_INFINITY, 'answered Infinity; allowed'],
  ['a text', () => '5', 'answered "5"; allowed'],
  ['nothing', () => undefined, 'answered undefined; allowed'],
  ['null', () => null, 'answered null; allowed'],
  ['a promise', () => Promise.resolve(1), 'answered a promise, and has to answer at once; allowed'],
  ['a promise that fails', () => Promise.reject(new Error('down')), 'answered a promise, and has'],
];

describe('The weight of a call', () => {
  let seen: { self: unknown; args: unknown[] }[];
  let app: ResilienceApp;

  @Injectable()
  class Mailer {
    calls = 0;
    @RateLimit({
      limit: 10,
      weight(this: Mailer, to: string[], copies: number) {
        seen.push({ self: this, args: [to, copies] });
        return to.length * copies;
      },
    })
    async send(_to: string[], _copies: number): Promise<number> {
      return ++this.calls;
    }
  }

  beforeAll(() => {
    jest.useFakeTimers();
  });
  beforeEach(async () => {
    seen = [];
    app = await boot({}, [Mailer]);
  });
  afterEach(() => {
    expect(jest.getTimerCount()).toBe(0);
  });

  it('is told by the arguments and the object of the call, once for each attempt', async () => {
    const mailer = app.module.get(Mailer);
    await mailer.send(['ada', 'bob'], 3);
    const snapshot = () => app.rateLimits.get('Mailer.send').getSnapshot();
    expect(snapshot()).toMatchObject({ available: 4 });
    const error = await failure(mailer.send(['ada', 'bob', 'cyd'], 2));
    expect(error).toMatchObject({ reason: 'limit', retryAfterMs: 200 });
    await mailer.send(['ada'], 4);
    expect(seen.map(({ args: [to, copies] }) => [(to as string[]).length, copies])).toEqual([
      [2, 3],
      [3, 2],
      [1, 4],
    ]);
    expect(seen.every(({ self }) => self === mailer)).toBe(true);
  });

  it('is asked once of a call that waits, and waited for as a whole', async () => {
    const weight = jest.fn((n: number) => n);
    const pipeline = app.pipeline({
      name: 'bulk',
      rateLimit: { limit: 10, maxWaitMs: 5_000, weight },
    });
    const call = (n: number) => watch(pipeline.execute(async () => n, { args: [n] }));
    call(8);
    const heavy = call(10);
    const light = call(0.5);
    await elapse(799);
    expect([heavy.state, light.state]).toEqual(['pending', 'pending']);
    await elapse(1);
    expect([heavy.state, light.state]).toEqual(['fulfilled', 'pending']);
    await elapse(50);
    expect(light.state).toBe('fulfilled');
    expect(weight).toHaveBeenCalledTimes(3);
  });

  it('may be small, and come to the same sum', async () => {
    const policy = new RateLimitPolicy('partner', { limit: 1, weight: () => 0.1 });
    for (let call = 0; call < 10; call++) await policy.execute(async () => call);
    expect(await failure(policy.execute(async () => 10))).toMatchObject({ retryAfterMs: 100 });
  });

  it('gets no arguments of a call by the policy alone', async () => {
    const weight = jest.fn((..._args: unknown[]) => 2);
    const policy = new RateLimitPolicy('partner', { limit: 10, weight });
    await policy.execute(async () => 1);
    expect(weight.mock.calls).toEqual([[]]);
    expect(policy.getSnapshot()).toMatchObject({ available: 8 });
  });

  it.each(WRONG)('that is %s fails the call, which is not made', async (_, weight, message) => {
    const rateLimit = { limit: 10, weight: weight as () => number };
    const pipeline = app.pipeline({ name: 'wrong', rateLimit, retry: { maxAttempts: 3 } });
    const work = jest.fn(async () => 1);
    const error = await failure(pipeline.execute(work));
    expect(error).toBeInstanceOf(ResilienceConfigurationError);
    expect((error as Error).message).toContain(`rate limit "wrong".weight: ${message}`);
    expect(work).not.toHaveBeenCalled();
    expect(app.rateLimits.get('wrong').getSnapshot()).toMatchObject({ available: 10, rejected: 0 });
    await failure(app.rateLimits.get('wrong').execute(work));
    expect(work).not.toHaveBeenCalled();
  });

  it('that throws fails the call by an error with the cause, which is not retried, and no failure for a breaker', async () => {
    const cause = new TypeError('no such list');
    const weight = jest.fn(() => {
      throw cause;
    });

    @Injectable()
    class Careless {
      @Retry({ maxAttempts: 3 })
      @CircuitBreaker({ failureThreshold: 1 })
      @RateLimit({ limit: 5, weight })
      async send(): Promise<void> {}
    }
    const careless = await boot({}, [Careless]);
    const error = await failure(careless.module.get(Careless).send());
    expect(error).toMatchObject({
      name: 'ResilienceConfigurationError',
      message:
        'rate limit "Careless.send".weight: threw "no such list"; it has to answer a number for every call',
      cause,
    });
    expect(weight).toHaveBeenCalledTimes(1);
    expect(careless.breakers.get('Careless.send').getState()).toBe(CircuitState.CLOSED);
  });

  it.each(Object.entries(HOSTILE_ERRORS))(
    'that throws or answers %s fails the call by an error that can be read',
    async (_, make) => {
      const throwing = () => {
        throw make();
      };
      for (const weight of [throwing, make as () => number]) {
        const policy = new RateLimitPolicy('partner', { limit: 5, weight });
        const error = await failure(policy.execute(async () => 1));
        expect(error).toBeInstanceOf(ResilienceConfigurationError);
        expect((error as Error).message).toMatch(/^rate limit "partner".weight: (threw|answered) /);
      }
    },
  );

  it('of who waits may be more than a new burst, and then never has its turn', async () => {
    const weight = (n: number) => n;
    const pipeline = app.pipeline({
      name: 'bulk',
      rateLimit: { limit: 10, maxWaitMs: 60_000, weight },
    });
    const call = (n: number) => watch(pipeline.execute(async () => n, { args: [n] }));
    call(10);
    const [heavy, light] = [call(8), call(2)];
    app.rateLimits.get('bulk').setLimit(4);
    await elapse(500);
    expect(heavy.error).toMatchObject({ reason: 'limit' });
    expect(light.value).toBe(2);
    expect((await failure(pipeline.execute(async () => 8, { args: [8] }))) as Error).toMatchObject({
      message: expect.stringContaining('answered 8; allowed: a number above 0 and at most 4'),
    });
  });
});
