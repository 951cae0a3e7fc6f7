import { describe, expect, it } from '@jest/globals';
import { ResilienceRuntime } from '../../lib/binding/runtime.js';
import { circuitBreakerStage } from '../../lib/circuit-breaker/circuit-breaker.stage.js';
import {
  CircuitBreaker,
  type CircuitBreakerOptions,
  CircuitBreakerPolicy,
  type CircuitBreakerRegistry,
  ResilienceConfigurationError,
} from '../../lib/index.js';
import type { NamedCatalog } from '../../lib/instances/named-catalog.js';
import type { NamingOptions } from '../../lib/stage/stage-definition.js';
import { stageHost } from '../support/stage-host.js';

function refusal(options: unknown, place = 'x'): ResilienceConfigurationError {
  try {
    new CircuitBreakerPolicy(place, options as CircuitBreakerOptions);
  } catch (error) {
    if (error instanceof ResilienceConfigurationError) return error;
    throw error;
  }
  throw new Error('the options were accepted');
}

/** That of an application whose module is given such options. */
function registryOf(options: NamingOptions): CircuitBreakerRegistry {
  const application = { ...stageHost(), defaults: {}, catalogOf: () => undefined as never };
  const catalog = circuitBreakerStage.catalog(application);
  catalog.add?.(options);
  return (catalog as NamedCatalog<CircuitBreakerPolicy>).registry;
}

const counts = [
  'failureThreshold',
  'successThreshold',
  'windowCalls',
  'minimumCalls',
  'halfOpenMaxCalls',
] as const;
const durations = [
  'timeoutMs',
  'maxTimeoutMs',
  'rampUpMs',
  'windowMs',
  'slowCallDurationMs',
] as const;
const percentages = ['failureRateThreshold', 'slowCallRateThreshold'] as const;
const keys = [
  ...counts,
  ...durations,
  ...percentages,
  'timeoutJitter',
  'timeoutFactor',
  'isFailure',
];

const notNumbers = ['5', null, true, {}, [], 5n, () => 5, new Date(0)];
const never = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1, 0, -0];
const shown = (value: unknown) => (typeof value === 'bigint' ? `${value}n` : String(value));

/** What else an option needs to be allowed. */
const beside = (key: string) => (key === 'slowCallRateThreshold' ? { slowCallDurationMs: 1 } : {});

const badValues: [string, unknown, RegExp][] = [
  ...counts.flatMap((key) =>
    [...notNumbers, ...never, 1.5, 1e9].map((value): [string, unknown, RegExp] => [
      key,
      value,
      /whole number from 1/,
    ]),
  ),
  ...durations.flatMap((key) =>
    [...notNumbers, ...never, 2 ** 31].map((value): [string, unknown, RegExp] => [
      key,
      value,
      /milliseconds/,
    ]),
  ),
  ...percentages.flatMap((key) =>
    [...notNumbers, ...never, 100.1].map((value): [string, unknown, RegExp] => [
      key,
      value,
      /percentage/,
    ]),
  ),
  ...[...notNumbers, Number.NaN, Number.POSITIVE_INFINITY, -0.1, 1, 10].map(
    (value): [string, unknown, RegExp] => ['timeoutJitter', value, /number from 0 to below 1/],
  ),
  ...[...notNumbers, ...never, 0.9].map((value): [string, unknown, RegExp] => [
    'timeoutFactor',
    value,
    /finite number of at least 1/,
  ]),
  ...['yes', 1, null, {}, async () => true].map((value): [string, unknown, RegExp] => [
    'isFailure',
    value,
    /function/,
  ]),
];

