import { describe, expect, it } from '@jest/globals';
import { HttpException } from '@nestjs/common';
import fc from 'fast-check';
import {
  BulkheadRejectedError,
  CircuitBreakerOpenError,
  ResilienceConfigurationError,
  type RetryOptions,
  TimeoutError,
} from '../../lib/index.js';
import { RetryPolicy } from '../../lib/retry/retry.policy.js';
import { RetryBudget } from '../../lib/retry/retry-budget.js';
import { delayAfter, failed } from './support.js';

const delayFor = (options: RetryOptions, error: unknown = new Error()) =>
  delayAfter(new RetryPolicy({ jitter: 'none', baseDelayMs: 100, ...options }), failed(error));

const retries = (options: RetryOptions, error: unknown) => delayFor(options, error) !== undefined;

/** The waits of a call that always fails. */
function delays(options: RetryOptions, error: unknown = new Error()): number[] {
  const policy = new RetryPolicy(options);
  const found: number[] = [];
  for (let attempt = 1; ; attempt++) {
    const delayMs = delayAfter(policy, failed(error, { attempt, previousDelayMs: found.at(-1) }));
    if (delayMs === undefined) return found;
    found.push(delayMs);
  }
}

describe('the waits', () => {
  it('19: grow by the factor up to maxDelayMs', () => {
    const options = { maxAttempts: 6, baseDelayMs: 100, maxDelayMs: 500, jitter: 'none' } as const;
    expect(delays(options)).toEqual([100, 200, 400, 500, 500]);
    expect(delays({ ...options, factor: 1 })).toEqual([100, 100, 100, 100, 100]);
    expect(delays({ ...options, factor: 1.5 })).toEqual([100, 150, 225, 337.5, 500]);
  });

  it('are by default two, below 100 and 200 ms', () => {
    const waits = delays({});
    expect(waits).toHaveLength(2);
    expect(waits[0]).toBeLessThanOrEqual(100);
    expect(waits[1]).toBeLessThanOrEqual(200);
    expect(new RetryPolicy().options).toEqual({
      maxAttempts: 3,
      baseDelayMs: 100,
      maxDelayMs: 5_000,
      factor: 2,
      jitter: 'full',
      respectRetryAfter: true,
      idempotent: false,
      retryNested: false,
    });
  });

  /** Everything that the options allow, extremes included. */
  const growth = fc.record({
    maxAttempts: fc.integer({ min: 2, max: 30 }),
    baseDelayMs: fc.oneof(
      fc.constantFrom(0, 1, 100, 2 ** 31 - 1),
      fc.integer({ min: 0, max: 10_000 }),
    ),
    maxDelayMs: fc.oneof(
      fc.constantFrom(0, 1, 5_000, 2 ** 31 - 1),
      fc.integer({ min: 0, max: 20_000 }),
    ),
    factor: fc.oneof(
      fc.constantFrom(1, 2, 1e9, 1e200, Number.MAX_VALUE),
      fc.double({ min: 1, max: 10, noNaN: true }),
    ),
  });
  const lies = (waits: number[], bounds: (index: number) => [number, number]) => {
    for (const [index, delayMs] of waits.entries()) {
      const [lowest, highest] = bounds(index);
      expect(delayMs).toBeGreaterThanOrEqual(lowest);
      expect(delayMs).toBeLessThanOrEqual(highest);
    }
  };
  /** d = min(maxDelayMs, baseDelayMs · factorⁿ⁻¹), by multiplying step by step. */
  const d = (
    {
      baseDelayMs,
      maxDelayMs,
      factor,
    }: Required<Pick<RetryOptions, 'baseDelayMs' | 'maxDelayMs' | 'factor'>>,
    index: number,
  ) => {
    let delayMs = baseDelayMs;
    for (let step = 0; step < index && delayMs < maxDelayMs; step++) delayMs *= factor;
    return Math.min(maxDelayMs, delayMs);
  };
  const rounding = 1 + 1e-9; // of repeated multiplication against a power

  it.each<[RetryOptions['jitter'], number, number]>([
    ['none', 1, 1],
    ['full', 0, 1],
    ['equal', 0.5, 1],
  ])(
    '20: with jitter %s lie between d·%d and d·%d, and never above maxDelayMs',
    (jitter, from, to) => {
      fc.assert(
        fc.property(growth, (options) => {
          const waits = delays({ ...options, jitter });
          expect(waits).toHaveLength(options.maxAttempts - 1);
          lies(waits, (index) => [
            (d(options, index) * from) / rounding,
            Math.min(options.maxDelayMs, d(options, index) * to * rounding),
          ]);
        }),
      );
    },
  );

  it('20: with jitter decorrelated lie between the base and three times the wait before, capped', () => {
    fc.assert(
      fc.property(growth, (options) => {
        const { baseDelayMs, maxDelayMs } = options;
        const waits = delays({ ...options, jitter: 'decorrelated' });
        expect(waits).toHaveLength(options.maxAttempts - 1);
        lies(waits, (index) => [
          Math.min(baseDelayMs, maxDelayMs),
          Math.min(maxDelayMs, Math.max(baseDelayMs, 3 * (waits[index - 1] ?? baseDelayMs))),
        ]);
      }),
    );
  });

  it.each<[RetryOptions['jitter'], number]>([
    ['full', 0],
    ['equal', 500],
    ['decorrelated', 1_000],
  ])('with jitter %s fill their whole range', (jitter, lowest) => {
    const highest = jitter === 'decorrelated' ? 3_000 : 1_000;
    const policy = new RetryPolicy({ baseDelayMs: 1_000, jitter });
    const waits = Array.from(
      { length: 2_000 },
      () => delayAfter(policy, failed(new Error())) ?? Number.NaN,
    );
    const tenth = (highest - lowest) / 10;
    expect(Math.min(...waits)).toBeLessThan(lowest + tenth);
    expect(Math.max(...waits)).toBeGreaterThan(highest - tenth);
    const mean = waits.reduce((sum, wait) => sum + wait, 0) / waits.length;
    expect(Math.abs(mean - (lowest + highest) / 2)).toBeLessThan(tenth);
  });

  it('stay numbers after a thousand attempts', () => {
    const waits = delays({ maxAttempts: 1_500, baseDelayMs: 0, factor: 10, jitter: 'none' });
    expect(new Set(waits)).toEqual(new Set([0]));
    expect(delays({ maxAttempts: 1_500, baseDelayMs: 1, jitter: 'none' }).at(-1)).toBe(5_000);
  });
});

