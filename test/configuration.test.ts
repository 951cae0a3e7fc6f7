import { type DynamicModule, Injectable } from '@nestjs/common';
import { NEVER } from 'rxjs';
import { checkModuleOptions, stagesOf } from '../lib/binding/module.options.js';
import { display } from '../lib/common/configuration.error.js';
import {
  Bulkhead,
  CircuitBreaker,
  CircuitState,
  Critical,
  Fallback,
  Resilience,
  ResilienceConfigurationError,
  type ResilienceDecorator,
  ResilienceModule,
  type ResilienceModuleAsyncOptions,
  type ResilienceModuleOptions,
  ResilienceService,
  Retry,
  Timeout,
  Upstream,
  validateTimeouts,
} from '../lib/index.js';
import { boot, bootBare, closeAll } from './binding/support.js';

afterEach(closeAll);

/** What a boot that has to fail fails with. */
async function rejection(booting: () => Promise<unknown>): Promise<ResilienceConfigurationError> {
  let thrown: unknown = new Error('the boot succeeded');
  try {
    await booting();
  } catch (error) {
    thrown = error;
  }
  if (thrown instanceof ResilienceConfigurationError) return thrown;
  throw thrown;
}

/** Boots a class `Service` with this decorator on its method `run`. */
function bootDecorated(decorator: unknown, options: ResilienceModuleOptions = {}) {
  @Injectable()
  class Service {
    @(decorator as MethodDecorator)
    async run(): Promise<string> {
      return 'ok';
    }
    async other(): Promise<string> {
      return 'other';
    }
  }
  return boot({ providers: [Service] }, options);
}

const bootWith = (options: unknown) =>
  bootBare({ imports: [ResilienceModule.forRoot(options as ResilienceModuleOptions)] });
const bootFeature = (options: unknown) =>
  bootBare({
    imports: [ResilienceModule.forRoot(), ResilienceModule.forFeature(options as object)],
  });
const bootAsync = (options: unknown) =>
  bootBare({
    imports: [
      ResilienceModule.forRootAsync({ useFactory: async () => options as ResilienceModuleOptions }),
    ],
  });

const asyncPredicate = async () => true;

/** For each kind of option, values that are not allowed, and how the message says what is. */
const KINDS = {
  duration: {
    wrong: [Number.NaN, 0, -1, Number.POSITIVE_INFINITY, 2 ** 31, '100', null, true, {}],
    allowed: 'a number of milliseconds above 0',
  },
  durationOrZero: {
    wrong: [Number.NaN, -1, Number.POSITIVE_INFINITY, 2 ** 31, '100', null, [1]],
    allowed: 'a number of milliseconds from 0',
  },
  positiveCount: {
    wrong: [Number.NaN, 0, -1, 1.5, Number.POSITIVE_INFINITY, '3', null],
    allowed: 'a whole number from 1',
  },
  countOrZero: {
    wrong: [Number.NaN, -1, 1.5, Number.POSITIVE_INFINITY, '3', null],
    allowed: 'a whole number from 0',
  },
  percentage: {
    wrong: [Number.NaN, 0, -1, 100.1, Number.POSITIVE_INFINITY, '50', null],
    allowed: 'a percentage above 0 and at most 100',
  },
  factor: {
    wrong: [Number.NaN, 0, 0.5, -2, Number.POSITIVE_INFINITY, '2', null],
    allowed: 'a finite number of at least 1',
  },
  jitterShare: {
    wrong: [Number.NaN, -0.1, 1, 10, Number.POSITIVE_INFINITY, '0.1', null, 'full'],
    allowed: 'a number from 0 to below 1',
  },
  boolean: { wrong: ['yes', 0, 1, null], allowed: 'true or false' },
  predicate: { wrong: ['x', 5, null, asyncPredicate], allowed: 'a function that returns' },
  retryable: {
    wrong: ['x', 5, null, [], ['Error'], [() => true], {}],
    allowed: 'predicate|function',
  },
  jitter: { wrong: ['some', '', 5, null], allowed: "'none' | 'full' | 'equal' | 'decorrelated'" },
  text: { wrong: ['', ' ', 5, null, {}], allowed: 'a non-empty string' },
} as const;

const RETRY = {
  maxAttempts: 'positiveCount',
  baseDelayMs: 'durationOrZero',
  maxDelayMs: 'durationOrZero',
  factor: 'factor',
  jitter: 'jitter',
  retryableErrors: 'retryable',
  maxDurationMs: 'duration',
  respectRetryAfter: 'boolean',
  idempotent: 'boolean',
} as const;