describe('a wrong option is refused with its place, its value and what is allowed', () => {
  it.each(badValues.map(([key, value, allowed]) => ({ key, value, allowed, as: shown(value) })))(
    '$key: $as',
    ({ key, value, allowed }) => {
      const { message, place } = refusal({ ...beside(key), [key]: value }, 'payments');
      expect(place).toBe(`circuit breaker "payments".${key}`);
      expect(message).toContain(place);
      expect(message).toMatch(allowed);
      if (typeof value === 'number') expect(message).toContain(`is ${value};`);
      if (typeof value === 'string') expect(message).toContain(JSON.stringify(value));
    },
  );

  it('an unknown key is answered with the known ones', () => {
    const { message } = refusal({ failureTreshold: 5 });
    expect(message).toContain('failureTreshold');
    for (const key of keys) expect(message).toContain(key);
  });

  it.each([null, 5, 'payments', [], true].map((options) => ({ options })))(
    'options that are not an object: $options',
    ({ options }) => {
      expect(refusal(options).message).toMatch(/allowed: an object/);
    },
  );

  it('a number by itself, which is meant for the threshold', () => {
    expect(refusal(5).message).toContain('did you mean { failureThreshold: 5 }?');
  });

  it.each(['toString', 'constructor', '__proto__'])('the inherited name %s is no option', (key) => {
    expect(
      refusal(Object.defineProperty({}, key, { value: 1, enumerable: true })).message,
    ).toContain(key);
  });

  it('a window of time and one of calls at once', () => {
    expect(refusal({ windowMs: 1_000, windowCalls: 10 }).message).toMatch(
      /windowCalls.*10.*windowMs.*1000.*one of the two/,
    );
  });

  it('a rate of slow calls without saying what is slow', () => {
    expect(refusal({ slowCallRateThreshold: 50 }).message).toMatch(
      /slowCallRateThreshold.*slowCallDurationMs/,
    );
  });

  it.each(['failureThreshold', 'minimumCalls'])(
    'a %s that the window of calls never holds',
    (key) => {
      expect(refusal({ windowCalls: 4, [key]: 5 }).message).toMatch(
        new RegExp(`${key}.*5.*at most 4`),
      );
    },
  );

  it.each<[CircuitBreakerOptions, number, number]>([
    [{ timeoutMs: 1_000, maxTimeoutMs: 999 }, 999, 1_000],
    [{ maxTimeoutMs: 30_000 }, 30_000, 60_000], // the default of timeoutMs
  ])('a longest open time that is shorter than the first: %j', (options, longest, first) => {
    const { place, message } = refusal(options, 'payments');
    expect(place).toBe('circuit breaker "payments".maxTimeoutMs');
    expect(message).toContain(
      `is ${longest} while timeoutMs is ${first}; allowed: at least ${first}`,
    );
  });

  it('is told with the place in the options by the registry of an application', () => {
    const naming = () => registryOf({ breakers: { payments: { timeoutMs: 0 } } });
    expect(naming).toThrow(/^breakers\.payments\.timeoutMs: is 0; allowed: /);
  });
});

