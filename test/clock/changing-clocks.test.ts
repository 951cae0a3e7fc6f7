import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { clock, now } from '../../lib/common/clock.js';
import { TimeWindow } from '../../lib/common/time-window.js';
import { AlertThrottle } from '../../lib/criticality/alert-throttle.js';
import {
  BulkheadPolicy,
  CircuitBreakerOpenError,
  CircuitBreakerPolicy,
  CircuitState,
  TimeoutError,
} from '../../lib/index.js';
import { RetryBudget } from '../../lib/retry/retry-budget.js';
import { booting, elapse, failure, never, watch } from '../support/resilience-app.js';

const boot = booting();

afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
  now();
});

const fail = async () => Promise.reject(new Error('down'));
const answer = async () => 'answer';

/** As Jest fakes them by default, with the clock in them, or as it did before, without one. */
const FAKES = [
  ['timers and a clock that begins at 0', () => void jest.useFakeTimers()],
  ['timers only', () => void jest.useFakeTimers({ legacyFakeTimers: true })],
] as const;

/** Lets time pass, and all that follows from it. */
async function pass(ms: number): Promise<void> {
  jest.advanceTimersByTime(ms);
  for (let i = 0; i < 20; i++) await undefined;
}

describe.each(FAKES)('a call that is made when %s have been faked', (_what, fake) => {
  it('times out, where calls were made in real time before', async () => {
    const app = await boot();
    jest.useRealTimers();
    const pipeline = app.pipeline({ timeoutMs: 100 });
    expect(await pipeline.execute(answer)).toBe('answer');
    fake();
    const [first, second] = [watch(pipeline.execute(never)), watch(pipeline.execute(never))];
    await pass(120); // the real clock goes on by some ms, too
    expect(first.error).toBeInstanceOf(TimeoutError);
    expect(second.error).toBeInstanceOf(TimeoutError);
    const later = watch(pipeline.execute(never));
    await pass(120); // the real clock goes on by some ms, too
    expect(later.error).toBeInstanceOf(TimeoutError);
  });

  it('times out, where one was left hanging in real time, and in faked time before', async () => {
    const app = await boot();
    jest.useRealTimers();
    const pipeline = app.pipeline({ timeoutMs: 100 });
    const left: { error: unknown }[] = [watch(pipeline.execute(never))];
    for (let round = 0; round < 3; round++) {
      fake();
      const call = watch(pipeline.execute(never));
      await pass(120); // the real clock goes on by some ms, too
      expect(call.error).toBeInstanceOf(TimeoutError);
      expect(left.map(({ error }) => error)).toEqual(
        left.map(() => expect.any(TimeoutError)), // it went on by the new clock
      );
      left.splice(0);
      left.push(watch(pipeline.execute(never)));
    }
    jest.useRealTimers();
    const last = await failure(pipeline.execute(never));
    expect(last).toBeInstanceOf(TimeoutError);
    expect(left[0]?.error).toBeInstanceOf(TimeoutError);
  });

  it('goes on backing off by the new clock', async () => {
    const app = await boot();
    jest.useRealTimers();
    const retry = {
      maxAttempts: 2,
      baseDelayMs: 60_000,
      maxDelayMs: 60_000,
      jitter: 'none',
    } as const;
    const run = jest.fn(fail);
    const call = watch(app.pipeline({ retry }).execute(run));
    await failure(app.pipeline({}).execute(fail));
    fake();
    await app.pipeline({}).execute(answer); // by which it is found that time is faked
    await pass(60_000);
    expect(run).toHaveBeenCalledTimes(2);
    expect(call.state).toBe('rejected');
  });

  it('is hedged, and leaves a queue, in time', async () => {
    const app = await boot();
    jest.useRealTimers();
    const hedged = app.pipeline({ hedge: { delayMs: 50 } } as never);
    const bulkhead = new BulkheadPolicy('b', { maxConcurrent: 1, queueTimeoutMs: 50 });
    watch(bulkhead.execute(never));
    watch(bulkhead.execute(never));
    fake();
    const run = jest.fn(never);
    watch(hedged.execute(run));
    const queued = watch(bulkhead.execute(answer));
    await pass(120); // the real clock goes on by some ms, too
    expect(run).toHaveBeenCalledTimes(2);
    expect(queued.error).toMatchObject({ reason: 'queue-timeout' });
  });
});