const CIRCUIT_BREAKER = {
  failureThreshold: 'positiveCount',
  successThreshold: 'positiveCount',
  timeoutMs: 'duration',
  timeoutJitter: 'jitterShare',
  timeoutFactor: 'factor',
  maxTimeoutMs: 'duration',
  rampUpMs: 'duration',
  windowMs: 'duration',
  windowCalls: 'positiveCount',
  failureRateThreshold: 'percentage',
  minimumCalls: 'positiveCount',
  slowCallDurationMs: 'duration',
  slowCallRateThreshold: 'percentage',
  halfOpenMaxCalls: 'positiveCount',
  isFailure: 'predicate',
} as const;

const BULKHEAD = {
  maxConcurrent: 'positiveCount',
  queueLimit: 'countOrZero',
  queueTimeoutMs: 'duration',
  adaptive: 'boolean',
  minConcurrent: 'positiveCount',
} as const;

const ERROR_TRACKER = {
  windowMs: 'duration',
  maxKeys: 'positiveCount',
  recentErrors: 'countOrZero',
  log: 'boolean',
  includeStack: 'boolean',
} as const;

const INBOUND = {
  maxTimeoutMs: 'duration',
  trustDeadline: 'boolean',
  trustCriticality: 'boolean',
} as const;

type Fields = Record<string, keyof typeof KINDS>;

/** How a value has to appear in a message. */
function shown(value: unknown): string {
  if (typeof value === 'function') return value.name === '' ? 'a function' : value.name;
  if (Array.isArray(value)) return `[${value.map(shown).join(', ')}]`;
  return typeof value === 'object' || typeof value === 'string'
    ? JSON.stringify(value)
    : String(value);
}

function table(fields: Fields) {
  return Object.entries(fields).flatMap(([field, kind]) =>
    KINDS[kind].wrong.map((value) => [field, value, KINDS[kind].allowed] as const),
  );
}

function expectMessage(
  { message }: ResilienceConfigurationError,
  place: string,
  value: unknown,
  allowed: string,
): void {
  expect(message).toContain(place);
  expect(message).toContain(`is ${typeof value === 'function' ? 'function ' : ''}${shown(value)}`);
  const [before, after] = message.split('allowed: ');
  expect(before).not.toBe(message);
  expect(allowed.split('|').length === 2 ? after : `${after} `).toMatch(
    allowed.split('|').length === 2
      ? new RegExp(allowed)
      : new RegExp(allowed.replace(/[|()]/g, '\\$&')),
  );
}

describe('Every option of @Retry is checked at boot', () => {
  it.each(table(RETRY))('%s: %p', async (field, value, allowed) => {
    const error = await rejection(() => bootDecorated(Retry({ [field]: value })));
    expectMessage(error, `Service.run @Retry().${field}`, value, allowed);
  });

  it.each(KINDS.positiveCount.wrong.filter((value) => typeof value === 'number'))(
    'maxAttempts as the only argument: %p',
    async (value) => {
      const error = await rejection(() => bootDecorated(Retry(value)));
      expectMessage(error, 'Service.run @Retry()', value, 'a whole number from 1');
      expect(error.message).toContain('maxAttempts');
    },
  );
});

describe('Every option of @CircuitBreaker is checked at boot', () => {
  it.each(table(CIRCUIT_BREAKER))('%s: %p', async (field, value, allowed) => {
    const error = await rejection(() => bootDecorated(CircuitBreaker({ [field]: value })));
    expectMessage(error, `Service.run @CircuitBreaker().${field}`, value, allowed);
  });

  it.each([
    ['both windows', { windowMs: 1, windowCalls: 1 }, /windowCalls: is 1 while windowMs is 1/],
    [
      'a rate of slow calls without a duration',
      { slowCallRateThreshold: 50 },
      /slowCallDurationMs/,
    ],
    [
      'more failures than the window holds',
      { windowCalls: 4, failureThreshold: 5 },
      /failureThreshold: is 5.*at most 4/,
    ],
    [
      'more calls than the window holds',
      { windowCalls: 4, minimumCalls: 5 },
      /minimumCalls: is 5.*at most 4/,
    ],
    [
      'a longest open time below the first',
      { timeoutMs: 1_000, maxTimeoutMs: 500 },
      /maxTimeoutMs: is 500 while timeoutMs is 1000; allowed: at least 1000/,
    ],
  ])('%s', async (_what, options, message) => {
    const error = await rejection(() => bootDecorated(CircuitBreaker(options)));
    expect(error.message).toMatch(message);
    expect(error.message).toContain('Service.run');
    const named = await rejection(() => bootWith({ breakers: { payments: options } }));
    expect(named.message).toMatch(message);
    expect(named.message).toContain('breakers.payments');
  });
});