describe('options that are allowed', () => {
  it.each<CircuitBreakerOptions>([
    {},
    { windowMs: 0.5 },
    { timeoutMs: 2 ** 31 - 1 },
    { failureRateThreshold: 0.1 },
    { failureRateThreshold: 100, minimumCalls: 1 },
    { windowCalls: 1 },
    { slowCallDurationMs: 1 },
    { halfOpenMaxCalls: 100, successThreshold: 1 },
    { timeoutJitter: 0, timeoutFactor: 1 },
    { timeoutJitter: 0.999, timeoutFactor: 1.01 },
    { timeoutMs: 1_000, maxTimeoutMs: 1_000, timeoutFactor: 2 },
    { maxTimeoutMs: 60_000 }, // without a factor it bounds the jitter
    { rampUpMs: 0.5 },
  ])('%j', (options) => {
    expect(() => new CircuitBreakerPolicy('x', options)).not.toThrow();
  });

  it('undefined does not erase a default', () => {
    const erased = Object.fromEntries(keys.map((key) => [key, undefined]));
    const { options } = new CircuitBreakerPolicy('x', erased);
    expect(options).toEqual(new CircuitBreakerPolicy('y').options);
    expect(options).toMatchObject({
      failureThreshold: 5,
      successThreshold: 2,
      timeoutMs: 60_000,
      timeoutJitter: 0,
      timeoutFactor: 1,
      maxTimeoutMs: 600_000,
      windowMs: 30_000,
      minimumCalls: 10,
      halfOpenMaxCalls: 2,
    });
  });

  it('are copied: changing the object later changes nothing', () => {
    const options = { failureThreshold: 3 };
    const breaker = new CircuitBreakerPolicy('x', options);
    options.failureThreshold = 99;
    expect(breaker.options.failureThreshold).toBe(3);
  });

  it.each([
    [1_000, 10_000],
    [2 ** 31 - 1, 2 ** 31 - 1], // what may be given
  ])('maxTimeoutMs follows a timeoutMs of %d: %d', (timeoutMs, maxTimeoutMs) => {
    const { options } = new CircuitBreakerPolicy('x', { timeoutMs });
    expect(options.maxTimeoutMs).toBe(maxTimeoutMs);
    expect(() => new CircuitBreakerPolicy('y', options)).not.toThrow();
  });

  it('there is no ramp unless one is given', () => {
    expect(new CircuitBreakerPolicy('x').options.rampUpMs).toBeUndefined();
  });

  it('halfOpenMaxCalls follows successThreshold', () => {
    expect(new CircuitBreakerPolicy('x', { successThreshold: 7 }).options.halfOpenMaxCalls).toBe(7);
  });
});

describe('a breaker of a method, on top of the named one of its class', () => {
  it('takes over what was given there, and not the defaults as if they had been given', async () => {
    @CircuitBreaker('lastCalls')
    class Narrow {
      @CircuitBreaker({ failureThreshold: 2 })
      async run(): Promise<void> {}
    }
    @CircuitBreaker('patient')
    class ByRate {
      @CircuitBreaker({ failureRateThreshold: 50, minimumCalls: 100 })
      async run(): Promise<void> {}
    }
    const runtime = new ResilienceRuntime({
      breakers: { lastCalls: { windowCalls: 4 }, patient: { timeoutMs: 1_000 } },
    });
    const breakerOf = (type: typeof Narrow | typeof ByRate) =>
      runtime.classes.plan(type)[0]?.pipeline.plan.stages.circuitBreaker;

    expect(breakerOf(Narrow)?.options).toMatchObject({ windowCalls: 4, failureThreshold: 2 });
    const byRate = breakerOf(ByRate);
    expect(byRate?.options).toMatchObject({ timeoutMs: 1_000, minimumCalls: 100 });
    const fail = () => Promise.reject(new Error());
    for (let call = 0; call < 50; call++) await byRate?.execute(fail).catch(() => undefined);
    expect(byRate?.getState()).toBe('CLOSED'); // the default failureThreshold is not in force
  });
});

describe('the registry', () => {
  it('answers an unknown name with the known ones', () => {
    const registry = registryOf({ breakers: { payments: {}, stock: {} } });
    expect(() => registry.get('paymnets')).toThrow(ResilienceConfigurationError);
    expect(() => registry.get('paymnets')).toThrow(/paymnets.*payments, stock/);
    expect(registry.has('payments')).toBe(true);
    expect(registry.has('paymnets')).toBe(false);
    expect(registry.list().map(({ name }) => name)).toEqual(['payments', 'stock']);
    expect(registry.get('stock').name).toBe('stock');
  });

  it('refuses a name that is taken', () => {
    const services = { payments: { circuitBreaker: {} } };
    expect(() => registryOf({ breakers: { payments: {} }, services })).toThrow(
      /services\.payments\.circuitBreaker.*"payments".*taken/,
    );
  });

  it('has nothing inherited in it', () => {
    expect(registryOf({}).has('constructor')).toBe(false);
  });
});