describe('what is retried', () => {
  class ParentError extends Error {}
  class ChildError extends ParentError {}

  it.each([408, 425, 429, 500, 503])('by default an answer of status %d', (status) => {
    expect(retries({}, new HttpException('', status))).toBe(true);
    expect(retries({}, { response: { status } })).toBe(true);
  });

  it.each([400, 401, 404, 409, 422])(
    'by default no answer of status %d, in whatever shape',
    (status) => {
      expect(retries({}, new HttpException('', status))).toBe(false);
      expect(retries({}, { status })).toBe(false);
      expect(retries({}, { statusCode: status })).toBe(false);
      expect(retries({}, { response: { status } })).toBe(false);
      expect(retries({}, { $metadata: { httpStatusCode: status } })).toBe(false);
    },
  );

  it('by default a timeout and a full bulkhead, but not an open breaker', () => {
    expect(retries({}, new TimeoutError(10))).toBe(true);
    expect(retries({}, new BulkheadRejectedError('b', 'full'))).toBe(true);
    expect(retries({}, new CircuitBreakerOpenError('b', 10))).toBe(false);
  });

  it.each([['a string'], [undefined], [null], [0]])(
    'by default whatever else is thrown: %p',
    (thrown) => {
      expect(retries({}, thrown)).toBe(true);
    },
  );

  it('18: the classes given, and those derived from them', () => {
    expect(retries({ retryableErrors: [ParentError] }, new ChildError())).toBe(true);
    expect(retries({ retryableErrors: [ChildError] }, new ParentError())).toBe(false);
    expect(retries({ retryableErrors: [TypeError, ParentError] }, new ParentError())).toBe(true);
    expect(retries({ retryableErrors: [ParentError] }, 'a string')).toBe(false);
  });

  it('18: what the predicate says, in place of the default', () => {
    expect(retries({ retryableErrors: () => false }, new Error())).toBe(false);
    expect(retries({ retryableErrors: () => true }, new HttpException('', 404))).toBe(true);
    expect(retries({ retryableErrors: () => true }, new CircuitBreakerOpenError('b', 1))).toBe(
      true,
    );
  });

  it('no mistake in the configuration', () => {
    expect(
      retries({ retryableErrors: () => true }, new ResilienceConfigurationError('x', 'y')),
    ).toBe(false);
  });
});