describe('Every option of @Bulkhead is checked at boot', () => {
  it.each(table(BULKHEAD))('%s: %p', async (field, value, allowed) => {
    const error = await rejection(() => bootDecorated(Bulkhead({ [field]: value })));
    expectMessage(error, `Service.run @Bulkhead().${field}`, value, allowed);
  });

  it.each([
    [
      'a lower bound that nothing heeds',
      { minConcurrent: 5 },
      /minConcurrent: is 5 without adaptive.*adaptive: true/,
    ],
    [
      'a lower bound above the upper one',
      { adaptive: true, minConcurrent: 9, maxConcurrent: 8 },
      /minConcurrent: is 9 while maxConcurrent is 8; allowed: at most 8/,
    ],
    [
      'a lower bound above the default of the upper one',
      { adaptive: true, minConcurrent: 201 },
      /minConcurrent: is 201 while maxConcurrent is 200; allowed: at most 200/,
    ],
  ])('%s', async (_what, options, message) => {
    const error = await rejection(() => bootDecorated(Bulkhead(options)));
    expect(error.message).toMatch(message);
    expect(error.message).toContain('Service.run @Bulkhead()');
    const named = await rejection(() => bootWith({ bulkheads: { write: options } }));
    expect(named.message).toMatch(message);
    expect(named.message).toContain('bulkheads.write');
  });
});

describe('The argument of each decorator is checked at boot', () => {
  it.each(KINDS.duration.wrong.filter((value) => typeof value !== 'string'))(
    '@Timeout(%p)',
    async (value) => {
      const error = await rejection(() => bootDecorated(Timeout(value as number)));
      expectMessage(error, 'Service.run @Timeout()', value, KINDS.duration.allowed);
    },
  );

  it('@Timeout() without defaults.timeoutMs', async () => {
    const error = await rejection(() => bootDecorated(Timeout()));
    expect(error.message).toMatch(
      /Service\.run @Timeout\(\): .*defaults\.timeoutMs.*allowed: mill/,
    );
  });

  it.each([
    ['@Retry', Retry],
    ['@CircuitBreaker', CircuitBreaker],
    ['@Bulkhead', Bulkhead],
  ] as const)('%s with something that is neither options nor a name', async (name, decorator) => {
    const decorate = decorator as (value: unknown) => ResilienceDecorator;
    for (const value of [null, true, [], ['payments']]) {
      const error = await rejection(() => bootDecorated(decorate(value)));
      expectMessage(error, `Service.run ${name}()`, value, 'an object with');
    }
  });

  it.each(['yes', 0, 1, null, {}])('@Critical(%p)', async (value) => {
    const error = await rejection(() => bootDecorated(Critical(value as never)));
    expectMessage(error, 'Service.run @Critical()', value, 'true or false');
  });

  it.each([...KINDS.text.wrong, undefined])('@Upstream(%p)', async (value) => {
    const error = await rejection(() => bootDecorated(Upstream(value as never)));
    expectMessage(error, 'Service.run @Upstream()', value, KINDS.text.allowed);
  });

  it.each([...KINDS.text.wrong, undefined])('@Resilience(%p)', async (value) => {
    const error = await rejection(() => bootDecorated(Resilience(value as never)));
    expectMessage(error, 'Service.run @Resilience()', value, KINDS.text.allowed);
  });

  it.each(['', 5, null, true, undefined])('@Fallback(%p)', async (value) => {
    const error = await rejection(() => bootDecorated(Fallback(value as never)));
    expectMessage(error, 'Service.run @Fallback()', value, 'the name of a method');
  });

  it.each([5, '', null])('@Fallback({ handler: %p })', async (value) => {
    const error = await rejection(() => bootDecorated(Fallback({ handler: value as never })));
    expectMessage(error, 'Service.run @Fallback().handler', value, 'the name of a method');
  });

  it.each(KINDS.predicate.wrong)('@Fallback({ when: %p })', async (value) => {
    const fallback = { handler: 'other', when: value as never };
    const error = await rejection(() => bootDecorated(Fallback(fallback)));
    expectMessage(error, 'Service.run @Fallback().when', value, KINDS.predicate.allowed);
  });

  it('@Fallback without a handler', async () => {
    const error = await rejection(() => bootDecorated(Fallback({ when: () => true } as never)));
    expect(error.message).toMatch(/Service\.run @Fallback\(\).*allowed: the name of one/);
  });

  it.each(['missing', 'constructr', Symbol('missing')])(
    '@Fallback(%p), which is no method of the class',
    async (name) => {
      const error = await rejection(() => bootDecorated(Fallback(name)));
      expect(error.message).toContain('Service.run @Fallback()');
      expect(error.message).toContain(String(name));
      expect(error.message).toContain('allowed: the name of one of its methods, or a function');
    },
  );

  it('@Fallback with the method itself, which would never end', async () => {
    const error = await rejection(() => bootDecorated(Fallback('run')));
    expect(error.message).toMatch(/Service\.run @Fallback\(\): is "run", the method itself/);
  });
});

