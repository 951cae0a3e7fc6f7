import 'reflect-metadata';
import { applyDecorators, Injectable } from '@nestjs/common';
import {
  Bulkhead,
  BulkheadPolicy,
  CircuitBreaker,
  CircuitBreakerPolicy,
  Critical,
  ErrorTracker,
  Fallback,
  Hedge,
  RateLimit,
  Resilience,
  ResilienceConfigurationError,
  ResilienceModule,
  type ResilienceModuleOptions,
  ResilienceService,
  Retry,
  type ServiceOptions,
  Timeout,
  Upstream,
  WebhookAlerts,
} from '../../lib/index.js';
import { boot, bootBare, closeAll } from './support.js';

afterEach(closeAll);

const booted = (options: unknown) => boot({}, options as ResilienceModuleOptions);

/** Boots a class with this decorator on its method. */
function decorated(decorator: unknown, options: ResilienceModuleOptions = {}) {
  @Injectable()
  class Service {
    @(decorator as MethodDecorator)
    async run(): Promise<void> {}
  }
  return boot({ providers: [Service] }, options);
}

/** What a boot that fails says. */
async function message(booting: Promise<unknown>): Promise<string> {
  const error = await booting.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ResilienceConfigurationError);
  return (error as Error).message;
}

describe('A text where a number or a boolean is meant is answered with what to pass', () => {
  it.each<[string, unknown, string]>([
    ["@Timeout('3000')", Timeout('3000' as never), 'pass the number 3000'],
    ["@Timeout('3s')", Timeout('3s' as never), 'pass the number 3000'],
    ["@Retry('3')", Retry('3'), 'pass the number 3'],
    ["@Bulkhead('10')", Bulkhead('10'), 'pass { maxConcurrent: 10 }'],
    ['@Bulkhead(10)', Bulkhead(10 as never), 'did you mean { maxConcurrent: 10 }?'],
    ["@CircuitBreaker('5')", CircuitBreaker('5'), 'pass { failureThreshold: 5 }'],
    ['@CircuitBreaker(5)', CircuitBreaker(5 as never), 'did you mean { failureThreshold: 5 }?'],
    ["@Hedge('50')", Hedge('50' as never), 'did you mean { delayMs: 50 }?'],
    ["@Critical('false')", Critical('false' as never), 'pass the boolean false'],
    ['a count', Retry({ maxAttempts: '3' as never }), 'pass the number 3'],
    ['a percentage', CircuitBreaker({ failureRateThreshold: '50' as never }), 'the number 50'],
    ['a flag', Retry({ idempotent: 'true' as never }), 'pass the boolean true'],
  ])('%s', async (_what, decorator, hint) => {
    expect(await message(decorated(decorator))).toContain(hint);
  });

  it.each<[string, unknown, string]>([
    ['a duration', { breakers: { db: { timeoutMs: '60000' } } }, 'pass the number 60000'],
    ['one with its unit', { defaults: { timeoutMs: '250ms' } }, 'pass the number 250'],
    ['a layer', { timeouts: { db: { client: '1s', gateway: 2, service: 3 } } }, 'number 1000'],
    ['a flag', { mapErrors: 'false' }, 'pass the boolean false'],
    [
      'a number for options',
      { services: { db: { retry: 3 } } },
      'did you mean { maxAttempts: 3 }?',
    ],
    [
      'an unset variable',
      { alertIntervalMs: Number.NaN },
      'an environment variable that is not set',
    ],
  ])('in the options of the module: %s', async (_what, options, hint) => {
    expect(await message(booted(options))).toContain(hint);
  });

  it('a promise of what it is meant to be is called what it is', async () => {
    expect(await message(booted({ changes: Promise.resolve({}) }))).toContain(
      'changes: is an instance of Promise; allowed: an Observable of overrides',
    );
  });

  it('but not with what would be wrong as well', async () => {
    expect(await message(booted({ defaults: { timeoutMs: '-1' } }))).not.toContain('pass');
    expect(await message(booted({ defaults: { timeoutMs: '0' } }))).not.toContain('pass');
    expect(await message(booted({ defaults: { timeoutMs: 'soon' } }))).not.toContain('pass');
  });
});

