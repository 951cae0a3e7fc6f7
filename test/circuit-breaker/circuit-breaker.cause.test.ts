import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { BadRequestException } from '@nestjs/common';
import {
  CircuitBreakerOpenError,
  type CircuitBreakerOptions,
  CircuitBreakerPolicy,
  CircuitState,
  type CircuitTransitionDetails,
  type ServiceOptions,
  TimeoutError,
} from '../../lib/index.js';
import { booting, Deferred, elapse, failure, flush, never } from '../support/resilience-app.js';
import { stageHost } from '../support/stage-host.js';

const boot = booting();
const ONE_RETRY = { maxAttempts: 2, baseDelayMs: 100, jitter: 'none' } as const;

type Seen = { to: CircuitState; reason: string } & CircuitTransitionDetails;

/** A breaker by itself, and the transitions that it tells of. */
function make(options: CircuitBreakerOptions = {}) {
  const seen: Seen[] = [];
  const breaker = new CircuitBreakerPolicy(
    'payments',
    { failureThreshold: 1, timeoutMs: 1_000, ...options },
    stageHost(({ type, breaker: _breaker, from: _from, ...transition }) => {
      if (type === 'circuit-state') seen.push(transition as unknown as Seen);
    }),
  );
  return { breaker, seen };
}

const failing = (error: unknown) => () => Promise.reject(error);
const answering = async () => 'answer';

async function slowly(breaker: CircuitBreakerPolicy, ms: number, error?: Error): Promise<void> {
  const ended = breaker
    .execute(
      () => new Promise((resolve, reject) => setTimeout(error ? reject : resolve, ms, error)),
    )
    .catch(() => undefined);
  await elapse(ms);
  await ended;
}

async function rejectionOf(call: PromiseLike<unknown>): Promise<CircuitBreakerOpenError> {
  const error = await failure(call);
  expect(error).toBeInstanceOf(CircuitBreakerOpenError);
  return error as CircuitBreakerOpenError;
}

const causeOf = async (breaker: CircuitBreakerPolicy) =>
  (await rejectionOf(breaker.execute(answering))).cause;

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

