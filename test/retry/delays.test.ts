import { describe, expect, it, jest } from '@jest/globals';
import {
  FailedResult,
  type ResilienceConfigurationError,
  type RetryDelay,
  type RetryOptions,
} from '../../lib/index.js';
import { RetryPolicy } from '../../lib/retry/retry.policy.js';
import { booting, elapse, watch } from '../support/resilience-app.js';
import { delayAfter, failed } from './support.js';

const boot = booting();
const ERROR = new Error('down');

/** The waits before the retries of a call that always fails. */
function waits(options: RetryOptions, error: unknown = ERROR): (number | undefined)[] {
  const policy = new RetryPolicy({ maxAttempts: 5, ...options });
  let previousDelayMs: number | undefined;
  return [1, 2, 3, 4].map((attempt) => {
    previousDelayMs = delayAfter(policy, failed(error, { attempt, previousDelayMs }));
    return previousDelayMs;
  });
}

describe('Waits that are listed', () => {
  it('come one after the other, the last again and again, without jitter', () => {
    expect(waits({ delayMs: [10, 20] })).toEqual([10, 20, 20, 20]);
    expect(waits({ delayMs: [0] })).toEqual([0, 0, 0, 0]);
  });

  it('are no shorter than the error asks for', () => {
    const error = Object.assign(new Error('busy'), { retryAfterMs: 15 });
    expect(waits({ delayMs: [10, 20] }, error)).toEqual([15, 20, 20, 20]);
  });

  it.each([
    [[], 'is []; allowed: a non-empty array of waits'],
    [[10, -1], 'is [10, -1]; allowed: a non-empty array of waits'],
    [[Number.NaN], 'is [NaN]; allowed: a non-empty array of waits'],
    [['10'], 'is ["10"]; allowed: a non-empty array of waits'],
    [[Number.POSITIVE_INFINITY], 'is [Infinity]; allowed: a non-empty array of waits'],
    [10, 'is 10; allowed: a non-empty array of waits'],
    [[10, 6_000], 'is [10, 6000], where 6000 is more than maxDelayMs 5000; allowed: at most that'],
    [async () => 10, 'is a function; allowed: waits in ms, or a function that returns one at once'],
  ])('are refused where they are %p', (delayMs, message) => {
    expect(() => new RetryPolicy({ delayMs } as RetryOptions, 'here')).toThrow(
      `here.delayMs: ${message}`,
    );
  });

  it('may be longer where maxDelayMs allows it', () => {
    expect(waits({ delayMs: [6_000], maxDelayMs: 7_000 })[0]).toBe(6_000);
  });

  it.each(['baseDelayMs', 'factor', 'jitter'])('exclude %s beside them', (other) => {
    const options = { delayMs: [10], [other]: other === 'jitter' ? 'none' : 2 };
    expect(() => new RetryPolicy(options, 'here')).toThrow(
      new RegExp(`^here\\.delayMs: is \\[10\\] while ${other} is .*; allowed: one of the two`),
    );
  });

  it('take the place of what a layer below says, and the other way round', async () => {
    const app = await boot({ defaults: { retry: { baseDelayMs: 300, jitter: 'none' } } });
    const retry = (options: RetryOptions) =>
      app.pipeline({ name: 'load', retry: options }).plan.stages.retry?.options;
    const listed = retry({ delayMs: [10] });
    expect(listed).toMatchObject({ delayMs: [10] });
    expect(listed).not.toHaveProperty('baseDelayMs');
    const other = await boot({ defaults: { retry: { delayMs: [10] } } });
    const growing = other.pipeline({ name: 'load', retry: { factor: 3 } }).plan.stages.retry
      ?.options;
    expect(growing).toMatchObject({ baseDelayMs: 100, factor: 3 });
    expect(growing).not.toHaveProperty('delayMs');
  });
});

describe('Waits that a function tells', () => {
  it('follow what it is told: the attempt, the error and the wait before', () => {
    const delayMs = jest.fn<RetryDelay>((_attempt, _error, before = 5) => before * 2);
    expect(waits({ delayMs })).toEqual([10, 20, 40, 80]);
    expect(delayMs.mock.calls).toEqual([
      [1, ERROR, undefined],
      [2, ERROR, 10],
      [3, ERROR, 20],
      [4, ERROR, 40],
    ]);
  });

  it('are cut to maxDelayMs, and no shorter than the error asks for', () => {
    const error = Object.assign(new Error('busy'), { retryAfterMs: 15 });
    expect(waits({ delayMs: () => Number.POSITIVE_INFINITY, maxDelayMs: 30 })[0]).toBe(30);
    expect(waits({ delayMs: () => 1e300 })[0]).toBe(5_000);
    expect(waits({ delayMs: () => 1 }, error)[0]).toBe(15);
  });

  it.each([
    [Number.NaN, 'answered NaN; allowed: a number of ms from 0'],
    [-1, 'answered -1; allowed: a number of ms from 0'],
    [undefined, 'answered undefined; allowed: a number of ms from 0'],
    ['10', 'answered "10"; allowed: a number of ms from 0'],
    [10n, 'answered 10; allowed: a number of ms from 0'],
    [
      Promise.reject(ERROR),
      'answered a promise; it has to answer at once; allowed: a number of ms from 0',
    ],
  ])('end the call where it answers %p', async (answer, message) => {
    const app = await boot();
    const delayMs = () => answer as number;
    const method = jest.fn(async () => {
      throw ERROR;
    });
    const pipeline = app.pipeline({ name: 'load', retry: { delayMs } });
    await expect(pipeline.execute(method)).rejects.toMatchObject({
      name: 'ResilienceConfigurationError',
      message: `pipeline "load".retry.delayMs: ${message}`,
      cause: ERROR,
    });
    expect(method).toHaveBeenCalledTimes(1);
  });

  it('end the call by what it throws', async () => {
    const app = await boot();
    const slip = new Error('a slip');
    const delayMs = () => {
      throw slip;
    };
    const pipeline = app.pipeline({ name: 'load', retry: { delayMs } });
    await expect(pipeline.execute(() => Promise.reject(ERROR))).rejects.toBe(slip);
  });

  it('are told of a result that counts as a failure', async () => {
    const app = await boot();
    const delayMs = jest.fn<RetryDelay>(() => 10);
    const retry = { delayMs, retryableResults: () => true, maxAttempts: 2 };
    const result = watch(app.pipeline({ name: 'load', retry }).execute(async () => 'bad'));
    await elapse(10);
    expect(result.value).toBe('bad');
    expect(delayMs.mock.calls[0]?.[1]).toBeInstanceOf(FailedResult);
  });
});

it('A wait that is refused names its place', async () => {
  const error = await boot({ services: { load: { retry: { delayMs: [] } } } }).catch(
    (thrown: ResilienceConfigurationError) => thrown,
  );
  expect(error).toMatchObject({ place: 'services.load.retry.delayMs' });
});