describe('A misspelt option is answered with the one that was meant', () => {
  it.each<[string, unknown, string]>([
    ['breaker', { breaker: {} }, 'breakers'],
    ['bulkhead', { bulkhead: {} }, 'bulkheads'],
    ['retry', { retry: {} }, 'retries'],
    ['circuitBreakers', { circuitBreakers: {} }, 'breakers'],
    ['circuitBreaker', { circuitBreaker: {} }, 'breakers'],
    ['alertChannels', { alertChannels: [] }, 'alerts'],
    ['resetTimeoutMs', { breakers: { db: { resetTimeoutMs: 5 } } }, 'timeoutMs'],
    ['Timeouts', { Timeouts: {} }, 'timeouts'],
    ['failureTreshold', { breakers: { db: { failureTreshold: 5 } } }, 'failureThreshold'],
    ['maxConcurent', { bulkheads: { db: { maxConcurent: 5 } } }, 'maxConcurrent'],
    ['maxAttmepts', { retries: { db: { maxAttmepts: 5 } } }, 'maxAttempts'],
    ['timeout', { services: { db: { timeout: 5 } } }, 'timeoutMs'],
    ['attempts', { retries: { db: { attempts: 5 } } }, 'maxAttempts'],
  ])('%s', async (_option, options, meant) => {
    expect(await message(booted(options))).toContain(`; did you mean ${meant}?`);
  });

  it('also outside of the module, and not where nothing is near', async () => {
    expect(() => new CircuitBreakerPolicy('db', { windowSm: 1 } as never)).toThrow(
      'mean windowMs?',
    );
    expect(() => new BulkheadPolicy('db', { queueLimt: 1 } as never)).toThrow('mean queueLimit?');
    expect(() => new WebhookAlerts({ ulr: 'http://a' } as never)).toThrow('did you mean url?');
    expect(await message(booted({ something: {} }))).not.toContain('did you mean');
  });

  it('of a pipeline, which takes a name, while a bundle has one already', async () => {
    const pipeline = { nane: 'checkout' } as ServiceOptions;
    const { app } = await boot({});
    expect(() => app.get(ResilienceService).pipeline(pipeline)).toThrow('; did you mean name?');
    expect(await message(booted({ services: { checkout: pipeline } }))).not.toContain('mean name');
  });
});

describe('What a message says to write works as it is written', () => {
  const code = (written: string): unknown => new Function(`return (${written})`)();
  type Decorated = (argument: unknown) => unknown;

  it.each<[string, Decorated, string]>([
    ['@CircuitBreaker', CircuitBreaker as Decorated, 'payments'],
    ['@CircuitBreaker of a name in quotes', CircuitBreaker as Decorated, 'payments-api'],
    ['@Bulkhead', Bulkhead as Decorated, 'payments'],
    ['@RateLimit', RateLimit as Decorated, 'payments'],
    ['@Retry', Retry as Decorated, 'payments'],
    ['the budget of @Retry', (budget) => Retry({ budget: budget as string }), 'payments'],
    ['@Resilience', Resilience as Decorated, 'payments'],
  ])('for a name that is not registered: %s', async (_what, decorator, name) => {
    const follow = async (options: ResilienceModuleOptions) => {
      const said = await message(decorated(decorator(name), options));
      const [, remedy = ''] = /register it in the module's options, (.+)$/.exec(said) ?? [];
      const [[section, named] = []] = Object.entries(code(`{ ${remedy} }`) as object);
      const registered = { ...(options as Record<string, object>)[`${section}`], ...named };
      await decorated(decorator(name), { [`${section}`]: registered });
      return { [`${section}`]: { others: named[name] } };
    };
    await follow(await follow({})); // also where another name is registered
  });

  it.each<[string, Decorated, unknown]>([
    ['@Timeout', Timeout as Decorated, '3s'],
    ['@Timeout with a fraction', Timeout as Decorated, '0.5'],
    ['@Retry', Retry as Decorated, '3'],
    ['@Bulkhead', Bulkhead as Decorated, '10'],
    ['@Bulkhead with a number', Bulkhead as Decorated, 10],
    ['@CircuitBreaker', CircuitBreaker as Decorated, '5'],
    ['@RateLimit', RateLimit as Decorated, '100'],
    ['@RateLimit with a number', RateLimit as Decorated, 100],
    ['@Hedge', Hedge as Decorated, '50'],
  ])('for a number that is not said as one: %s', async (_what, decorator, wrong) => {
    const said = await message(decorated(decorator(wrong)));
    const [, remedy = ''] = /(?:pass|did you mean) (?:the number )?(.+?)\??$/.exec(said) ?? [];
    await decorated(decorator(code(remedy)));
  });

  it.each<[string, unknown]>([
    ["@Timeout('0')", Timeout('0' as never)],
    ["@Retry('2.5')", Retry('2.5')],
    ["@Bulkhead('0')", Bulkhead('0')],
    ['@Bulkhead(0)', Bulkhead(0 as never)],
    ["@CircuitBreaker('0.5')", CircuitBreaker('0.5')],
    ['@RateLimit(0)', RateLimit(0 as never)],
    ['@Hedge(-1)', Hedge(-1 as never)],
  ])(
    'and no number is proposed that would be refused in its turn: %s',
    async (_what, decorator) => {
      expect(await message(decorated(decorator))).not.toMatch(/pass|did you mean/);
    },
  );

  it('for a layer that is said as decorators say it', async () => {
    const timeouts = { payments: { client: 100, gateway: 200, service: 300 } };
    const flat = { 'payments.client': 150 };
    const atBoot = await message(booted({ timeouts: flat }));
    expect(atBoot).toBe(
      'timeouts.payments.client: is 150; allowed: timeouts: { payments: { client: 150, gateway: …, service: … } }',
    );
    const overridden = await message(booted({ timeouts, overrides: { timeouts: flat } }));
    const [, remedy = ''] = /allowed: (.+)$/.exec(overridden) ?? [];
    await booted({ timeouts, overrides: code(`{ ${remedy} }`) });
  });
});