describe('a breaker', () => {
  const options = { failureThreshold: 1, successThreshold: 1, timeoutMs: 300 };
  const open = async () => {
    const breaker = new CircuitBreakerPolicy('b', options);
    await failure(breaker.execute(fail));
    expect(breaker.getState()).toBe(CircuitState.OPEN);
    return breaker;
  };

  it('that was opened in real time is open for no longer by a faked clock', async () => {
    const breaker = await open();
    jest.useFakeTimers();
    expect(breaker.getSnapshot().retryAfterMs).toBe(300);
    await elapse(299);
    expect(await failure(breaker.execute(answer))).toMatchObject({ retryAfterMs: 1 });
    await elapse(1);
    expect(await breaker.execute(answer)).toBe('answer');
    expect(breaker.getState()).toBe(CircuitState.CLOSED);
  });

  it('counts the time that passed before anybody looked at the new clock', async () => {
    const breaker = await open();
    jest.useFakeTimers();
    await elapse(300);
    expect(await breaker.execute(answer)).toBe('answer');
  });

  it('that was opened in faked time stays open by the real clock, until its time is over', async () => {
    jest.useFakeTimers();
    await elapse(100);
    const breaker = await open();
    jest.useRealTimers();
    expect(await failure(breaker.execute(answer))).toBeInstanceOf(CircuitBreakerOpenError);
    const at = performance.now() + 300;
    jest.spyOn(performance, 'now').mockReturnValue(at);
    expect(await breaker.execute(answer)).toBe('answer');
  });

  it('is not stuck half-open by a probe from before, nor in its ramp', async () => {
    const breaker = new CircuitBreakerPolicy('b', {
      ...options,
      halfOpenMaxCalls: 1,
      rampUpMs: 1_000,
    });
    jest.useFakeTimers();
    await elapse(50_000);
    await failure(breaker.execute(fail));
    await elapse(300);
    watch(breaker.execute(never));
    jest.useFakeTimers(); // begins at 0 again
    expect(await failure(breaker.execute(answer))).toBeInstanceOf(CircuitBreakerOpenError);
    await elapse(300);
    expect(await breaker.execute(answer)).toBe('answer');
    expect(breaker.getState()).toBe(CircuitState.CLOSED);
    jest.useFakeTimers();
    expect(breaker.getSnapshot().rampUpShare).toBeCloseTo(0.1);
    await elapse(500);
    expect(breaker.getSnapshot().rampUpShare).toBeCloseTo(0.55);
    await elapse(500);
    expect(breaker.getSnapshot().rampUpShare).toBeUndefined();
  });

  it('remembers the failures of before for a window of the new clock', async () => {
    jest.useFakeTimers();
    const counting = { failureThreshold: 2, windowMs: 1_000 };
    for (const [waitMs, state] of [
      [999, CircuitState.OPEN],
      [1_000, CircuitState.CLOSED],
    ] as const) {
      jest.useFakeTimers();
      await elapse(50_000);
      const breaker = new CircuitBreakerPolicy('b', counting);
      await failure(breaker.execute(fail));
      jest.useFakeTimers();
      await elapse(waitMs);
      await failure(breaker.execute(fail));
      expect(breaker.getState()).toBe(state);
    }
  });

  it('begins anew where all timers are cleared and the clock is set back', async () => {
    jest.useFakeTimers();
    await elapse(10_000);
    const breaker = await open();
    jest.clearAllTimers();
    expect(performance.now()).toBe(0);
    expect(breaker.getSnapshot().retryAfterMs).toBe(300);
    await elapse(300);
    expect(await breaker.execute(answer)).toBe('answer');
  });

  it('does not care for the wall clock', async () => {
    jest.useFakeTimers();
    const breaker = await open();
    const { era } = clock;
    jest.setSystemTime(Date.now() + 3_600_000);
    expect(breaker.getSnapshot().retryAfterMs).toBe(300);
    jest.setSystemTime(Date.now() - 7_200_000);
    expect(breaker.getSnapshot().retryAfterMs).toBe(300);
    expect(clock.era).toBe(era);
  });
});

describe('what counts over a time', () => {
  const fakeAgain = () => {
    jest.useFakeTimers();
    return now();
  };

  it('is a window that is neither stuck nor emptied by a new clock', () => {
    jest.useFakeTimers();
    jest.advanceTimersByTime(70_000);
    const window = new TimeWindow(1_000);
    window.record(now(), true, true);
    window.record(now(), false, false);
    expect(window.counts(fakeAgain())).toMatchObject({ calls: 2, failures: 1, slow: 1 });
    jest.advanceTimersByTime(900);
    expect(window.counts(now())).toMatchObject({ calls: 2, failures: 1, slow: 1 });
    jest.advanceTimersByTime(100);
    expect(window.counts(now())).toMatchObject({ calls: 0, failures: 0, slow: 0 });
    window.record(now(), true, false);
    expect(window.counts(now())).toMatchObject({ calls: 1, failures: 1, slow: 0 });
  });

  it('is a retry budget that gives back what it has spent', () => {
    jest.useFakeTimers();
    jest.advanceTimersByTime(70_000);
    const budget = new RetryBudget('b', { ratio: 0, minRetriesPerSecond: 1, windowMs: 1_000 });
    expect(budget.tryRetry(now())).toBe(true);
    expect(budget.tryRetry(now())).toBe(false);
    expect(budget.tryRetry(fakeAgain())).toBe(false);
    jest.advanceTimersByTime(1_100);
    expect(budget.tryRetry(now())).toBe(true);
  });

  it('is a throttle of alerts that lets one through again', () => {
    jest.useFakeTimers();
    jest.advanceTimersByTime(70_000);
    const throttle = new AlertThrottle(60_000);
    expect(throttle.pass()).toBe(0);
    fakeAgain();
    expect(throttle.pass()).toBeUndefined();
    jest.advanceTimersByTime(60_000);
    expect(throttle.pass()).toBe(1);
  });

  it('is the error rate of an application that was made in real time', async () => {
    const app = await boot();
    jest.useRealTimers();
    const pipeline = app.pipeline({ name: 'rated' });
    await failure(pipeline.execute(fail));
    jest.useFakeTimers();
    await pipeline.execute(answer);
    expect(app.tracker.getErrorRate('rated')).toBe(0.5);
    await elapse(60_000);
    expect(app.tracker.getErrorRate('rated')).toBe(0);
  });
});

describe('an application that was made in real time and is closed in faked', () => {
  it('closes when its grace is over', async () => {
    const app = await boot({ shutdown: { graceMs: 1_000 } });
    jest.useRealTimers();
    watch(app.pipeline({}).execute(never));
    jest.useFakeTimers();
    const closed = watch(app.module.close());
    await elapse(1_000);
    expect(closed.state).toBe('fulfilled');
  });
});