describe('Retry-After', () => {
  const asks = (carrier: object) => delayFor({}, Object.assign(new Error(), carrier));
  const shapes: [string, (value: string) => object][] = [
    [
      'a Headers object in the response',
      (value) => ({ response: { headers: new Headers({ 'Retry-After': value }) } }),
    ],
    [
      'a plain object in the response',
      (value) => ({ response: { headers: { 'retry-after': value } } }),
    ],
    [
      'a plain object in any case',
      (value) => ({ response: { headers: { 'RETRY-After': value } } }),
    ],
    ['an array of values', (value) => ({ response: { headers: { 'retry-after': [value] } } })],
    [
      'a Headers object on the error',
      (value) => ({ headers: new Headers({ 'retry-after': value }) }),
    ],
    ['a plain object on the error', (value) => ({ headers: { 'Retry-After': value } })],
    [
      'the error, where the response has none',
      (value) => ({ response: { headers: {} }, headers: { 'retry-after': value } }),
    ],
    [
      'the error, where the response has no such Headers',
      (value) => ({ response: { headers: new Headers() }, headers: { 'retry-after': value } }),
    ],
    [
      'an object without a prototype',
      (value) => ({ headers: Object.assign(Object.create(null), { 'retry-after': value }) }),
    ],
  ];

  it.each(shapes)('23: is found in %s', (_, carrier) => {
    expect(asks(carrier('2'))).toBe(2_000);
    expect(asks(carrier('60'))).toBeUndefined();
  });

  it.each(shapes)('23: may be an HTTP date in %s', (_, carrier) => {
    const inThreeSeconds = new Date(Date.now() + 3_000).toUTCString(); // whole seconds: up to one less
    const delayMs = asks(carrier(inThreeSeconds));
    expect(delayMs).toBeGreaterThan(1_000);
    expect(delayMs).toBeLessThanOrEqual(3_000);
    expect(asks(carrier(new Date(Date.now() + 60_000).toUTCString()))).toBeUndefined();
    expect(asks(carrier(new Date(Date.now() - 60_000).toUTCString()))).toBe(100);
  });

  it('may be a number of seconds, and retryAfterMs one of milliseconds', () => {
    expect(asks({ headers: { 'retry-after': 2 } })).toBe(2_000);
    expect(asks({ retryAfterMs: 1_500 })).toBe(1_500);
    expect(asks({ retryAfterMs: 5_001 })).toBeUndefined();
    expect(asks({ retryAfterMs: 5_000 })).toBe(5_000);
  });

  it('is heard where it asks for less than the backoff, which then stands', () => {
    expect(asks({ retryAfterMs: 50 })).toBe(100);
    expect(asks({ headers: { 'retry-after': '0' } })).toBe(100);
  });

  it.each<[string, object]>([
    ['text', { headers: { 'retry-after': 'soon' } }],
    ['nothing', { headers: { 'retry-after': '' } }],
    ['an empty array', { headers: { 'retry-after': [] } }],
    ['null', { headers: { 'retry-after': null } }],
    ['an object', { headers: { 'retry-after': {} } }],
    ['NaN', { retryAfterMs: Number.NaN }],
    ['a string in ms', { retryAfterMs: '2000' }],
    ['less than nothing', { retryAfterMs: -1 }],
    ['headers that are no object', { headers: 'retry-after: 2' }],
    ['no headers', { headers: null, response: null }],
    [
      'a getter that throws',
      Object.defineProperty({}, 'headers', {
        enumerable: false,
        get: () => {
          throw new Error('getter');
        },
      }),
    ],
    [
      'a Headers object that throws',
      {
        headers: {
          get: () => {
            throw new Error('get');
          },
        },
      },
    ],
  ])('is not there where it is %s', (_, error) => {
    expect(delayFor({}, error)).toBe(100);
  });

  it('that asks for ever is no wait for ever', () => {
    expect(asks({ retryAfterMs: Number.POSITIVE_INFINITY })).toBeUndefined();
    expect(asks({ headers: { 'retry-after': '9'.repeat(400) } })).toBeUndefined();
  });

  it('is left alone with respectRetryAfter: false', () => {
    const error = { retryAfterMs: 60_000 };
    expect(delayFor({ respectRetryAfter: false }, error)).toBe(100);
  });

  it("is not the library's own, which speak of this process", () => {
    expect(
      delayFor({ retryableErrors: () => true }, new CircuitBreakerOpenError('b', 60_000)),
    ).toBe(100);
    const open = Object.assign(new CircuitBreakerOpenError('b', 0), {
      headers: { 'retry-after': '60' },
    });
    expect(delayFor({ retryableErrors: () => true }, open)).toBe(100);
  });

  it('of one attempt is the wait before, for decorrelated jitter, but maxDelayMs still caps', () => {
    const policy = new RetryPolicy({ jitter: 'decorrelated', baseDelayMs: 10, maxDelayMs: 2_500 });
    for (let i = 0; i < 100; i++) {
      expect(
        delayAfter(policy, failed(new Error(), { attempt: 2, previousDelayMs: 2_000 })),
      ).toBeLessThanOrEqual(2_500);
    }
  });
});