describe('Unknown names are answered with the known ones', () => {
  const options: ResilienceModuleOptions = {
    breakers: { payments: {}, search: {} },
    bulkheads: { read: {}, write: {} },
    retries: { gentle: {}, often: {} },
    timeouts: { payments: { client: 1, gateway: 2, service: 3 } },
    services: { checkout: {}, catalogue: {} },
  };

  it.each([
    ['@CircuitBreaker', CircuitBreaker('paymets'), 'paymets', 'payments, search'],
    ['@CircuitBreaker', CircuitBreaker(''), '', 'payments, search'],
    ['@Bulkhead', Bulkhead('wriet'), 'wriet', 'read, write'],
    ['@Retry', Retry('gentel'), 'gentel', 'gentle, often'],
    ['@Resilience', Resilience('chekout'), 'chekout', 'checkout, catalogue'],
    [
      '@Timeout',
      Timeout('paymets.client'),
      'paymets.client',
      'payments.client, payments.gateway, payments.service',
    ],
    ['@Timeout', Timeout('payments.clinet' as never), 'payments.clinet', 'payments.client, '],
    ['@Timeout', Timeout('payments' as never), 'payments', 'payments.client, '],
    ['@Timeout', Timeout('' as never), '', 'payments.client, '],
    ['@CircuitBreaker', CircuitBreaker('toString'), 'toString', 'payments, search'],
  ])('%s, case %#', async (name, decorator, value, known) => {
    const error = await rejection(() => bootDecorated(decorator, options));
    expect(error.message).toContain(`Service.run ${name}()`);
    expect(error.message).toContain(JSON.stringify(value));
    expect(error.message).toContain(`known: ${known}`);
  });

  it.each([
    ['retry', 'retries'],
    ['circuitBreaker', 'breakers'],
    ['bulkhead', 'bulkheads'],
  ] as const)('%s of a bundle', async (field, kind) => {
    const services = { bundle: { [field]: 'nobody' } };
    const error = await rejection(() => bootWith({ ...options, services }));
    expect(error.message).toContain(`services.bundle.${field}: `);
    expect(error.message).toContain('"nobody"');
    expect(error.message).toContain(`known: ${Object.keys(options[kind] ?? {}).join(', ')}`);
  });

  it('and where there is none, the message says that', async () => {
    const error = await rejection(() => bootDecorated(CircuitBreaker('payments')));
    expect(error.message).toContain('none is registered');
  });
});

/** Where options stand in the module's, and how messages name the place. */
const PLACES = [
  [
    'breakers',
    CIRCUIT_BREAKER,
    (it: object) => ({ breakers: { payments: it } }),
    'breakers.payments',
  ],
  ['bulkheads', BULKHEAD, (it: object) => ({ bulkheads: { write: it } }), 'bulkheads.write'],
  ['retries', RETRY, (it: object) => ({ retries: { gentle: it } }), 'retries.gentle'],
  [
    'services, retry',
    RETRY,
    (it: object) => ({ services: { pay: { retry: it } } }),
    'services.pay.retry',
  ],
  [
    'services, circuitBreaker',
    CIRCUIT_BREAKER,
    (it: object) => ({ services: { pay: { circuitBreaker: it } } }),
    'services.pay.circuitBreaker',
  ],
  [
    'services, bulkhead',
    BULKHEAD,
    (it: object) => ({ services: { pay: { bulkhead: it } } }),
    'services.pay.bulkhead',
  ],
  [
    'services',
    { critical: 'boolean', upstream: 'text', timeoutMs: 'duration' },
    (it: object) => ({ services: { pay: it } }),
    'services.pay',
  ],
] as const satisfies [string, Fields, (it: object) => object, string][];