describe('why a breaker is open, as its rejections and transitions tell', () => {
  it('is the last failure that counted, with the counts of the window', async () => {
    const { breaker, seen } = make({ failureThreshold: 2 });
    const last = new Error('the second');
    await failure(breaker.execute(failing(new Error('the first'))));
    await failure(breaker.execute(failing(last)));
    expect(await causeOf(breaker)).toBe(last);
    expect(breaker.getCause()).toBe(last);
    expect(seen).toEqual([
      {
        to: CircuitState.OPEN,
        reason: 'failure-threshold',
        error: last,
        calls: 2,
        failures: 2,
        failureRate: 100,
        retryAfterMs: 1_000,
      },
    ]);
  });

  it('is no error that does not count, such as a client error', async () => {
    const counted = new Error('counted');
    const { breaker } = make({ failureThreshold: 2 });
    await failure(breaker.execute(failing(counted)));
    await failure(breaker.execute(failing(new BadRequestException())));
    await failure(breaker.execute(failing(counted)));
    expect(await causeOf(breaker)).toBe(counted);
  });

  it('is the last failure also where a success completes the rate', async () => {
    const { breaker, seen } = make({
      windowCalls: 2,
      failureRateThreshold: 50,
      failureThreshold: undefined,
    });
    const error = new Error('half of them');
    await failure(breaker.execute(failing(error)));
    await breaker.execute(answering);
    expect(await causeOf(breaker)).toBe(error);
    expect(seen).toMatchObject([
      { reason: 'failure-rate', error, calls: 2, failures: 1, failureRate: 50 },
    ]);
  });

  it('is no error where slow answers opened it, although a quick failure is in the window', async () => {
    const { breaker, seen } = make({
      failureThreshold: 5,
      minimumCalls: 3,
      slowCallDurationMs: 100,
      slowCallRateThreshold: 50,
    });
    await failure(breaker.execute(failing(new Error('quick'))));
    await slowly(breaker, 150);
    await slowly(breaker, 150);
    expect(await causeOf(breaker)).toBeUndefined();
    expect(seen).toHaveLength(1);
    expect(seen[0]).not.toHaveProperty('error');
  });

  it('is the error of a slow call that failed, where slow calls opened it', async () => {
    const { breaker } = make({
      failureThreshold: 5,
      minimumCalls: 1,
      slowCallDurationMs: 100,
      slowCallRateThreshold: 50,
    });
    const error = new Error('at last');
    await slowly(breaker, 150, error);
    expect(await causeOf(breaker)).toBe(error);
  });

  it('is no error that has left the window of time', async () => {
    const { breaker } = make({
      failureThreshold: 5,
      windowMs: 1_000,
      minimumCalls: 2,
      slowCallDurationMs: 100,
      slowCallRateThreshold: 100,
    });
    await slowly(breaker, 150, new Error('long ago'));
    await elapse(5_000);
    await slowly(breaker, 150);
    await slowly(breaker, 150);
    expect(await causeOf(breaker)).toBeUndefined();
  });

  it('is the error of the failed probe, once recovery has failed', async () => {
    const { breaker, seen } = make();
    const [first, probe] = [new Error('first'), new Error('probe')];
    await failure(breaker.execute(failing(first)));
    await elapse(1_000);
    await failure(breaker.execute(failing(probe)));
    expect(await causeOf(breaker)).toBe(probe);
    expect(seen.map(({ to, error, failures }) => [to, error, failures])).toEqual([
      [CircuitState.OPEN, first, 1],
      [CircuitState.HALF_OPEN, undefined, 1],
      [CircuitState.OPEN, probe, 1],
    ]);
  });

  it('stays what opened it where a probe only answered too slowly', async () => {
    const { breaker, seen } = make({ slowCallDurationMs: 100, slowCallRateThreshold: 50 });
    const first = new Error('first');
    await failure(breaker.execute(failing(first)));
    await elapse(1_000);
    await slowly(breaker, 150);
    expect(await causeOf(breaker)).toBe(first);
    expect(seen.at(-1)).not.toHaveProperty('error');
  });

  it('is told half-open to those for whom there is no room', async () => {
    const { breaker } = make({ halfOpenMaxCalls: 1 });
    const first = new Error('first');
    await failure(breaker.execute(failing(first)));
    await elapse(1_000);
    void breaker.execute(never);
    expect(await causeOf(breaker)).toBe(first);
  });

  it('is nothing where somebody forced it open, and is forgotten when it closes', async () => {
    const { breaker } = make({ successThreshold: 1 });
    await failure(breaker.execute(failing(new Error('first'))));
    breaker.forceOpen();
    expect(await causeOf(breaker)).toBeUndefined();
    breaker.reset();
    expect(breaker.getCause()).toBeUndefined();
    await failure(breaker.execute(failing(new Error('second'))));
    await elapse(1_000);
    await breaker.execute(answering);
    expect(breaker.getState()).toBe(CircuitState.CLOSED);
    expect(breaker.getCause()).toBeUndefined();
  });

  it('is nothing once probes have closed it, though calls are let back bit by bit', async () => {
    const { breaker } = make({ successThreshold: 1, rampUpMs: 1_000 });
    await failure(breaker.execute(failing(new Error('first'))));
    await elapse(1_000);
    await breaker.execute(answering);
    expect(breaker.getCause()).toBeUndefined();
  });

  it('is nothing where somebody disabled it', () => {
    const { breaker } = make();
    breaker.disable();
    expect(breaker.getCause()).toBeUndefined();
  });

  it('can be something thrown that is no Error', async () => {
    const { breaker } = make();
    await failure(breaker.execute(failing('a string')));
    expect(await causeOf(breaker)).toBe('a string');
  });
});

describe('why a breaker changes its state', () => {
  it('is told of each change, in the order of its life', async () => {
    const { breaker, seen } = make({ successThreshold: 1 });
    const failOnce = () => failure(breaker.execute(failing(new Error('down'))));
    await failOnce();
    await elapse(1_000);
    await failOnce();
    await elapse(1_000);
    await breaker.execute(answering);
    breaker.forceOpen();
    breaker.disable();
    breaker.reset();
    expect(seen.map(({ to, reason }) => [to, reason])).toEqual([
      [CircuitState.OPEN, 'failure-threshold'],
      [CircuitState.HALF_OPEN, 'open-time-passed'],
      [CircuitState.OPEN, 'probe-failed'],
      [CircuitState.HALF_OPEN, 'open-time-passed'],
      [CircuitState.CLOSED, 'probes-succeeded'],
      [CircuitState.FORCED_OPEN, 'forced-open'],
      [CircuitState.DISABLED, 'disabled'],
      [CircuitState.CLOSED, 'reset'],
    ]);
  });

  it('is that too many calls were slow, where none failed', async () => {
    const { breaker, seen } = make({
      minimumCalls: 1,
      slowCallDurationMs: 100,
      slowCallRateThreshold: 50,
    });
    await slowly(breaker, 150);
    expect(seen).toMatchObject([{ to: CircuitState.OPEN, reason: 'slow-call-rate' }]);
  });

  it('comes with counts of 0 where there was no call, and then with no error and no time to come back', () => {
    const { breaker, seen } = make();
    breaker.forceOpen();
    expect(seen).toEqual([
      {
        to: CircuitState.FORCED_OPEN,
        reason: 'forced-open',
        calls: 0,
        failures: 0,
        failureRate: 0,
      },
    ]);
  });

  it('is told once, however often somebody asks for the state that it is in', async () => {
    const { breaker, seen } = make({ failureThreshold: 9 });
    await failure(breaker.execute(failing(new Error('down'))));
    breaker.reset();
    expect(seen).toEqual([]);
    breaker.forceOpen();
    breaker.forceOpen();
    expect(seen).toHaveLength(1);
  });
});