describe('a failure that is worth another attempt, which would make things worse', () => {
  const budget = (minRetriesPerSecond: number) =>
    new RetryBudget('b', { ratio: 0, minRetriesPerSecond });
  const decide = (options: RetryOptions, spare: number, more: Parameters<typeof failed>[1]) =>
    new RetryPolicy(
      { baseDelayMs: 100, jitter: 'none', ...options },
      'place',
      budget(spare),
    ).decide(failed(new Error(), more));

  it('was retried further in, unless that is to be retried too', () => {
    expect(decide({}, 10, { isNested: true })).toEqual({ suppressed: 'nested' });
    expect(decide({ retryNested: true }, 10, { isNested: true })).toEqual({ delayMs: 100 });
  });

  it('was retried by the service that answered with it, unless what that says is left alone', () => {
    const says = { headers: { 'x-should-retry': 'true, false' } };
    const policy = (options: RetryOptions) =>
      new RetryPolicy({ baseDelayMs: 100, jitter: 'none', ...options });
    expect(policy({}).decide(failed(says))).toEqual({ suppressed: 'nested' });
    expect(policy({ respectRetryAfter: false }).decide(failed(says))).toEqual({ delayMs: 100 });
  });

  it('finds the budget spent', () => {
    expect(decide({}, 0, {})).toEqual({ suppressed: 'budget' });
    expect(decide({}, 10, {})).toEqual({ delayMs: 100 });
  });
});