describe('A name that is not registered is answered with how to register it', () => {
  it.each<[string, unknown, string]>([
    ['a breaker', CircuitBreaker('inventory'), 'breakers: { inventory: {} }'],
    ['a bulkhead', Bulkhead('order-writes'), 'bulkheads: { "order-writes": {} }'],
    ['a rate limit', RateLimit('partner'), 'rateLimits: { partner: { limit: 100 } }'],
    ['retry options', Retry('gentle'), 'retries: { gentle: {} }'],
    ['a bundle', Resilience('geo'), 'services: { geo: {} }'],
    ['a budget', Retry({ budget: 'tight' }), 'retryBudgets: { tight: {} }'],
  ])('%s', async (_what, decorator, remedy) => {
    expect(await message(decorated(decorator))).toContain(
      `none is registered; register it in the module's options, ${remedy}`,
    );
  });

  it.each<[string, unknown]>([
    ['breakers', CircuitBreaker('paymnets')],
    ['bulkheads', Bulkhead('paymnets')],
    ['retries', Retry('paymnets')],
    ['services', Resilience('paymnets')],
    ['retryBudgets', Retry({ budget: 'paymnets' })],
  ])('or with the one that was probably meant, of %s', async (section, decorator) => {
    const options = { [section]: { payments: {}, stock: {} } };
    expect(await message(decorated(decorator, options))).toContain(
      'known: payments, stock; did you mean payments?',
    );
  });

  it('and a layer with those that there are', async () => {
    const options = { timeouts: { payments: { client: 1, gateway: 2, service: 3 } } };
    expect(await message(decorated(Timeout('payments.clinet' as never), options))).toContain(
      'did you mean payments.client?',
    );
  });

  it('also at a call', async () => {
    const { app } = await booted({ services: { geo: {} } });
    await expect(app.get(ResilienceService).execute('goe', async () => 1)).rejects.toThrow(
      'did you mean geo?',
    );
  });
});

describe('The same decorator twice fails the boot, with both values', () => {
  const twice = (first: unknown, second: unknown) => {
    @Injectable()
    class Service {
      @(first as MethodDecorator)
      @(second as MethodDecorator)
      async run(): Promise<void> {}
    }
    return boot({ providers: [Service] }, { breakers: { db: {} } });
  };

  it.each<[string, unknown, unknown, string]>([
    ['@Retry', Retry(3), Retry(5), 'Service.run @Retry(): is written 2 times here, with 3 and 5'],
    ['@Critical', Critical(), Critical(false), 'with true and false'],
    ['@Timeout', Timeout(100), Timeout(), 'with 100 and undefined'],
    ['@CircuitBreaker', CircuitBreaker('db'), CircuitBreaker({}), 'with "db" and {}'],
    ['@Upstream', Upstream('a'), Upstream('b'), 'with "a" and "b"'],
    ['@Fallback', Fallback('run'), Fallback(() => undefined), 'with "run" and a function'],
    ['@Resilience', Resilience({ name: 'a' }), Resilience({ name: 'b' }), '"a"} and {"name":"b"}'],
  ])('%s', async (_decorator, first, second, what) => {
    expect(await message(twice(first, second))).toContain(what);
  });

  it('or more often', async () => {
    expect(await message(twice(Retry(3), applyDecorators(Retry(5), Retry(7))))).toContain(
      'Service.run @Retry(): is written 3 times here, with 3 and 7 and 5',
    );
  });

  it('on a class as well, and a class that extends it may say something else', async () => {
    @Injectable()
    @Retry(3)
    @Retry(5)
    class Twice {
      async run(): Promise<void> {}
    }
    expect(await message(boot({ providers: [Twice] }))).toContain('Twice @Retry(): is written 2');
    @Retry(3)
    class Base {
      async run(): Promise<void> {}
    }
    @Injectable()
    @Retry(5)
    class Derived extends Base {
      @Retry(7)
      async other(): Promise<void> {}
    }
    const { app } = await boot({ providers: [Derived] });
    expect(app.get(ResilienceService).describe()).toMatchObject([
      { operation: 'Derived.other', stages: { retry: { maxAttempts: 7 } } },
      { operation: 'Derived.run', stages: { retry: { maxAttempts: 5 } } },
    ]);
  });
});