describe('since when a breaker is open', () => {
  it('is the first opening of the outage, however often a probe has failed', async () => {
    const { breaker } = make({ successThreshold: 1 });
    const began = new Date().toISOString();
    await failure(breaker.execute(failing(new Error('down'))));
    for (let probe = 0; probe < 3; probe++) {
      await elapse(1_000);
      await failure(breaker.execute(failing(new Error('still down'))));
    }
    expect(breaker.getSnapshot()).toMatchObject({ openedAt: began, retryAfterMs: 1_000 });
    await elapse(1_000);
    await breaker.execute(answering);
    await elapse(5_000);
    const again = new Date().toISOString();
    await failure(breaker.execute(failing(new Error('the next outage'))));
    expect(breaker.getSnapshot().openedAt).toBe(again);
  });

  it('is the same outage where it opens again while calls are still let back bit by bit', async () => {
    const { breaker } = make({ successThreshold: 1, rampUpMs: 1_000 });
    const began = new Date().toISOString();
    await failure(breaker.execute(failing(new Error('down'))));
    await elapse(1_000);
    await breaker.execute(answering);
    await failure(breaker.execute(failing(new Error('not quite up'))));
    expect(breaker.getSnapshot()).toMatchObject({ state: CircuitState.OPEN, openedAt: began });
  });

  it('is when somebody forced it open', async () => {
    const { breaker } = make();
    await failure(breaker.execute(failing(new Error('down'))));
    await elapse(500);
    breaker.forceOpen();
    expect(breaker.getSnapshot().openedAt).toBe(new Date().toISOString());
  });
});