const ROOT_PLACES = [
  ['defaults.retry', RETRY, (it: object) => ({ defaults: { retry: it } }), 'defaults.retry'],
  [
    'defaults.circuitBreaker',
    CIRCUIT_BREAKER,
    (it: object) => ({ defaults: { circuitBreaker: it } }),
    'defaults.circuitBreaker',
  ],
  [
    'defaults.bulkhead',
    BULKHEAD,
    (it: object) => ({ defaults: { bulkhead: it } }),
    'defaults.bulkhead',
  ],
  ['defaults', { timeoutMs: 'duration' }, (it: object) => ({ defaults: it }), 'defaults'],
  ['errorTracker', ERROR_TRACKER, (it: object) => ({ errorTracker: it }), 'errorTracker'],
  ['inbound', INBOUND, (it: object) => ({ inbound: it }), 'inbound'],
  [
    'the top',
    {
      alertIntervalMs: 'durationOrZero',
      mapErrors: 'boolean',
      captureStackTrace: 'boolean',
      errorContext: 'predicate',
    },
    (it: object) => it,
    '',
  ],
] as const satisfies [string, Fields, (it: object) => object, string][];

describe('Every option of forRoot() is checked at boot', () => {
  const rows = [...PLACES, ...ROOT_PLACES].flatMap(([, fields, wrap, place]) =>
    table(fields).map(
      ([field, value, allowed]) =>
        [
          place === '' ? field : `${place}.${field}`,
          value,
          allowed,
          wrap({ [field]: value }),
        ] as const,
    ),
  );

  it.each(rows)('%s: %p', async (place, value, allowed, options) => {
    const error = await rejection(() => bootWith(options));
    expectMessage(error, `${place}:`, value, allowed);
  });

  it.each([...PLACES, ...ROOT_PLACES])(
    'an unknown key in %s',
    async (_what, fields, wrap, place) => {
      const error = await rejection(() => bootWith(wrap({ failureTreshold: 5 })));
      expect(error.message).toContain(`${place === '' ? '' : `${place}.`}failureTreshold: `);
      expect(error.message).toContain('there is no such option');
      for (const field of Object.keys(fields)) expect(error.message).toContain(field);
    },
  );

  it.each([...PLACES, ...ROOT_PLACES].filter(([what]) => what !== 'the top'))(
    'something that is no object in %s',
    async (_what, _fields, wrap, place) => {
      for (const value of [null, 5, true, []]) {
        const error = await rejection(() => bootWith(wrap(value as never)));
        expect(error.message).toContain(place);
        expect(error.message).toContain('allowed: ');
      }
    },
  );

  it.each(['breakers', 'bulkheads', 'retries', 'timeouts', 'services'])(
    '%s that is no record, or has an empty name',
    async (kind) => {
      for (const value of [null, 5, 'x', []]) {
        const error = await rejection(() => bootWith({ [kind]: value }));
        expectMessage(error, `${kind}:`, value, 'an object of options by name');
      }
      const error = await rejection(() => bootWith({ [kind]: { '': {} } }));
      expect(error.message).toMatch(
        new RegExp(`^${kind}: has an empty name; allowed: a non-empty`),
      );
    },
  );

  it.each([
    ['metrics', 'a MetricsRecorder'],
    ['alerts', 'an AlertChannel'],
  ])('%s that lack a method', async (field, what) => {
    for (const value of [null, 5, 'x', {}, [{}], [null], { increment() {}, gauge() {} }]) {
      const error = await rejection(() => bootWith({ [field]: value }));
      expect(error.message).toContain(`${field}: is`);
      expect(error.message).toContain(`allowed: ${what}`);
    }
  });

  it('isGlobal', async () => {
    const error = await rejection(() => bootWith({ isGlobal: 'yes' }));
    expectMessage(error, 'isGlobal', 'yes', 'true or false');
  });

  it.each([null, 5, 'x', []])('options that are %p', async (options) => {
    const error = await rejection(() => bootWith(options));
    expect(error.message).toMatch(/forRoot\(\).*allowed: an options object/);
  });

  it.each([5, '', 'x'])("a bundle's fallback that is %p", async (fallback) => {
    const error = await rejection(() => bootWith({ services: { pay: { fallback } } }));
    expectMessage(error, 'services.pay.fallback', fallback, 'a function');
  });
});