describe('limits of time', () => {
  const policy = new RetryPolicy({ baseDelayMs: 100, jitter: 'none', maxDurationMs: 1_000 });

  it('starts no attempt that maxDurationMs would cut before it begins', () => {
    expect(delayAfter(policy, failed(new Error(), { elapsedMs: 899 }))).toBe(100);
    expect(delayAfter(policy, failed(new Error(), { elapsedMs: 901 }))).toBeUndefined();
  });

  it("starts none that the caller's deadline would cut before it begins", () => {
    expect(delayAfter(policy, failed(new Error(), { remainingMs: 101 }))).toBe(100);
    expect(delayAfter(policy, failed(new Error(), { remainingMs: 99 }))).toBeUndefined();
  });

  it('starts none that would begin at the very end of either', () => {
    expect(policy.decide(failed(new Error(), { remainingMs: 100 }))).toEqual({ outOfTime: true });
    expect(policy.decide(failed(new Error(), { elapsedMs: 900 }))).toBeUndefined();
    const unlimited = new RetryPolicy({ baseDelayMs: 100, jitter: 'none' });
    expect(delayAfter(unlimited, failed(new Error(), { elapsedMs: 1e12 }))).toBe(100);
  });

  it('measures what Retry-After asks for against both', () => {
    const error = { retryAfterMs: 500 };
    expect(delayAfter(policy, failed(error, { elapsedMs: 499 }))).toBe(500);
    expect(delayAfter(policy, failed(error, { elapsedMs: 501 }))).toBeUndefined();
    expect(delayAfter(policy, failed(error, { remainingMs: 499 }))).toBeUndefined();
  });
});

describe('a wrong option is refused with its place, its value and what is allowed', () => {
  const notNumbers = ['5', null, true, {}, [], 5n];
  const never = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1];
  const bad: [string, unknown, RegExp][] = [
    ...[...notNumbers, ...never, 0, 1.5, 1e9].map((value): [string, unknown, RegExp] => [
      'maxAttempts',
      value,
      /whole number from 1/,
    ]),
    ...['baseDelayMs', 'maxDelayMs'].flatMap((key) =>
      [...notNumbers, ...never, 2 ** 31].map((value): [string, unknown, RegExp] => [
        key,
        value,
        /milliseconds from 0/,
      ]),
    ),
    ...[...notNumbers, ...never, 0, 2 ** 31].map((value): [string, unknown, RegExp] => [
      'maxDurationMs',
      value,
      /milliseconds above 0/,
    ]),
    ...[...notNumbers, ...never, 0, 0.99].map((value): [string, unknown, RegExp] => [
      'factor',
      value,
      /at least 1/,
    ]),
    ...['some', 'FULL', '', 1, null, true, {}].map((value): [string, unknown, RegExp] => [
      'jitter',
      value,
      /'none' \| 'full' \| 'equal' \| 'decorrelated'/,
    ]),
    ...['respectRetryAfter', 'idempotent'].flatMap((key) =>
      ['yes', 1, 0, null, {}].map((value): [string, unknown, RegExp] => [
        key,
        value,
        /true or false/,
      ]),
    ),
    ...[
      'Error',
      1,
      null,
      true,
      {},
      [],
      [new Error()],
      [Error, undefined],
      [() => true],
      async () => true,
    ].map((value): [string, unknown, RegExp] => ['retryableErrors', value, /error classes/]),
  ];

  it.each(
    bad.map(([key, value, allowed]) => ({
      key,
      value,
      allowed,
      as: Array.isArray(value) ? `[${value}]` : String(value),
    })),
  )('$key: $as', ({ key, value, allowed }) => {
    let refusal: unknown;
    try {
      new RetryPolicy({ [key]: value } as RetryOptions, 'retries.slow');
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(ResilienceConfigurationError);
    const { place, message } = refusal as ResilienceConfigurationError;
    expect(place).toBe(`retries.slow.${key}`);
    expect(message).toContain('retries.slow');
    expect(message).toMatch(allowed);
    if (typeof value === 'number') expect(message).toContain(`is ${value};`);
  });

  it('an unknown key is answered with the known ones', () => {
    const options = { maxAttempt: 3 } as RetryOptions;
    expect(() => new RetryPolicy(options, 'retries.slow')).toThrow(
      /retries\.slow\.maxAttempt: .*maxAttempts, baseDelayMs/,
    );
  });

  it('undefined does not erase a default', () => {
    const { options } = new RetryPolicy({
      maxAttempts: undefined,
      jitter: undefined,
    } as unknown as RetryOptions);
    expect(options).toMatchObject({ maxAttempts: 3, jitter: 'full' });
  });
});