describe('why the breaker in front of a call is open', () => {
  const options: ServiceOptions = {
    timeoutMs: 100,
    circuitBreaker: 'payments',
    retry: ONE_RETRY,
  };
  const breakers = { payments: { failureThreshold: 1 } };

  it("is the timeout of the call's own first attempt, where the second meets the open breaker", async () => {
    const app = await boot({ breakers });
    const call = rejectionOf(app.pipeline(options).execute(never));
    await elapse(200);
    const { cause } = await call;
    expect(cause).toBeInstanceOf(TimeoutError);
  });

  it('is what the call itself failed by, and not what others failed by since', async () => {
    const app = await boot({ breakers: { payments: { failureThreshold: 2 } } });
    const pipeline = app.pipeline(options);
    const [own, other] = [new Error('mine'), new Error("somebody else's")];
    const call = rejectionOf(pipeline.execute(failing(own)));
    await flush();
    await failure(app.breakers.get('payments').execute(failing(other)));
    await elapse(100);
    expect((await call).cause).toBe(own);
    expect((await rejectionOf(pipeline.execute(answering))).cause).toBe(other);
  });

  it('is what an attempt failed by that ended after others had opened it', async () => {
    const app = await boot({ breakers });
    const pipeline = app.pipeline({ ...options, timeoutMs: 1_000 });
    const [own, other] = [new Error('mine'), new Error("somebody else's")];
    const work = new Deferred();
    const call = rejectionOf(pipeline.execute(() => work.promise));
    await failure(app.breakers.get('payments').execute(failing(other)));
    work.reject(own);
    await elapse(100);
    expect((await call).cause).toBe(own);
  });

  it('is the failure of an attempt that was made, not the rejection of one that was not', async () => {
    const app = await boot({ breakers });
    const retry = { ...ONE_RETRY, maxAttempts: 3, retryableErrors: () => true };
    const own = new Error('mine');
    const call = rejectionOf(app.pipeline({ ...options, retry }).execute(failing(own)));
    await elapse(500);
    expect((await call).cause).toBe(own);
  });

  it('is found through a retry further out, where that failed by this breaker before', async () => {
    const app = await boot({ breakers: { payments: { failureThreshold: 2 } } });
    const inner = app.pipeline({ name: 'inner', circuitBreaker: 'payments' });
    const outer = app.pipeline({ name: 'outer', retry: ONE_RETRY });
    const own = new Error('mine');
    const call = rejectionOf(
      outer.execute(() =>
        inner.execute(failing(own)).catch((error: unknown) => {
          if (error === own) throw new Error('the charge failed', { cause: error });
          throw error;
        }),
      ),
    );
    await flush();
    await failure(app.breakers.get('payments').execute(failing(new Error("somebody else's"))));
    await elapse(100);
    expect((await call).cause).toMatchObject({ message: 'the charge failed', cause: own });
  });

  it('is nothing that a call around it failed by elsewhere', async () => {
    const app = await boot({ breakers });
    const breaker = app.breakers.get('payments');
    const opening = new Error('payments are down');
    let attempt = 0;
    const call = rejectionOf(
      app.pipeline({ retry: ONE_RETRY }).execute(async () => {
        if (++attempt === 1) throw new Error('another dependency');
        return breaker.execute(answering);
      }),
    );
    await flush();
    await failure(breaker.execute(failing(opening)));
    await elapse(100);
    expect((await call).cause).toBe(opening);
  });

  it('is what the call itself failed by also where that does not count as a failure', async () => {
    const app = await boot({
      breakers: {
        payments: {
          failureThreshold: 1,
          isFailure: (error) => (error as Error).message !== 'mine',
        },
      },
    });
    const own = new Error('mine');
    const call = rejectionOf(app.pipeline(options).execute(failing(own)));
    await flush();
    await failure(app.breakers.get('payments').execute(failing(new Error("somebody else's"))));
    await elapse(100);
    expect((await call).cause).toBe(own);
  });

  it('is nothing where somebody forced it open, whatever the call failed by elsewhere', async () => {
    const app = await boot({ breakers });
    const breaker = app.breakers.get('payments');
    let attempt = 0;
    const call = rejectionOf(
      app.pipeline({ retry: ONE_RETRY }).execute(async () => {
        if (++attempt === 1) throw new Error('another dependency');
        return breaker.execute(answering);
      }),
    );
    await flush();
    breaker.forceOpen();
    await elapse(100);
    expect((await call).cause).toBeUndefined();
  });

  it('is told through hedges too', async () => {
    const app = await boot({ breakers: { payments: { failureThreshold: 2 } } });
    const pipeline = app.pipeline({ ...options, hedge: { delayMs: 20 } });
    const [own, other] = [new Error('mine'), new Error("somebody else's")];
    const call = rejectionOf(pipeline.execute(failing(own)));
    await flush();
    await failure(app.breakers.get('payments').execute(failing(other)));
    await elapse(500);
    expect((await call).cause).toBe(own);
  });

  it('changes no decision about retries: an open breaker is not retried, nor is its cause blamed', async () => {
    const app = await boot({ breakers });
    const told = { 'x-should-retry': 'false' };
    const opening = Object.assign(new Error('retried to the end'), { headers: told });
    const breaker = app.breakers.get('payments');
    await failure(breaker.execute(failing(opening)));
    let attempts = 0;
    const retry = { ...ONE_RETRY, retryableErrors: () => true };
    const call = rejectionOf(
      app.pipeline({ retry }).execute(() => {
        attempts++;
        return breaker.execute(answering);
      }),
    );
    await elapse(500);
    expect((await call).cause).toBe(opening);
    expect(attempts).toBe(2);
  });

  it('does not mark as retried what only opened the breaker', async () => {
    const app = await boot({ breakers });
    const opening = new Error('constant');
    const inner = app.pipeline({
      name: 'inner',
      circuitBreaker: 'payments',
      retry: { ...ONE_RETRY, retryableErrors: () => true },
    });
    let attempts = 0;
    const call = failure(
      app.pipeline({ name: 'outer', retry: ONE_RETRY }).execute(async () => {
        attempts++;
        await inner.execute(failing(new Error('first'))).catch(() => undefined);
        throw opening;
      }),
    );
    await failure(app.breakers.get('payments').execute(failing(opening)));
    await elapse(2_000);
    expect(await call).toBe(opening);
    expect(attempts).toBe(2);
  });
});