describe('The same holds for forFeature() and forRootAsync()', () => {
  it.each(PLACES)('forFeature(): %s', async (_what, fields, wrap, place) => {
    for (const [field, value, allowed] of table(fields).slice(0, 2)) {
      const error = await rejection(() => bootFeature(wrap({ [field]: value })));
      expectMessage(error, `${place}.${field}`, value, allowed);
    }
    const error = await rejection(() => bootFeature(wrap({ typo: 1 })));
    expect(error.message).toMatch(/typo: there is no such option/);
  });

  it.each([...PLACES, ...ROOT_PLACES])('forRootAsync(): %s', async (_what, fields, wrap, place) => {
    const [row] = table(fields);
    const [field, value, allowed] = row as NonNullable<typeof row>;
    const error = await rejection(() => bootAsync(wrap({ [field]: value })));
    expectMessage(error, place === '' ? field : `${place}.${field}`, value, allowed);
  });

  it.each([
    ['an unknown kind of policies', { breaker: {} }],
    ['an option that only forRoot() has', { mapErrors: true }],
  ])('forFeature() with %s', async (_what, options) => {
    const error = await rejection(() => bootFeature(options));
    expect(error.message).toMatch(
      /there is no such option; known: retries, retryBudgets, breakers/,
    );
  });

  it.each([undefined, null, 5, 'x', []])('forFeature(%p)', async (options) => {
    const error = await rejection(() => bootFeature(options));
    expect(error.message).toMatch(/forFeature\(\).*allowed: an options object/);
  });

  it.each([undefined, null, 5, []])('forRootAsync() whose factory answers %p', async (options) => {
    const error = await rejection(() => bootAsync(options));
    expect(error.message).toMatch(/allowed: an options object/);
  });

  it.each([
    ['no way to get options', {}, /given 0 of useFactory, useClass and useExisting.*exactly one/],
    [
      'two ways',
      { useFactory: () => ({}), useClass: class {} },
      /given 2 of useFactory, useClass and useExisting.*exactly one/,
    ],
    [
      'an unknown key',
      { useFactory: () => ({}), isglobal: true },
      /isglobal: there is no such option/,
    ],
    ['a factory that is no function', { useFactory: 5 }, /useFactory: is 5; allowed: a function/],
    ['a class that is none', { useClass: 5 }, /useClass: is 5; allowed: a class/],
    [
      'a class for a function',
      { useFactory: class Options {} },
      /useFactory: is function Options; allowed: a function; a class goes to useClass/,
    ],
    [
      'a class that makes no options',
      { useClass: class Options {} },
      /forRootAsync\(\): gets an instance of Options, which has no createResilienceOptions\(\)/,
    ],
    [
      'imports that are no array',
      { useFactory: () => ({}), imports: class {} },
      /imports: is .*; allowed: an array/,
    ],
    ['isGlobal of another type', { useFactory: () => ({}), isGlobal: 'yes' }, /isGlobal: is "yes"/],
    [
      'inject of another type',
      { useFactory: () => ({}), inject: 5 },
      /inject: is 5; allowed: an array/,
    ],
    ['nothing', undefined, /forRootAsync\(\).*allowed/],
  ])('forRootAsync() with %s', async (_what, options, message) => {
    const booting = async () =>
      bootBare({
        imports: [ResilienceModule.forRootAsync(options as ResilienceModuleAsyncOptions)],
      });
    expect((await rejection(booting)).message).toMatch(message);
  });

  it('an options factory that throws fails the boot with its own error', async () => {
    const module = ResilienceModule.forRootAsync({
      useFactory: () => {
        throw new Error('no configuration');
      },
    });
    await expect(bootBare({ imports: [module] })).rejects.toThrow('no configuration');
  });
});

