import { jest } from '@jest/globals';
import {
  type CanActivate,
  Controller,
  Get,
  Global,
  Inject,
  Injectable,
  Module,
  type ModuleMetadata,
  UseGuards,
} from '@nestjs/common';
import { LazyModuleLoader, NestFactory } from '@nestjs/core';
import { of, throwError } from 'rxjs';
import {
  Bulkhead,
  BulkheadPolicy,
  BulkheadRegistry,
  BulkheadRejectedError,
  CircuitBreaker,
  CircuitBreakerPolicy,
  CircuitBreakerRegistry,
  Critical,
  ErrorTracker,
  Fallback,
  getBulkheadToken,
  getCircuitBreakerToken,
  Hedge,
  InjectBulkhead,
  InjectCircuitBreaker,
  InMemoryMetrics,
  ResilienceConfigurationError,
  ResilienceEvents,
  ResilienceInterceptor,
  ResilienceModule,
  type ResilienceModuleOptions,
  type ResilienceOptionsFactory,
  ResilienceService,
  Retry,
  Timeout,
  Upstream,
} from '../lib/index.js';
import { boot, bootBare, closeAll, RecordingLogger } from './binding/support.js';

afterEach(async () => {
  await closeAll();
  jest.useRealTimers();
});

const OPTIONS: ResilienceModuleOptions = {
  breakers: { payments: { failureThreshold: 3 } },
  bulkheads: { write: { maxConcurrent: 4 } },
  retries: { gentle: { maxAttempts: 2, baseDelayMs: 0 } },
  timeouts: { payments: { client: 30, gateway: 50, service: 100 } },
  services: { checkout: { retry: 'gentle', circuitBreaker: {}, bulkhead: {} } },
};

@Injectable()
class OptionsFactory implements ResilienceOptionsFactory {
  async createResilienceOptions() {
    return OPTIONS;
  }
}

@Module({
  providers: [OptionsFactory, { provide: 'OPTIONS', useValue: OPTIONS }],
  exports: [OptionsFactory, 'OPTIONS'],
})
class ConfigModule {}

const REGISTRATIONS = [
  ['forRoot', () => ResilienceModule.forRoot(OPTIONS)],
  [
    'forRootAsync, useFactory with inject and imports',
    () =>
      ResilienceModule.forRootAsync({
        imports: [ConfigModule],
        inject: ['OPTIONS', { token: 'NOT THERE', optional: true }],
        useFactory: async (options: ResilienceModuleOptions, missing: unknown) => {
          expect(missing).toBeUndefined();
          return options;
        },
      }),
  ],
  ['forRootAsync, useClass', () => ResilienceModule.forRootAsync({ useClass: OptionsFactory })],
  [
    'forRootAsync, useExisting',
    () => ResilienceModule.forRootAsync({ imports: [ConfigModule], useExisting: OptionsFactory }),
  ],
] as const;

async function rejection(booting: Promise<unknown>): Promise<ResilienceConfigurationError> {
  const error: unknown = await booting.then(
    () => new Error('the boot succeeded'),
    (reason: unknown) => reason,
  );
  if (error instanceof ResilienceConfigurationError) return error;
  throw error;
}

