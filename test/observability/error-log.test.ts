import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import {
  CircuitBreakerOpenError,
  type CircuitBreakerPolicy,
  ErrorTracker,
  type ErrorTrackerOptions,
} from '../../lib/index.js';
import { RecordingLogger } from '../binding/support.js';
import { booting, elapse, failure, never } from '../support/resilience-app.js';

type Record = { [field: string]: unknown };

const boot = booting();
let logger: RecordingLogger;
beforeEach(() => {
  logger = new RecordingLogger();
  Logger.overrideLogger(logger);
});

const context = { service: 'Shop', operation: 'Shop.pay' };
const down = () => Promise.reject(new Error('down'));
const records = (level: string) => logger.messages(level, 'ErrorTracker') as Record[];

describe('The records of errors', () => {
  const app = async (errorTracker: ErrorTrackerOptions = {}) => {
    const running = await boot({ errorTracker });
    Logger.overrideLogger(logger); // Nest's testing module has put its own there
    return running;
  };

  it('are at error where the caller saw the failure, and at warn where it was handled', async () => {
    const { pipeline } = bound(await app());
    await failure(pipeline({ name: 'seen' }).execute(down));
    await pipeline({ name: 'hidden', fallback: () => 'instead' }).execute(down);
    await pipeline({ name: 'degraded', critical: false }).execute(down);
    expect(records('error')).toMatchObject([
      { operation: 'seen', handled: false, outcome: 'failure' },
    ]);
    expect(records('warn')).toMatchObject([
      { operation: 'hidden', handled: true, outcome: 'fallback' },
      { operation: 'degraded', handled: true, outcome: 'degraded' },
    ]);
  });

  it('say in a sentence what failed, how it was answered, and how often it has been repeated', async () => {
    const { pipeline, tracker } = bound(await app());
    const cause = new Error('no route');
    const fails = () => Promise.reject(new TypeError('down', { cause }));
    for (let n = 0; n < 3; n++) await failure(pipeline({ name: 'seen' }).execute(fails));
    for (let n = 0; n < 2; n++) await pipeline({ name: 'hidden', fallback: () => 1 }).execute(down);
    await pipeline({ name: 'degraded', critical: false }).execute(down);
    tracker.track('text', { service: 'Shop', operation: 'by hand' }, true);
    await elapse(60_000);
    const sentences = (level: string) => records(level).map(({ message }) => message);
    const why = 'TypeError: down (cause: Error: no route)';
    expect(sentences('error')).toEqual([
      `seen failed: ${why}`,
      expect.stringMatching(/^seen failed 2 more times \(the latest at \S+Z\): TypeError: down/),
    ]);
    expect(sentences('warn')).toEqual([
      'hidden failed and was answered by its fallback: Error: down',
      'degraded failed and was answered by null: Error: down',
      'by hand failed and was handled: NonError: text',
      expect.stringMatching(/^hidden failed once more .* and was answered by its fallback: /),
    ]);
  });

  it('say what a fallback failed by that failed too, and tell another failure of it at once', async () => {
    const { pipeline } = bound(await app());
    const broken = new TypeError('a secret: token=abcdef');
    const fallbacks = [broken, broken, new RangeError('too far')];
    const fallback = () => {
      throw fallbacks.shift();
    };
    const seen = pipeline({ name: 'seen', fallback });
    for (let n = 0; n < 3; n++) await failure(seen.execute(down));
    await pipeline({
      name: 'degraded',
      critical: false,
      fallback: () => Promise.reject('no'),
    }).execute(down);
    expect(records('error')).toMatchObject([
      {
        message: expect.stringMatching(
          /^seen failed: Error: down; its fallback failed too: TypeError: a secret: /,
        ),
        fallback_error_type: 'TypeError',
        outcome: 'failure',
      },
      {
        message: 'seen failed: Error: down; its fallback failed too: RangeError: too far',
        fallback_error_type: 'RangeError',
        fallback_error_message: 'too far',
      },
    ]);
    expect(JSON.stringify(records('error'))).not.toContain('abcdef');
    expect(records('warn')).toMatchObject([
      {
        message:
          'degraded failed and was answered by null: Error: down; its fallback failed too: NonError: no',
      },
    ]);
  });

  it('say how often it was tried, how long it took, what it came from, and why it was not retried', async () => {
    const { pipeline } = bound(await app());
    const cause = new Error('connect ECONNREFUSED');
    const fails = () => Promise.reject(new TypeError('fetch failed', { cause }));
    const retry = { maxAttempts: 3, baseDelayMs: 50, jitter: 'none' } as const;
    const call = failure(pipeline({ name: 'retried', retry }).execute(fails));
    await elapse(200);
    await call;
    const inner = pipeline({ name: 'inner', retry: { maxAttempts: 1 } });
    const budget = { ratio: 0, minRetriesPerSecond: 0 };
    await failure(pipeline({ name: 'spent', retry: { ...retry, budget } }).execute(down));
    await inner.execute(async () => 1);
    expect(records('error')).toMatchObject([
      {
        operation: 'retried',
        error_type: 'TypeError',
        cause_type: 'Error',
        cause_message: 'connect ECONNREFUSED',
        attempts: 3,
        duration_ms: 150,
      },
      { operation: 'spent', attempts: 1, retry_suppressed: 'budget' },
    ]);
    expect(records('error')[0]).not.toHaveProperty('retry_suppressed');
    expect(records('error')[1]).not.toHaveProperty('cause_type');
  });

  it('say of a fetch that failed and opened the breaker why it did', async () => {
    const { pipeline } = bound(await app());
    const pay = pipeline({ name: 'pay', circuitBreaker: { failureThreshold: 1 } });
    const cause = new Error('connect ECONNREFUSED 10.0.0.1:443');
    await failure(pay.execute(() => Promise.reject(new TypeError('fetch failed', { cause }))));
    await failure(pay.execute(down));
    expect(records('error')[1]).toMatchObject({
      error_type: 'CircuitBreakerOpenError',
      cause_type: 'TypeError',
      cause_message: 'fetch failed: connect ECONNREFUSED 10.0.0.1:443',
    });
  });

  it('of an outage are a handful: the first of each kind, and once a minute how many there were', async () => {
    const { pipeline, metrics, tracker } = bound(await app());
    const seen: unknown[] = [];
    tracker.errors$.subscribe((each) => seen.push(each));
    const options = { circuitBreaker: { failureThreshold: 5, timeoutMs: 120_000 } };
    const pay = pipeline({ name: 'pay', ...options });
    for (let n = 0; n < 3_000; n++) {
      await failure(pay.execute(down));
      if (n % 40 === 0) await elapse(1_000);
    }
    await elapse(60_000);
    await elapse(600_000);
    const [error, rejection, ...repeated] = records('error');
    expect(error).toMatchObject({ error_type: 'Error', error_message: 'down' });
    expect(rejection).toMatchObject({
      error_type: 'CircuitBreakerOpenError',
      cause_type: 'Error',
      cause_message: 'down',
    });
    expect(repeated.length).toBeLessThanOrEqual(4);
    const told = repeated.map((each) => [each.error_type, each.repeated as number] as const);
    const sum = (type: string) =>
      told.filter(([each]) => each === type).reduce((total, [, count]) => total + count, 0);
    expect(sum('Error') + sum('CircuitBreakerOpenError')).toBe(3_000 - 2);
    expect(sum('Error')).toBeGreaterThanOrEqual(4);
    expect(seen).toHaveLength(3_000);
    expect(tracker.getMetrics().total).toBe(3_000);
    expect(metrics.get('errors.total')).toBe(3_000);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('begin anew once nothing was repeated for an interval', () => {
    jest.useFakeTimers();
    const tracker = new ErrorTracker({ logIntervalMs: 1_000 });
    const track = () => tracker.track(new Error('down'), context);
    track();
    track();
    jest.advanceTimersByTime(1_000);
    jest.advanceTimersByTime(1_000);
    track();
    expect(records('error').map(({ repeated }) => repeated)).toEqual([undefined, 1, undefined]);
    tracker.track(new TypeError('down'), context);
    tracker.track(new Error('down'), { ...context, operation: 'Shop.refund' });
    tracker.track(new Error('down'), context, true);
    expect(records('error')).toHaveLength(5);
    expect(records('warn')).toHaveLength(1);
    jest.useRealTimers();
  });

  it('are all written with logIntervalMs: 0, and none with log: false', () => {
    const each = new ErrorTracker({ logIntervalMs: 0 });
    const none = new ErrorTracker({ log: false });
    for (let n = 0; n < 3; n++) {
      each.track(new Error('down'), context);
      none.track(new Error('down'), context);
    }
    expect(records('error')).toHaveLength(3);
  });

  it('that were counted are told when the application closes, and later ones are written each', async () => {
    const running = await app();
    const { pipeline, tracker } = bound(running);
    for (let n = 0; n < 5; n++) await failure(pipeline({ name: 'pay' }).execute(down));
    expect(records('error')).toHaveLength(1);
    await running.close();
    expect(records('error').map(({ repeated }) => repeated)).toEqual([undefined, 4]);
    for (let n = 0; n < 2; n++) tracker.track(new Error('late'), context);
    expect(records('error')).toHaveLength(4);
  });

  it('that are counted keep no process alive', () => {
    const made = jest.spyOn(globalThis, 'setTimeout');
    const tracker = new ErrorTracker();
    tracker.track(new Error('down'), context);
    const timers = made.mock.results.map(({ value }) => value as NodeJS.Timeout);
    made.mockRestore();
    expect(timers.map((timer) => timer.hasRef())).toEqual([false]);
    for (const timer of timers) clearTimeout(timer);
  });

  it('are not stuck where a clock went away with its timers', () => {
    jest.useFakeTimers();
    const tracker = new ErrorTracker({ logIntervalMs: 1_000 });
    const track = () => tracker.track(new Error('down'), context);
    track();
    track();
    jest.useRealTimers();
    jest.useFakeTimers({ now: 0 });
    jest.advanceTimersByTime(5_000);
    track();
    jest.advanceTimersByTime(1_000);
    const told = records('error').reduce((total, { repeated = 1 }) => total + Number(repeated), 0);
    expect(told).toBe(3);
    jest.useRealTimers();
  });

  it('take bounded memory, and what is beyond maxKeys is one kind', () => {
    jest.useFakeTimers();
    const tracker = new ErrorTracker({ maxKeys: 10 });
    for (let n = 0; n < 100; n++)
      tracker.track(new Error('down'), { ...context, operation: `op${n}` });
    expect(records('error')).toHaveLength(11);
    expect(jest.getTimerCount()).toBe(11);
    jest.advanceTimersByTime(60_000);
    expect(records('error')).toHaveLength(12);
    expect(records('error').at(-1)).toMatchObject({ operation: 'op99', repeated: 89 });
    jest.useRealTimers();
  });
});

describe('The durations of calls', () => {
  it('are those of calls that reached what they call; rejections are counted, and no durations', async () => {
    const running = await boot();
    const { pipeline, metrics } = bound(running);
    const count = (name: string, tags: Record) => metrics.get(name, tags as { operation: string });
    const both = (operation: string) => [
      count('requests.total', { operation }),
      count('request.duration', { operation }),
    ];
    const open = (name: string): CircuitBreakerPolicy => running.breakers.get(name);

    await failure(pipeline({ name: 'fails' }).execute(down));
    expect(both('fails')).toEqual([1, 1]);

    const rejected = pipeline({ name: 'rejected', circuitBreaker: {} });
    const answered = pipeline({ name: 'answered', circuitBreaker: {}, fallback: () => 'instead' });
    const degraded = pipeline({ name: 'degraded', circuitBreaker: {}, critical: false });
    for (const name of ['rejected', 'answered', 'degraded']) open(name).forceOpen();
    await failure(rejected.execute(never));
    await answered.execute(never);
    await degraded.execute(never);
    for (const name of ['rejected', 'answered', 'degraded']) expect(both(name)).toEqual([1, 0]);

    const full = pipeline({ name: 'full', bulkhead: { maxConcurrent: 1, queueLimit: 0 } });
    void full.execute(never);
    await failure(full.execute(never));
    expect(both('full')).toEqual([1, 0]);

    const queued = pipeline({ name: 'queued', timeoutMs: 100, bulkhead: { maxConcurrent: 1 } });
    const running1 = failure(queued.execute(never));
    const waiting = failure(queued.execute(never));
    await elapse(100);
    await Promise.all([running1, waiting]);
    expect(both('queued')).toEqual([2, 1]);

    const outer = pipeline({ name: 'outer' });
    await failure(outer.execute(() => rejected.execute(never)));
    const wraps = (error: unknown) => Promise.reject(new Error('unavailable', { cause: error }));
    await failure(outer.execute(() => rejected.execute(never).catch(wraps)));
    expect(both('outer')).toEqual([2, 0]);
  });

  it('are those of a call, too, one of whose attempts reached it before the breaker opened', async () => {
    const { pipeline, metrics } = bound(await boot());
    const retry = { maxAttempts: 3, baseDelayMs: 0, retryableErrors: () => true };
    const circuitBreaker = { failureThreshold: 1 };
    const call = failure(pipeline({ name: 'pay', retry, circuitBreaker }).execute(down));
    await elapse(100);
    expect(await call).toBeInstanceOf(CircuitBreakerOpenError);
    expect(metrics.get('request.duration', { operation: 'pay' })).toBe(1);
  });
});

/** What a test asks an application for. */
function bound(app: Awaited<ReturnType<typeof boot>>) {
  const pipeline: typeof app.pipeline = (options) => app.pipeline(options);
  return { pipeline, metrics: app.metrics, tracker: app.tracker };
}