describe('Whatever stands in the place of an option', () => {
  class Account {
    password = 'hunter2';
  }
  const proxy = (): unknown => {
    const fail = () => {
      throw new TypeError('trap');
    };
    return new Proxy({}, { get: fail, ownKeys: fail, getPrototypeOf: fail });
  };
  const VALUES: readonly unknown[] = [
    ...[null, '', ' ', '5', 'soon', true, false, 0.5, -1, 1e308, Number.NaN, 10n, Symbol('s')],
    ...[
      [],
      [null],
      [{}],
      new Map([['a', {}]]),
      new Set([1]),
      new Date(),
      /x/,
      new Error('hunter2'),
    ],
    ...[Promise.resolve({}), new Account(), { '': {} }, { ' ': {} }, { a: null }, () => 1, Account],
    ...[
      JSON.parse('{"__proto__":{"x":1}}'),
      { constructor: {} },
      Object.freeze({ a: [] }),
      proxy(),
    ],
    {
      get a() {
        throw new TypeError('getter');
      },
    },
  ];
  const stages = stagesOf({});

  /** What the check says of a value at a place. */
  function said(path: readonly string[], value: unknown): string | undefined {
    const options = path.reduceRight((inner, key) => ({ [key]: inner }), value);
    try {
      checkModuleOptions(options, stages);
      return undefined;
    } catch (error) {
      if (error instanceof ResilienceConfigurationError) return error.message;
      throw new Error(`${path.join('.')} with ${display(value)}`, { cause: error });
    }
  }

  /** All places of options, by what a message about an option that there is not proposes. */
  function* places(path: readonly string[]): Generator<readonly string[]> {
    yield path;
    const unknown = said(path, { 'no such': 0 }) ?? '';
    const [, names] = /no such: there is no such option; known: ([^;]+)/.exec(unknown) ?? [];
    const isNamed = names === undefined && unknown.includes('.no such: is 0');
    const inside = isNamed ? ['some'] : (names?.split(', ') ?? []);
    for (const name of inside) yield* places([...path, name]);
  }

  it('is taken, or refused by its place, as what it is and with what is allowed', () => {
    const all = [...places([])];
    for (const path of all)
      for (const value of VALUES) {
        const message = said(path, value);
        if (message === undefined) continue;
        const [place = '', problem = ''] = message.split(/: (.*)/s);
        expect(place).not.toBe('');
        expect(place).toContain(path.slice(0, -1).join('.')); // or of what it stands in
        expect(problem).toMatch(/allowed: |; known: |; a hierarchy has |; give /);
        expect(message).not.toMatch(/\[object|hunter2/);
      }
    expect(all.length).toBeGreaterThan(150);
  });

  it('fails the boot by nothing else, wherever it is given', async () => {
    const booting = (...imports: DynamicModule[]) => rejection(() => bootBare({ imports }));
    for (const value of [null, new Map(), new Account(), ...VALUES.slice(-1)]) {
      const wrong = value as object;
      await booting(ResilienceModule.forRoot(wrong));
      await booting(ResilienceModule.forRoot(), ResilienceModule.forFeature(wrong));
      await booting(ResilienceModule.forRootAsync(wrong));
      await booting(ResilienceModule.forRootAsync({ useFactory: () => wrong, changes: NEVER }));
      for (const option of ['services', 'stages', 'changes', 'metrics', 'overrides', 'fleet'])
        await booting(ResilienceModule.forRoot({ [option]: wrong }));
    }
  });

  it('is not passed over where a class or a prototype has it', async () => {
    class FromEnvironment {
      get breakers() {
        return { payments: {} };
      }
    }
    const expected = /breakers: is a getter or a method of a class, or inherited, .*; allowed: /;
    const given = new FromEnvironment();
    const changes = NEVER;
    const asyncModule = ResilienceModule.forRootAsync({ useFactory: () => given, changes });
    expect((await rejection(() => bootWith(given))).message).toMatch(expected);
    expect((await rejection(() => bootBare({ imports: [asyncModule] }))).message).toMatch(expected);
    const inherited = { breakers: { payments: Object.create({ failureThreshold: 3 }) } };
    expect((await rejection(() => bootWith(inherited))).message).toMatch(
      /^breakers\.payments\.failureThreshold: is a getter/,
    );
  });
});

describe('Timeout hierarchies', () => {
  it.each([
    ['client above gateway', { client: 5, gateway: 4, service: 9 }],
    ['equal layers', { client: 5, gateway: 5, service: 9 }],
    ['gateway above service', { client: 1, gateway: 10, service: 9 }],
  ])('%s fails the boot and validateTimeouts()', async (_what, hierarchy) => {
    const error = await rejection(() => bootWith({ timeouts: { payments: hierarchy } }));
    expect(error.message).toMatch(/^timeouts\.payments: .*allowed: client < gateway < service/);
    for (const value of Object.values(hierarchy)) expect(error.message).toContain(String(value));
    expect(() => validateTimeouts(hierarchy)).toThrow(ResilienceConfigurationError);
  });

  it.each(KINDS.duration.wrong)('a layer of %p', async (client) => {
    const timeouts = { payments: { client, gateway: 2, service: 3 } };
    const error = await rejection(() => bootWith({ timeouts }));
    expectMessage(error, 'timeouts.payments.client', client, KINDS.duration.allowed);
  });

  it.each([
    ['a layer is missing', { client: 1, service: 3 }, /timeouts\.payments\.gateway: is missing/],
    ['a layer is undefined', { client: 1, gateway: undefined, service: 3 }, /gateway: is missing/],
    [
      'there is another layer',
      { client: 1, gateway: 2, service: 3, db: 1 },
      /db: there is no such/,
    ],
    ['it is no object', null, /timeouts\.payments: is null/],
  ])('where %s', async (_what, hierarchy, message) => {
    const error = await rejection(() => bootWith({ timeouts: { payments: hierarchy } }));
    expect(error.message).toMatch(message);
  });

  it('validateTimeouts() accepts one that nests', () => {
    expect(() => validateTimeouts({ client: 1, gateway: 2, service: 3 })).not.toThrow();
  });
});

describe('Values at the edge of what is allowed are accepted', () => {
  it.each([
    ['retry', Retry({ maxAttempts: 1, baseDelayMs: 0, maxDelayMs: 0, factor: 1 })],
    ['retry by number', Retry(1)],
    ['error classes', Retry({ retryableErrors: [TypeError, class Own extends Error {}] })],
    ['breaker', CircuitBreaker({ failureThreshold: 1, windowCalls: 1, failureRateThreshold: 100 })],
    ['fractions of ms', Timeout(0.5)],
    ['the longest timer', Timeout(2 ** 31 - 1)],
    ['no queue', Bulkhead({ maxConcurrent: 1, queueLimit: 0 })],
    ['a method of the class', Fallback('other')],
    ['an arrow function', Fallback(() => 'x')],
  ])('%s', async (_what, decorator) => {
    await expect(bootDecorated(decorator)).resolves.toBeDefined();
  });

  it('for forRoot(), with undefined wherever something may be left out', async () => {
    const options = {
      breakers: { a: { failureThreshold: undefined, windowCalls: 5, windowMs: undefined } },
      bulkheads: undefined,
      services: { s: { retry: undefined, circuitBreaker: { successThreshold: undefined } } },
      defaults: { retry: undefined, timeoutMs: undefined, bulkhead: { queueLimit: undefined } },
      errorTracker: { recentErrors: 0, windowMs: undefined },
      inbound: { maxTimeoutMs: undefined },
      metrics: [],
      alerts: [],
      alertIntervalMs: 0,
      isGlobal: undefined,
    };
    const { app } = await bootWith(options);
    const [service] = app.get(ResilienceService).describe();
    expect(service?.stages.circuitBreaker).toMatchObject({ name: 's', successThreshold: 2 });
    expect(service?.stages.retry).toBeUndefined();
    expect(Object.keys(CircuitState)).toHaveLength(5);
  });

  it('where a class gives the duration of slow calls and its method the rate', async () => {
    @Injectable()
    @CircuitBreaker({ slowCallDurationMs: 100 })
    class Service {
      @CircuitBreaker({ slowCallRateThreshold: 50 })
      async run(): Promise<void> {}
    }
    const { app } = await boot({ providers: [Service] });
    expect(app.get(ResilienceService).describe()[0]?.stages.circuitBreaker).toMatchObject({
      slowCallDurationMs: 100,
      slowCallRateThreshold: 50,
    });
  });
});

describe('Defaults', () => {
  it('never switch a stage on, wherever the options come from', async () => {
    @Injectable()
    @Critical(false)
    class Service {
      @Upstream('api')
      async labelled(): Promise<void> {}
      @Resilience('empty')
      async bundled(): Promise<void> {}
      async reached(): Promise<void> {}
    }
    const { app } = await boot(
      { providers: [Service] },
      {
        services: { empty: {} },
        defaults: {
          retry: { maxAttempts: 9 },
          circuitBreaker: { failureThreshold: 1 },
          bulkhead: { maxConcurrent: 1 },
          timeoutMs: 1,
        },
      },
    );
    const described = app.get(ResilienceService).describe();
    expect(described).toHaveLength(4);
    for (const { stages } of described) expect(stages).toEqual({});
  });
});