describe('Boot warns of what is allowed and hardly meant', () => {
  const warningsOf = async (options: ResilienceModuleOptions, decorator: unknown = Timeout(1)) =>
    (await decorated(decorator, options)).logger.warnings();

  it('a fraction where a percentage from 0 to 100 is meant', async () => {
    expect(await warningsOf({ breakers: { db: { failureRateThreshold: 0.5 } } })).toBe(
      'circuit breaker db: failureRateThreshold 0.5 is half a percent; did you mean 50?',
    );
    const slow = { slowCallRateThreshold: 0.07, slowCallDurationMs: 100 };
    expect(await warningsOf({}, CircuitBreaker(slow))).toBe(
      'circuit breaker Service.run: slowCallRateThreshold 0.07 is 0.07 percent; did you mean 7?',
    );
    expect(await warningsOf({}, Hedge({ afterPercentile: 0.95 }))).toContain('did you mean 95?');
    const service = { geo: { circuitBreaker: { failureRateThreshold: 0.2 } } };
    expect(await warningsOf({ services: service })).toContain('circuit breaker geo: ');
    const defaults = { circuitBreaker: { failureRateThreshold: 1 } };
    expect(await warningsOf({ defaults }, CircuitBreaker())).toContain('did you mean 100?');
    expect(await warningsOf({ breakers: { db: { failureRateThreshold: 50 } } })).toBe('');
    expect(await warningsOf({ breakers: { db: { failureRateThreshold: 1.5 } } })).toBe('');
  });

  it('a percentage where a ratio is meant', async () => {
    expect(await warningsOf({}, Retry({ budget: { ratio: 20 } }))).toBe(
      'retry budget Service.run: ratio 20 allows 20 retries for each first attempt; did you mean 0.2 (20 %)?',
    );
    expect(await warningsOf({}, Retry({ budget: { ratio: 1 } }))).toBe('');
    const options = { retryBudgets: { api: { ratio: 50 } } };
    expect(await warningsOf(options, Retry({ budget: 'api' }))).toMatch(
      /^retry budget api: ratio 50 .* did you mean 0\.5 \(50 %\)\?$/,
    );
  });

  it('a budget for an upstream that nobody names', async () => {
    const options = { retryBudgets: { 'payment-api': { ratio: 0.1 } } };
    expect(await warningsOf(options, Upstream('payments-api'))).toBe(
      'retryBudgets.payment-api bounds nothing: no @Upstream is called payment-api, and no retry names it as its budget; of upstreams, known: payments-api; did you mean payments-api?',
    );
    expect(await warningsOf(options)).toContain('of upstreams, none is registered');
    expect(await warningsOf(options, Upstream('payment-api'))).toBe('');
    expect(await warningsOf(options, Retry({ budget: 'payment-api' }))).toBe('');
  });

  it('a breaker that acts around a timeout in shadow mode, which cuts nothing that hangs', async () => {
    const both = applyDecorators(
      CircuitBreaker({ mode: 'enforce' }) as MethodDecorator,
      Timeout(200) as MethodDecorator,
    );
    const shadow = { defaults: { mode: 'shadow' } } as const;
    expect(await warningsOf(shadow, both)).toBe(
      "Service.run: its circuit breaker acts, and its timeout is in shadow mode, so a call that hangs is cut by nobody, and no failure to the breaker; let the timeout act, as @Timeout({ attemptMs: 200, mode: 'enforce' }) does, or put the breaker into shadow mode too",
    );
    const cut = applyDecorators(
      CircuitBreaker({ mode: 'enforce' }) as MethodDecorator,
      Timeout({ attemptMs: 200, mode: 'enforce' }) as MethodDecorator,
    );
    expect(await warningsOf(shadow, cut)).toBe('');
    const none = applyDecorators(
      CircuitBreaker() as MethodDecorator,
      Timeout(200) as MethodDecorator,
    );
    expect(await warningsOf(shadow, none)).toBe('');
    expect(await warningsOf({}, both)).toBe('');
  });

  it('and the application boots, and works', async () => {
    const { app } = await boot({}, { breakers: { db: { failureRateThreshold: 0.5 } } });
    expect(app.get(ErrorTracker).getErrorRate()).toBe(0);
    await bootBare({ imports: [ResilienceModule.forRoot()] });
  });
});