describe.each(REGISTRATIONS)('ResilienceModule registered by %s', (_name, register) => {
  @Injectable()
  class Consumer {
    constructor(
      @InjectCircuitBreaker('payments') readonly payments: CircuitBreakerPolicy,
      @InjectBulkhead('write') readonly write: BulkheadPolicy,
      @InjectCircuitBreaker('checkout') readonly checkout: CircuitBreakerPolicy,
    ) {}
    @Inject(getBulkheadToken('checkout'))
    readonly byProperty!: BulkheadPolicy;

    @CircuitBreaker('payments')
    @Bulkhead('write')
    @Timeout('payments.client')
    @Retry('gentle')
    async run(): Promise<string> {
      throw new Error('down');
    }
  }

  it('injects the named breakers and bulkheads, the same that decorators and registries have', async () => {
    const { app } = await bootBare({ imports: [register()], providers: [Consumer] });
    const consumer = app.get(Consumer);
    expect(consumer.payments).toBeInstanceOf(CircuitBreakerPolicy);
    expect(consumer.write).toBeInstanceOf(BulkheadPolicy);
    expect(consumer.payments).toBe(app.get(CircuitBreakerRegistry).get('payments'));
    expect(consumer.write).toBe(app.get(BulkheadRegistry).get('write'));
    expect(consumer.checkout.name).toBe('checkout');
    expect(consumer.byProperty).toBe(app.get(BulkheadRegistry).get('checkout'));
    await expect(consumer.run()).rejects.toThrow('down');
    expect(consumer.payments.getSnapshot()).toMatchObject({ failures: 2, calls: 2 });
  });

  it('offers them to app.get() though nobody asked before', async () => {
    const { app } = await bootBare({
      imports: [register()],
    });
    const name = 'payments';
    expect(app.get(getCircuitBreakerToken(name))).toBe(app.get(CircuitBreakerRegistry).get(name));
    expect(app.get(getBulkheadToken('write'))).toBe(app.get(BulkheadRegistry).get('write'));
  });

  it('injects them into factories and into request-scoped providers', async () => {
    const token = getCircuitBreakerToken('payments');
    const { app } = await bootBare({
      imports: [register()],
      providers: [
        {
          provide: 'NAME',
          inject: [token],
          useFactory: ({ name }: CircuitBreakerPolicy) => name,
        },
      ],
    });
    expect(app.get('NAME')).toBe('payments');
  });

  it('makes its injectables available everywhere', async () => {
    @Module({ providers: [{ provide: 'ALL', inject: INJECTABLES, useFactory: (...all) => all }] })
    class Feature {}
    const { app } = await bootBare({ imports: [Feature, register()] });
    const all = app.get<unknown[]>('ALL');
    for (const [index, type] of INJECTABLES.entries()) expect(all[index]).toBeInstanceOf(type);
  });

  it('fails the boot on an unknown injected name, listing the known ones and who wants it', async () => {
    @Injectable()
    class Mistyped {
      constructor(@InjectCircuitBreaker('paymets') readonly breaker: CircuitBreakerPolicy) {}
    }
    const error = await rejection(bootBare({ imports: [register()], providers: [Mistyped] }));
    expect(error.message).toContain('Mistyped');
    expect(error.message).toContain('"paymets"');
    expect(error.message).toMatch(/known: payments, checkout/);
  });

  it('fails the boot on an unknown bulkhead injected into a property', async () => {
    @Injectable()
    class Mistyped {
      @InjectBulkhead('wriet')
      readonly bulkhead!: BulkheadPolicy;
    }
    const error = await rejection(bootBare({ imports: [register()], providers: [Mistyped] }));
    expect(error.message).toMatch(/Mistyped.*"wriet".*known: write, checkout/);
  });

  const mistyped = getCircuitBreakerToken('payment');
  const asked = () => undefined;
  @Injectable()
  class AskingGuard implements CanActivate {
    constructor(@InjectCircuitBreaker('payment') readonly breaker: CircuitBreakerPolicy) {}
    canActivate() {
      return true;
    }
  }
  @Controller()
  class Asking {
    constructor(@InjectCircuitBreaker('payment') readonly breaker: CircuitBreakerPolicy) {}
  }
  @Controller()
  @UseGuards(AskingGuard)
  class Guarded {
    @Get()
    get() {}
  }
  it.each<[string, ModuleMetadata]>([
    ['Asking', { controllers: [Asking] }],
    ['AskingGuard', { controllers: [Guarded] }],
    ['ASKED', { providers: [{ provide: 'ASKED', inject: [mistyped], useFactory: asked }] }],
    [
      'MAYBE',
      {
        providers: [
          {
            provide: 'MAYBE',
            inject: [ErrorTracker, { token: mistyped, optional: true }],
            useFactory: asked,
          },
        ],
      },
    ],
  ])('names who wants an unknown policy, whatever it is: %s', async (who, metadata) => {
    const imports = [register()];
    const error = await rejection(bootBare({ ...metadata, imports }));
    expect(error.place).toBe(who);
    expect(error.message).toContain('"payment"');
  });

  it('is not disturbed by what another application of the process wants injected', async () => {
    @Injectable()
    class OfAnother {
      constructor(@InjectCircuitBreaker('elsewhere') readonly breaker: CircuitBreakerPolicy) {}
    }
    const other = await boot({ providers: [OfAnother] }, { breakers: { elsewhere: {} } });
    expect(other.app.get(OfAnother).breaker.name).toBe('elsewhere');
    const { app } = await bootBare({ imports: [register()] });
    expect(app.get(CircuitBreakerRegistry).has('elsewhere')).toBe(false);
    expect(() => app.get(getCircuitBreakerToken('elsewhere'))).toThrow(/could not find/);
  });

  it('fails the boot when it is registered twice', async () => {
    @Module({ imports: [ResilienceModule.forRoot({ alertIntervalMs: 1 })] })
    class Feature {}
    const error = await rejection(bootBare({ imports: [register(), Feature] }));
    expect(error.message).toMatch(/registered 2 times.*once/);
  });
});

const INJECTABLES = [
  CircuitBreakerRegistry,
  BulkheadRegistry,
  ErrorTracker,
  ResilienceEvents,
  InMemoryMetrics,
  ResilienceService,
  ResilienceInterceptor,
];

describe('ResilienceModule.forRoot()', () => {
  it('works without options: decorators carry everything inline', async () => {
    @Injectable()
    class Service {
      calls = 0;
      @Retry({ maxAttempts: 2, baseDelayMs: 0 })
      @CircuitBreaker({ failureThreshold: 2 })
      @Bulkhead({ maxConcurrent: 1 })
      async run(): Promise<string> {
        this.calls++;
        throw new Error('down');
      }
    }
    const { app } = await bootBare({ imports: [ResilienceModule.forRoot()], providers: [Service] });
    await expect(app.get(Service).run()).rejects.toThrow('down');
    await expect(app.get(Service).run()).rejects.toThrow('Circuit breaker "Service.run" is open');
    expect(app.get(Service).calls).toBe(2);
    expect(app.get(CircuitBreakerRegistry).list()).toEqual([
      app.get(CircuitBreakerRegistry).get('Service.run'),
    ]);
    expect(app.get(BulkheadRegistry).has('Service.run')).toBe(true);
  });

  it('with isGlobal: false keeps its injectables to the modules that import it', async () => {
    const options = { ...OPTIONS, isGlobal: false };
    const inject = { provide: 'TRACKER', inject: [ErrorTracker], useFactory: (it: unknown) => it };
    @Module({ providers: [inject] })
    class Stranger {}
    await expect(
      bootBare({ imports: [ResilienceModule.forRoot(options), Stranger] }),
    ).rejects.toThrow(/can't resolve dependencies of the TRACKER/i);

    const { app } = await bootBare({
      imports: [ResilienceModule.forRoot(options)],
      providers: [inject],
    });
    expect(app.get('TRACKER')).toBeInstanceOf(ErrorTracker);
  });

  it('with isGlobal: false still runs the decorated methods of every module', async () => {
    @Injectable()
    class Service {
      calls = 0;
      @Retry('gentle')
      async run(): Promise<string> {
        this.calls++;
        throw new Error('down');
      }
    }
    @Module({ providers: [Service] })
    class Stranger {}
    for (const resilience of [
      ResilienceModule.forRoot({ ...OPTIONS, isGlobal: false }),
      ResilienceModule.forRootAsync({ useFactory: () => OPTIONS, isGlobal: false }),
    ]) {
      const { app } = await bootBare({ imports: [resilience, Stranger] });
      await expect(app.get(Service).run()).rejects.toThrow('down');
      expect(app.get(Service).calls).toBe(2);
    }
  });

  it('injects the InMemoryMetrics that it is given, and none where others record', async () => {
    const own = new InMemoryMetrics();
    const silent = { increment() {}, gauge() {}, observe() {} };
    const given = await boot({}, { metrics: [silent, own] });
    expect(given.app.get(InMemoryMetrics)).toBe(own);
    const none = await boot({}, { metrics: silent });
    expect(none.app.get(InMemoryMetrics)).toBeUndefined();
  });

  it('fills in defaults where options leave something out, and undefined fields erase none', async () => {
    @Injectable()
    class Service {
      @Retry({ maxAttempts: undefined, baseDelayMs: 1 } as never)
      @CircuitBreaker({ failureThreshold: undefined, successThreshold: 3 } as never)
      @Bulkhead({ maxConcurrent: undefined, queueLimit: 1 } as never)
      @Timeout()
      async all(): Promise<void> {}
      @Upstream('api')
      async none(): Promise<void> {}
    }
    const defaults = {
      retry: { maxAttempts: 7, baseDelayMs: 50 },
      circuitBreaker: { failureThreshold: 8, successThreshold: 4 },
      bulkhead: { maxConcurrent: 9, queueLimit: 5 },
      timeoutMs: 250,
    };
    const { app } = await boot(
      { providers: [Service] },
      {
        defaults,
        breakers: { named: { windowMs: undefined } as never },
        retries: undefined as never,
      },
    );
    const [all, none] = app.get(ResilienceService).describe();
    expect(all?.stages).toMatchObject({
      retry: { maxAttempts: 7, baseDelayMs: 1 },
      circuitBreaker: { failureThreshold: 8, successThreshold: 3 },
      bulkhead: { maxConcurrent: 9, queueLimit: 1 },
      timeout: { timeoutMs: 250 },
    });
    expect(none).toEqual({
      operation: 'Service.none',
      kind: 'provider',
      upstream: 'api',
      origins: {},
      stages: {},
    });
    expect(app.get(CircuitBreakerRegistry).get('named').options).toMatchObject({
      failureThreshold: 8,
      windowMs: 30_000,
    });
  });

  it('has the defaults that the contract names', async () => {
    @Injectable()
    class Service {
      @Retry()
      @CircuitBreaker()
      @Bulkhead()
      async run(): Promise<void> {}
    }
    const { app } = await boot({ providers: [Service] });
    expect(app.get(ResilienceService).describe()[0]?.stages).toEqual({
      retry: {
        maxAttempts: 3,
        baseDelayMs: 100,
        maxDelayMs: 5_000,
        factor: 2,
        jitter: 'full',
        respectRetryAfter: true,
        idempotent: false,
        retryNested: false,
        budget: { name: 'Service.run', ratio: 0.2, minRetriesPerSecond: 10, windowMs: 10_000 },
      },
      circuitBreaker: {
        name: 'Service.run',
        failureThreshold: 5,
        successThreshold: 2,
        timeoutMs: 60_000,
        timeoutJitter: 0,
        timeoutFactor: 1,
        maxTimeoutMs: 600_000,
        windowMs: 30_000,
        minimumCalls: 10,
        halfOpenMaxCalls: 2,
      },
      bulkhead: { name: 'Service.run', maxConcurrent: 10, queueLimit: 100 },
    });
  });
});

describe('ResilienceModule.forFeature()', () => {
  const FEATURE = {
    breakers: { search: { failureThreshold: 2 } },
    bulkheads: { index: { maxConcurrent: 3 } },
    retries: { often: { maxAttempts: 6 } },
    timeouts: { search: { client: 1, gateway: 2, service: 3 } },
    services: { catalogue: { retry: 'often', circuitBreaker: 'payments', bulkhead: {} } },
  };

  @Injectable()
  class Search {
    constructor(
      @InjectCircuitBreaker('search') readonly breaker: CircuitBreakerPolicy,
      @InjectBulkhead('index') readonly bulkhead: BulkheadPolicy,
      @InjectBulkhead('catalogue') readonly shared: BulkheadPolicy,
    ) {}
    @Retry('often')
    @CircuitBreaker('search')
    @Bulkhead('index')
    @Timeout('search.service')
    async run(): Promise<void> {}
  }

  @Module({ imports: [ResilienceModule.forFeature(FEATURE)], providers: [Search] })
  class SearchModule {}

  it.each(REGISTRATIONS)(
    'adds policies that the whole application can use, next to %s',
    async (_name, register) => {
      @Injectable()
      class Elsewhere {
        @CircuitBreaker('search')
        async run(): Promise<void> {}
      }
      // The feature comes first: the order of imports must not matter.
      const { app } = await bootBare({
        imports: [SearchModule, register()],
        providers: [Elsewhere],
      });
      const { breaker, bulkhead, shared } = app.get(Search);
      expect([breaker.name, bulkhead.name, shared.name]).toEqual(['search', 'index', 'catalogue']);
      expect(breaker).toBe(app.get(CircuitBreakerRegistry).get('search'));
      const described = app.get(ResilienceService).describe();
      const all = Object.fromEntries(described.map(({ operation, stages }) => [operation, stages]));
      expect(all['Search.run']).toMatchObject({
        retry: { maxAttempts: 6 },
        circuitBreaker: { name: 'search', failureThreshold: 2 },
        bulkhead: { name: 'index', maxConcurrent: 3 },
        timeout: { timeoutMs: 3 },
      });
      expect(all['Elsewhere.run']?.circuitBreaker?.name).toBe('search');
      expect(all.catalogue).toMatchObject({ circuitBreaker: { name: 'payments' } });
      expect(await app.get(ResilienceService).execute('catalogue', async () => 'ok')).toBe('ok');
    },
  );

  it('without forRoot fails the boot and says what is missing', async () => {
    const error = await rejection(
      bootBare({ imports: [ResilienceModule.forFeature({ retries: { a: {} } })] }),
    );
    expect(error.message).toMatch(/forFeature\(\).*forRoot\(\)/);
  });

  it('with policies but without forRoot says the same', async () => {
    const error = await rejection(bootBare({ imports: [ResilienceModule.forFeature(FEATURE)] }));
    expect(error.message).toMatch(/forFeature\(\).*forRoot\(\)/);
  });

  it.each([
    ['breakers', { breakers: { payments: {} } }],
    ['bulkheads', { bulkheads: { write: {} } }],
    ['retries', { retries: { gentle: {} } }],
    ['timeouts', { timeouts: { payments: { client: 1, gateway: 2, service: 3 } } }],
    ['services', { services: { checkout: {} } }],
  ])('fails the boot where a name in %s is taken', async (kind, feature) => {
    const error = await rejection(
      bootBare({
        imports: [ResilienceModule.forRoot(OPTIONS), ResilienceModule.forFeature(feature)],
      }),
    );
    expect(error.place).toMatch(new RegExp(`^${kind}\\.`));
    expect(error.message).toMatch(/taken|registered already/);
  });

  it('fails the boot where two features give the same name', async () => {
    const error = await rejection(
      bootBare({
        imports: [
          ResilienceModule.forRoot(),
          ResilienceModule.forFeature({ breakers: { search: { failureThreshold: 1 } } }),
          ResilienceModule.forFeature({ breakers: { search: { failureThreshold: 2 } } }),
        ],
      }),
    );
    expect(error.place).toBe('breakers.search');
  });

  it('adds its policies when its module is loaded lazily', async () => {
    const { app } = await boot({}, { breakers: { payments: {} } });
    const loaded = await app.get(LazyModuleLoader).load(() => SearchModule);
    expect(loaded.get(Search).breaker).toBe(app.get(CircuitBreakerRegistry).get('search'));
    const operations = app.get(ResilienceService).describe();
    expect(operations.map(({ operation }) => operation).sort()).toEqual([
      'Search.run',
      'catalogue',
    ]);
    expect(await app.get(ResilienceService).execute('catalogue', async () => 'ok')).toBe('ok');
  });

  it('a lazily loaded module gets the named policies of the root injected', async () => {
    @Injectable()
    class Late {
      constructor(@InjectCircuitBreaker('late') readonly breaker: CircuitBreakerPolicy) {}
    }
    @Module({ providers: [Late] })
    class LateModule {}
    const { app } = await bootBare({
      imports: [ResilienceModule.forRootAsync({ useFactory: () => ({ breakers: { late: {} } }) })],
    });
    const loaded = await app.get(LazyModuleLoader).load(() => LateModule);
    expect(loaded.get(Late).breaker.name).toBe('late');
  });

  it('a lazily loaded module repeats nothing of what boot has told of the others', async () => {
    @Injectable()
    @Retry('gentle')
    class Told {
      helper() {}
      async run(): Promise<void> {}
    }
    const { app, logger } = await boot({ providers: [Told] }, OPTIONS);
    const told = () => logger.records.filter(({ message }) => /Told/.test(String(message)));
    const atBoot = told().length;
    expect(atBoot).toBeGreaterThan(0);
    await app.get(LazyModuleLoader).load(() => SearchModule);
    expect(told()).toHaveLength(atBoot);
  });

  it('a lazily loaded class that is configured wrongly fails the load', async () => {
    @Injectable()
    class Wrong {
      @CircuitBreaker('nobody')
      async run(): Promise<void> {}
    }
    @Module({ providers: [Wrong] })
    class WrongModule {}
    const { app } = await boot({});
    const error = await rejection(app.get(LazyModuleLoader).load(() => WrongModule));
    expect(error.message).toMatch(/Wrong\.run @CircuitBreaker\(\).*"nobody"/);
  });

  it('is known to services and providers of a module that imports it by a global module', async () => {
    @Global()
    @Module({ imports: [ResilienceModule.forFeature({ bulkheads: { shared: {} } })] })
    class Policies {}
    const { app } = await boot({ imports: [Policies] });
    expect(app.get(getBulkheadToken('shared'))).toBe(app.get(BulkheadRegistry).get('shared'));
  });
});

it('A bundle that refers to a breaker and a bulkhead has none under its own name', async () => {
  const services = {
    referring: { circuitBreaker: 'payments', bulkhead: 'write' },
    half: { circuitBreaker: {} },
  };
  const { app } = await boot({}, { ...OPTIONS, services });
  for (const token of [
    getCircuitBreakerToken('referring'),
    getBulkheadToken('referring'),
    getBulkheadToken('half'),
  ])
    expect(() => app.get(token)).toThrow(/could not find/);
  expect(app.get(getCircuitBreakerToken('half'))).toBeInstanceOf(CircuitBreakerPolicy);
});

describe('Names that clash', () => {
  it('an inline breaker whose name is taken fails the boot', async () => {
    @Injectable()
    class Service {
      @CircuitBreaker({})
      async run(): Promise<void> {}
    }
    const error = await rejection(
      boot({ providers: [Service] }, { breakers: { 'Service.run': {} } }),
    );
    expect(error.message).toMatch(
      /Service\.run @CircuitBreaker\(\): the name "Service\.run" is taken/,
    );
  });

  it('an inline bulkhead whose name is taken fails the boot', async () => {
    @Injectable()
    class Service {
      @Bulkhead({})
      async run(): Promise<void> {}
    }
    const error = await rejection(
      boot({ providers: [Service] }, { bulkheads: { 'Service.run': {} } }),
    );
    expect(error.message).toMatch(/Service\.run @Bulkhead\(\): the name "Service\.run" is taken/);
  });

  it("a bundle's inline breaker whose name is taken fails the boot", async () => {
    const error = await rejection(
      boot({}, { breakers: { pay: {} }, services: { pay: { circuitBreaker: {} } } }),
    );
    expect(error.message).toMatch(/services\.pay\.circuitBreaker: the name "pay" is taken/);
  });

  it('two classes of one name with inline policies fail the boot', async () => {
    const declare = () => {
      @Injectable()
      class Twin {
        @CircuitBreaker({})
        async run(): Promise<void> {}
      }
      return Twin;
    };
    const error = await rejection(boot({ providers: [declare(), declare()] }));
    expect(error.message).toContain('Twin.run');
  });
});

describe('The registries', () => {
  it('list what is there, and answer an unknown name with the known ones', async () => {
    const { app } = await boot({}, OPTIONS);
    for (const [registry, kind, names] of [
      [app.get(CircuitBreakerRegistry), 'circuit breaker', ['payments', 'checkout']],
      [app.get(BulkheadRegistry), 'bulkhead', ['write', 'checkout']],
    ] as const) {
      expect(registry.list().map(({ name }) => name)).toEqual(names);
      expect(registry.has(names[0])).toBe(true);
      expect(registry.has('nobody')).toBe(false);
      expect(() => registry.get('nobody')).toThrow(ResilienceConfigurationError);
      expect(() => registry.get('nobody')).toThrow(`known: ${names.join(', ')}`);
      expect(() => registry.get('nobody')).toThrow(kind);
    }
  });

  it('hand out a list that cannot be used to change them', async () => {
    const { app } = await boot({}, OPTIONS);
    app.get(CircuitBreakerRegistry).list().length = 0;
    expect(app.get(CircuitBreakerRegistry).list()).toHaveLength(2);
  });
});

describe('ResilienceService', () => {
  const services = {
    api: {
      upstream: 'api',
      critical: true,
      retry: { maxAttempts: 3, baseDelayMs: 0 },
      circuitBreaker: { failureThreshold: 4 },
    },
    soft: {
      critical: false,
      fallback: (error: unknown) => `instead of ${(error as Error).message}`,
    },
  };

  it('executes under a bundle: attempts are numbered, each with a signal of its own', async () => {
    const { app } = await boot({}, { services, alerts: [] });
    const seen: { attempt: number; signal: AbortSignal }[] = [];
    const result = await app.get(ResilienceService).execute('api', async (context) => {
      const { attempt, signal } = context;
      seen.push({ attempt, signal });
      if (attempt < 3) throw new Error('down');
      return 'up';
    });
    expect(result).toBe('up');
    expect(seen.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    expect(new Set(seen.map(({ signal }) => signal)).size).toBe(3);
    expect(app.get(CircuitBreakerRegistry).get('api').getSnapshot()).toMatchObject({
      failures: 2,
      successes: 1,
    });
  });

  it("uses the bundle's fallback", async () => {
    const { app } = await boot({}, { services });
    const failing = () => Promise.reject(new Error('down'));
    expect(await app.get(ResilienceService).execute<unknown>('soft', failing)).toBe(
      'instead of down',
    );
  });

  it('ends at once with the reason of the signal it is given', async () => {
    const { app } = await boot({}, { services });
    const controller = new AbortController();
    const call = app
      .get(ResilienceService)
      .execute('api', () => new Promise(() => undefined), { signal: controller.signal });
    const reason = new Error('no longer wanted');
    controller.abort(reason);
    await expect(call).rejects.toBe(reason);
  });

  it('rejects an unknown service, listing the known ones', async () => {
    const { app } = await boot({}, { services });
    const call = app.get(ResilienceService).execute('apj', async () => 1);
    await expect(call).rejects.toBeInstanceOf(ResilienceConfigurationError);
    await expect(call).rejects.toThrow(/"apj".*known: api, soft/);
  });

  it('puts together pipelines of its own that share named policies', async () => {
    const breakers = { payments: { failureThreshold: 10 } };
    const { app } = await boot({}, { ...OPTIONS, breakers });
    const service = app.get(ResilienceService);
    const pipeline = service.pipeline({
      name: 'reports',
      circuitBreaker: 'payments',
      bulkhead: { maxConcurrent: 1 },
      retry: 'gentle',
    });
    await expect(pipeline.execute(() => Promise.reject(new Error('down')))).rejects.toThrow('down');
    expect(app.get(CircuitBreakerRegistry).get('payments').getSnapshot().failures).toBe(2);
    expect(app.get(BulkheadRegistry).get('reports').getSnapshot().maxConcurrent).toBe(1);
    const seen: number[] = [];
    let subscriptions = 0;
    await new Promise<void>((resolve, reject) =>
      pipeline
        .observe(() => (++subscriptions === 1 ? throwError(() => new Error('down')) : of(1, 2)))
        .subscribe({ next: (value) => seen.push(value), complete: resolve, error: reject }),
    );
    expect(seen).toEqual([1, 2]);
  });

  it('names pipelines that have no name, and refuses wrong options and taken names', async () => {
    const { app } = await boot({}, OPTIONS);
    const service = app.get(ResilienceService);
    const made = [
      service.pipeline({ circuitBreaker: {} }),
      service.pipeline({ circuitBreaker: {} }),
    ];
    const names = () => service.describe().map(({ operation }) => operation);
    expect(names()).toEqual(expect.arrayContaining(['pipeline-1', 'pipeline-2']));
    expect(app.get(CircuitBreakerRegistry).list()).toHaveLength(4);
    for (const pipeline of made) pipeline.dispose();
    expect(() => service.pipeline({ name: 'payments', circuitBreaker: {} })).toThrow(
      ResilienceConfigurationError,
    );
    expect(() => service.pipeline({ timeoutMs: -1 })).toThrow(/timeoutMs: is -1/);
    expect(() => service.pipeline({ retry: 'nobody' })).toThrow(/"nobody".*known: gentle/);
    expect(() => service.pipeline({ retri: {} } as never)).toThrow(
      /retri: there is no such option/,
    );
  });

  it('describes every operation in the documented shape', async () => {
    @Injectable()
    class Payments {
      @Critical()
      @Upstream('payments-api')
      @Retry('gentle')
      @CircuitBreaker('payments')
      @Timeout('payments.gateway')
      @Bulkhead('write')
      @Fallback('later')
      async charge(): Promise<string> {
        return 'charged';
      }
      @Fallback(function orElse() {
        return 'x';
      })
      async refund(): Promise<string> {
        return 'refunded';
      }
      @Retry({ maxAttempts: 2, budget: false })
      @Hedge(20)
      @Fallback(() => 'nothing')
      async look(): Promise<string> {
        return 'found';
      }
      later(): string {
        return 'later';
      }
    }
    @Controller()
    class Health {
      @Get()
      @Timeout(5)
      async check(): Promise<string> {
        return 'ok';
      }
    }
    const { app } = await boot({ providers: [Payments], controllers: [Health] }, OPTIONS);
    const described = app.get(ResilienceService).describe();
    const gentle = expect.objectContaining({ maxAttempts: 2, baseDelayMs: 0, factor: 2 });
    expect(described.map(({ origins: _origins, ...shape }) => shape)).toEqual([
      {
        operation: 'Payments.charge',
        kind: 'provider',
        critical: true,
        upstream: 'payments-api',
        stages: {
          retry: gentle,
          circuitBreaker: expect.objectContaining({ name: 'payments', failureThreshold: 3 }),
          timeout: { timeoutMs: 50 },
          bulkhead: { name: 'write', maxConcurrent: 4, queueLimit: 100 },
          fallback: { handler: 'later' },
        },
      },
      {
        operation: 'Payments.refund',
        kind: 'provider',
        stages: { fallback: { handler: 'orElse' } },
      },
      {
        operation: 'Payments.look',
        kind: 'provider',
        stages: {
          retry: expect.objectContaining({ maxAttempts: 2, budget: false }),
          hedge: { delayMs: 20, maxHedged: 1 },
          fallback: { handler: 'a function' },
        },
      },
      { operation: 'Health.check', kind: 'handler', stages: { timeout: { timeoutMs: 5 } } },
      {
        operation: 'checkout',
        kind: 'service',
        stages: {
          retry: gentle,
          circuitBreaker: expect.objectContaining({ name: 'checkout' }),
          bulkhead: expect.objectContaining({ name: 'checkout' }),
        },
      },
    ]);
    for (const { stages, origins } of described)
      for (const [stage, options = {}] of Object.entries(stages)) {
        const { name: _name, ...named } = options as { name?: string };
        expect(Object.keys(origins[stage] ?? {})).toEqual(Object.keys(named));
      }
    expect(() => JSON.stringify(described)).not.toThrow();
  });
});

describe('Boot', () => {
  it("logs with bootLog: 'operations' one line for each operation, with what protects it", async () => {
    @Injectable()
    class Payments {
      @Critical()
      @Upstream('payments-api')
      @Retry(4)
      @CircuitBreaker('payments')
      @Timeout(700)
      @Bulkhead('write')
      @Fallback('later')
      async charge(): Promise<void> {}
      @Critical(false)
      @Fallback(() => undefined)
      async rate(): Promise<void> {}
      @Hedge({ delayMs: 20, maxHedged: 2 })
      @Bulkhead({ adaptive: true, minConcurrent: 2, maxConcurrent: 8 })
      async look(): Promise<void> {}
      async later(): Promise<void> {}
    }
    const { logger } = await boot(
      { providers: [Payments] },
      { ...OPTIONS, services: { one: {} }, bootLog: 'operations' },
    );
    expect(logger.messages('log', 'ResilienceModule').slice(1)).toEqual([
      'Payments.charge (provider): upstream payments-api, critical, fallback later, at most 4 attempts, circuit breaker payments, timeout 700 ms, bulkhead write (4)',
      'Payments.rate (provider): nice to have, fallback a function',
      'Payments.look (provider): at most 2 hedged, bulkhead Payments.look (2 to 8, adaptive)',
      'one (service): observed only',
    ]);
    expect(logger.messages('warn')).toEqual([]);
  });

  it('warns where @Retry is inactive, naming the handler and the way out', async () => {
    @Injectable()
    class Unused {}
    @Controller()
    class Orders {
      @Get()
      @Retry()
      async list(): Promise<void> {}
    }
    const { logger } = await boot({ controllers: [Orders], providers: [Unused] });
    expect(logger.messages('warn')).toEqual([]);
  });

  it('rejects wrong options also when NestFactory creates the application', async () => {
    @Module({ imports: [ResilienceModule.forRoot({ alertIntervalMs: -1 })] })
    class Root {}
    const logger = new RecordingLogger();
    const booting = NestFactory.createApplicationContext(Root, { logger, abortOnError: false });
    expect((await rejection(booting)).message).toMatch(/alertIntervalMs: is -1/);
  });
});

describe('app.close() without a grace', () => {
  const shutdown = { graceMs: 0 };

  it('ends a backoff with the last error and starts no attempt', async () => {
    @Injectable()
    class Service {
      calls = 0;
      @Retry({ maxAttempts: 5, baseDelayMs: 60_000, maxDelayMs: 60_000, jitter: 'none' })
      async run(): Promise<string> {
        throw new Error(`down ${++this.calls}`);
      }
    }
    jest.useFakeTimers();
    const { app } = await boot({ providers: [Service] }, { shutdown });
    const service = app.get(Service);
    const call = expect(service.run()).rejects.toThrow('down 1');
    await jest.advanceTimersByTimeAsync(10);
    await app.close();
    await call;
    expect(service.calls).toBe(1);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('rejects queued calls, lets running ones end and lets new ones that need no wait through', async () => {
    @Injectable()
    class Service {
      finish: (value: string) => void = () => undefined;
      @Bulkhead({ maxConcurrent: 1 })
      run(): Promise<string> {
        return new Promise((resolve) => {
          this.finish = resolve;
        });
      }
    }
    const { app } = await boot({ providers: [Service] }, { shutdown });
    const service = app.get(Service);
    const running = service.run();
    const queued = service.run();
    const rejected = expect(queued).rejects.toMatchObject({ reason: 'shutdown' });
    await expect(Promise.race([queued, Promise.resolve('waiting')])).resolves.toBe('waiting');
    await app.close();
    await rejected;
    await expect(queued).rejects.toBeInstanceOf(BulkheadRejectedError);
    await expect(service.run()).rejects.toMatchObject({ reason: 'shutdown' });
    service.finish('done');
    expect(await running).toBe('done');
  });

  it('leaves no timer behind', async () => {
    @Injectable()
    class Service {
      @Timeout(60_000)
      @CircuitBreaker()
      @Bulkhead({ queueTimeoutMs: 60_000 })
      @Retry()
      async run(): Promise<string> {
        return 'ok';
      }
    }
    jest.useFakeTimers();
    const { app } = await boot({ providers: [Service] }, { shutdown });
    await Promise.all(Array.from({ length: 30 }, () => app.get(Service).run()));
    expect(jest.getTimerCount()).toBe(0);
    await app.close();
  });
});
