import {
  Controller,
  forwardRef,
  Get,
  Global,
  Inject,
  Injectable,
  Module,
  type OnApplicationBootstrap,
  type OnModuleInit,
  Scope,
} from '@nestjs/common';
import {
  ContextIdFactory,
  type ContextIdStrategy,
  LazyModuleLoader,
  ModuleRef,
  NestFactory,
} from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { Observable, of } from 'rxjs';
import request from 'supertest';
import {
  CircuitBreaker,
  ErrorTracker,
  ResilienceModule,
  ResilienceService,
  Retry,
} from '../../lib/index.js';
import {
  boot,
  bootBare,
  closeAll,
  Failing,
  RecordingLogger,
  runsOf,
  TWICE,
  track,
} from './support.js';

afterEach(closeAll);

@Injectable()
class Singleton extends Failing {}

@Injectable({ scope: Scope.REQUEST })
class PerRequest extends Failing {}

@Injectable({ scope: Scope.TRANSIENT })
class PerConsumer extends Failing {}

const REGISTRATIONS = [
  ['forRoot', () => ResilienceModule.forRoot()],
  ['forRootAsync', () => ResilienceModule.forRootAsync({ useFactory: async () => ({}) })],
] as const;

describe('A decorated method that is called while the application starts', () => {
  it("goes through its pipeline in another provider's constructor", async () => {
    @Injectable()
    class Consumer {
      readonly result: Promise<number>;
      constructor(target: Singleton) {
        this.result = runsOf(target);
      }
    }
    const { app } = await boot({ providers: [Consumer, Singleton] });
    expect(await app.get(Consumer).result).toBe(2);
  });

  it('goes through its pipeline in an async factory', async () => {
    const factory = { provide: 'RUNS', inject: [Singleton], useFactory: runsOf };
    const { app } = await boot({ providers: [factory, Singleton] });
    expect(app.get('RUNS')).toBe(2);
  });

  describe.each(REGISTRATIONS)('with %s', (_name, register) => {
    it('goes through its pipeline in onModuleInit of the root, a leaf, a global module and its own class', async () => {
      const runs: Record<string, number> = {};
      @Injectable()
      class Own extends Failing implements OnModuleInit {
        async onModuleInit() {
          runs.own = await runsOf(this);
        }
      }
      @Module({ providers: [Singleton], exports: [Singleton] })
      class TargetModule {}
      @Module({ imports: [TargetModule] })
      class Leaf implements OnModuleInit {
        constructor(private readonly target: Singleton) {}
        async onModuleInit() {
          runs.leaf = await runsOf(this.target);
        }
      }
      @Global()
      @Module({ imports: [TargetModule] })
      class Everywhere implements OnModuleInit {
        constructor(private readonly target: Singleton) {}
        async onModuleInit() {
          runs.global = await runsOf(this.target);
        }
      }
      @Module({ imports: [Everywhere, Leaf, TargetModule, register()], providers: [Own] })
      class Root implements OnModuleInit {
        constructor(private readonly target: Singleton) {}
        async onModuleInit() {
          runs.root = await runsOf(this.target);
        }
      }
      await bootBare({ imports: [Root] });
      expect(runs).toEqual({ own: 2, leaf: 2, global: 2, root: 2 });
    });

    it('goes through its pipeline in onApplicationBootstrap', async () => {
      let runs = 0;
      @Injectable()
      class Consumer implements OnApplicationBootstrap {
        constructor(private readonly target: Singleton) {}
        async onApplicationBootstrap() {
          runs = await runsOf(this.target);
        }
      }
      await bootBare({ imports: [register()], providers: [Consumer, Singleton] });
      expect(runs).toBe(2);
    });
  });

  it('runs undecorated, and warns once, before the options of forRootAsync are known', async () => {
    let runs: number[] = [];
    const { app, logger } = await bootBare({
      imports: [
        ResilienceModule.forRootAsync({
          imports: [{ module: class Source {}, providers: [Singleton], exports: [Singleton] }],
          inject: [Singleton],
          useFactory: async (target: Singleton) => {
            runs = [await runsOf(target), await runsOf(target)];
            return {};
          },
        }),
      ],
    });
    expect(runs).toEqual([1, 1]);
    const early = logger.messages('warn').filter((text) => /before the options/.test(String(text)));
    expect(early).toHaveLength(1);
    expect(early[0]).toContain('Singleton.run');
    expect(await runsOf(app.get(Singleton, { strict: false }))).toBe(2);
  });
});

describe('A decorated method goes through its pipeline, once a call, on', () => {
  it('a singleton, with its own `this` and its arguments on each attempt', async () => {
    const { app } = await boot({ providers: [Singleton] });
    const target = app.get(Singleton);
    expect(await runsOf(target, 'a', 1)).toBe(2);
    expect(target.seen).toEqual([
      ['a', 1],
      ['a', 1],
    ]);
  });

  it('a request-scoped provider, each instance by itself', async () => {
    const { app } = await boot({ providers: [PerRequest] });
    const [first, second] = [await app.resolve(PerRequest), await app.resolve(PerRequest)];
    expect(await runsOf(first)).toBe(2);
    expect(first).not.toBe(second);
    expect(second.calls).toBe(0);
  });

  it('a durable provider', async () => {
    @Injectable({ scope: Scope.REQUEST, durable: true })
    class PerTenant extends Failing {}
    @Controller()
    class Tenants {
      constructor(private readonly target: PerTenant) {}
      @Get()
      async get() {
        return { runs: await runsOf(this.target), calls: this.target.calls };
      }
    }
    const tenant = ContextIdFactory.create();
    const strategy: ContextIdStrategy = {
      attach: (own) => (info) => (info.isTreeDurable ? tenant : own),
    };
    ContextIdFactory.apply(strategy);
    try {
      const { app } = await boot({ providers: [PerTenant], controllers: [Tenants] });
      expect((await request(app.getHttpServer()).get('/')).body).toEqual({ runs: 2, calls: 2 });
      expect((await request(app.getHttpServer()).get('/')).body).toEqual({ runs: 2, calls: 4 });
    } finally {
      ContextIdFactory.apply({ attach: (own) => () => own });
    }
  });

  it('a provider that became request-scoped by what it depends on', async () => {
    @Injectable()
    class Bubbled extends Failing {
      constructor(readonly inner: PerRequest) {
        super();
      }
    }
    const { app } = await boot({ providers: [Bubbled, PerRequest] });
    const target = await app.resolve(Bubbled);
    expect(await runsOf(target)).toBe(2);
    expect(await runsOf(target.inner)).toBe(2);
  });

  it('a transient provider in a singleton', async () => {
    @Injectable()
    class Consumer {
      constructor(readonly target: PerConsumer) {}
    }
    const { app } = await boot({ providers: [Consumer, PerConsumer] });
    expect(await runsOf(app.get(Consumer).target)).toBe(2);
  });

  it('a transient provider that is resolved', async () => {
    const { app } = await boot({ providers: [PerConsumer] });
    expect(await runsOf(await app.resolve(PerConsumer))).toBe(2);
  });

  it.each([
    ['sync', () => new Failing()],
    ['async', async () => new Failing()],
  ])('the result of a useFactory provider (%s)', async (_kind, useFactory) => {
    const { app } = await boot({ providers: [{ provide: 'TARGET', useFactory }] });
    expect(await runsOf(app.get('TARGET'))).toBe(2);
  });

  it.each([
    ['request', Scope.REQUEST, () => new Failing()],
    ['request, async', Scope.REQUEST, async () => new Failing()],
    ['transient', Scope.TRANSIENT, () => new Failing()],
    ['transient, async', Scope.TRANSIENT, async () => new Failing()],
  ])(
    'every result of a useFactory provider of another scope (%s)',
    async (_kind, scope, useFactory) => {
      const { app } = await boot({ providers: [{ provide: 'TARGET', scope, useFactory }] });
      const targets = [await app.resolve<Failing>('TARGET'), await app.resolve<Failing>('TARGET')];
      expect(targets[0]).not.toBe(targets[1]);
      for (const target of targets) expect(await runsOf(target)).toBe(2);
    },
  );

  it('the results of a transient factory that singletons consume', async () => {
    @Injectable()
    class Consumer {
      constructor(@Inject('TARGET') readonly target: Failing) {}
    }
    const target = { provide: 'TARGET', scope: Scope.TRANSIENT, useFactory: () => new Failing() };
    const { app } = await boot({ providers: [Consumer, target] });
    expect(await runsOf(app.get(Consumer).target)).toBe(2);
  });

  it('a useValue provider', async () => {
    const { app } = await boot({ providers: [{ provide: 'TARGET', useValue: new Failing() }] });
    expect(await runsOf(app.get('TARGET'))).toBe(2);
  });

  it('a class behind the token of another (useClass)', async () => {
    abstract class Port extends Failing {}
    const { app } = await boot({ providers: [{ provide: Port, useClass: Singleton }] });
    expect(await runsOf(app.get(Port))).toBe(2);
    expect(app.get(ResilienceService).describe()[0]?.operation).toBe('Singleton.run');
  });

  it('an alias (useExisting)', async () => {
    const { app } = await boot({
      providers: [Singleton, { provide: 'ALIAS', useExisting: Singleton }],
    });
    expect(await runsOf(app.get('ALIAS'))).toBe(2);
  });

  it('one class that two modules provide, with one operation', async () => {
    @Module({ providers: [Singleton] })
    class One {}
    @Module({ providers: [Singleton] })
    class Two {}
    const { app } = await boot({ imports: [One, Two] });
    const [first, second] = [One, Two].map((module) =>
      app.select(module).get(Singleton, { strict: true }),
    );
    expect(first).not.toBe(second);
    expect(await runsOf(first as Failing)).toBe(2);
    expect(await runsOf(second as Failing)).toBe(2);
    expect(app.get(ResilienceService).describe()).toHaveLength(1);
  });

  it('the instances of lazily loaded modules, of classes and of factories', async () => {
    class Made extends Failing {}
    @Module({ providers: [Singleton, { provide: 'MADE', useFactory: () => new Made() }] })
    class Lazy {}
    const { app, logger } = await boot({});
    const loaded = await app.get(LazyModuleLoader).load(() => Lazy);
    expect(await runsOf(loaded.get(Singleton))).toBe(2);
    expect(await runsOf(loaded.get('MADE'))).toBe(2);
    expect(logger.messages('log', 'ResilienceModule').join('\n')).toMatch(/Singleton\.run/);
    expect(
      app
        .get(ResilienceService)
        .describe()
        .map(({ operation }) => operation),
    ).toEqual(['Singleton.run', 'Made.run']);
  });

  it('what ModuleRef.create() makes', async () => {
    const { app } = await boot({});
    expect(await runsOf(await app.get(ModuleRef).create(Singleton))).toBe(2);
  });

  it('both ends of a circular dependency', async () => {
    // The types are wider than the classes, because a class cannot be named before it is declared.
    @Injectable()
    class Hen extends Failing {
      constructor(@Inject(forwardRef(() => Egg)) readonly egg: Failing) {
        super();
      }
    }
    @Injectable()
    class Egg extends Failing {
      constructor(@Inject(forwardRef(() => Hen)) readonly hen: Failing) {
        super();
      }
    }
    const { app } = await boot({ providers: [Hen, Egg] });
    expect(app.get(Egg).hen).toBe(app.get(Hen));
    expect(await runsOf(app.get(Hen).egg)).toBe(2);
    expect(await runsOf(app.get(Egg).hen)).toBe(2);
  });

  it('an instance that freezes itself, in every scope', async () => {
    let calls = 0;
    class Frozen {
      constructor() {
        Object.freeze(this);
      }
      @Retry(TWICE)
      async run(): Promise<never> {
        calls++;
        throw new Error('down');
      }
    }
    @Injectable()
    class One extends Frozen {}
    @Injectable({ scope: Scope.REQUEST })
    class Each extends Frozen {}
    const { app } = await boot({
      providers: [One, Each, { provide: 'VALUE', useValue: new Frozen() }],
    });
    for (const target of [app.get(One), await app.resolve(Each), app.get<Frozen>('VALUE')]) {
      calls = 0;
      await expect(target.run()).rejects.toThrow('down');
      expect(calls).toBe(2);
    }
  });
});

describe('A class that is wrong, and that the application first meets when it makes an object of it,', () => {
  @Injectable()
  class Wrong {
    @CircuitBreaker('nobody')
    async promise(): Promise<void> {}
    @CircuitBreaker('nobody')
    stream(): Observable<number> {
      return of(1);
    }
  }

  it('rejects the caller of an async method, and throws at who would not look at a Promise', async () => {
    const { app } = await boot({});
    const wrong = await app.get(ModuleRef).create(Wrong);
    for (let call = 1; call <= 2; call++) {
      await expect(wrong.promise()).rejects.toThrow(/Wrong\.promise @CircuitBreaker.*"nobody"/);
      expect(() => wrong.stream()).toThrow(/Wrong\.promise @CircuitBreaker.*"nobody"/);
    }
  });
});

it('A provider that does not want to be looked at is left alone', async () => {
  const shy = new Proxy(
    {},
    {
      has() {
        throw new Error('not your business');
      },
    },
  );
  const { app } = await boot({ providers: [Singleton, { provide: 'SHY', useValue: shy }] });
  expect(app.get('SHY')).toBe(shy);
  expect(await runsOf(app.get(Singleton))).toBe(2);
});

describe('Classes outside an application with the module behave as undecorated', () => {
  it('when they are made by hand', async () => {
    const target = new Singleton();
    expect(await runsOf(target, 1)).toBe(1);
    expect(target.seen).toEqual([[1]]);
  });

  it('when they are made by hand beside a running application', async () => {
    await boot({ providers: [Singleton] });
    expect(await runsOf(new Singleton())).toBe(1);
  });

  it('in an application without the module', async () => {
    const { app } = await bootBare({ providers: [Singleton, PerRequest] });
    expect(await runsOf(app.get(Singleton))).toBe(1);
    expect(await runsOf(await app.resolve(PerRequest))).toBe(1);
  });

  it.each([
    ['a function', () => () => undefined],
    ['an object', () => ({})],
    [
      // Auto-mocking libraries answer every property with another mock.
      'a proxy that has everything',
      () => {
        const get = (_: unknown, key: unknown) => (key === 'then' ? undefined : mock);
        const mock: object = new Proxy(() => mock, { get });
        return mock;
      },
    ],
  ])('where an auto-mocking injector puts %s in the place of the runtime', async (_what, mock) => {
    const module = await Test.createTestingModule({ providers: [Singleton] })
      .useMocker(mock)
      .compile();
    expect(await runsOf(module.get(Singleton))).toBe(1);
  });

  it('leave no trace that enumeration, JSON or equality would show', async () => {
    const { app } = await boot({ providers: [Singleton] });
    const target = app.get(Singleton);
    expect(Object.keys(target)).toEqual(['calls', 'seen']);
    expect(JSON.stringify(target)).toBe('{"calls":0,"seen":[]}');
    expect(target).toEqual(new Singleton());
  });
});

describe('Two applications in one process', () => {
  @Injectable()
  class Guarded {
    calls = 0;
    @Retry(TWICE)
    async run(): Promise<never> {
      this.calls++;
      throw new Error('down');
    }
  }
  @Injectable({ scope: Scope.REQUEST })
  class GuardedPerRequest extends Guarded {}

  it.each([
    ['singletons', (app: { get: (type: typeof Guarded) => Guarded }) => app.get(Guarded)],
    [
      'request-scoped providers',
      (app: { resolve: (type: typeof GuardedPerRequest) => Promise<Guarded> }) =>
        app.resolve(GuardedPerRequest),
    ],
  ])('share nothing: %s', async (_kind, find) => {
    const providers = [Guarded, GuardedPerRequest];
    const [one, two] = [await boot({ providers }), await boot({ providers })];
    const target = await find(one.app);
    await expect(target.run()).rejects.toThrow('down');
    expect(target.calls).toBe(2);
    expect(one.app.get(ErrorTracker).getMetrics().total).toBe(1);
    expect(two.app.get(ErrorTracker).getMetrics().requests).toBe(0);
  });

  it('with different options for the same name each follow their own', async () => {
    @Injectable()
    class Named {
      calls = 0;
      @Retry('shared')
      async run(): Promise<never> {
        this.calls++;
        throw new Error('down');
      }
    }
    const calls = [];
    for (const maxAttempts of [2, 4]) {
      const retries = { shared: { maxAttempts, baseDelayMs: 0 } };
      const { app } = await boot({ providers: [Named] }, { retries });
      await expect(app.get(Named).run()).rejects.toThrow('down');
      calls.push(app.get(Named).calls);
    }
    expect(calls).toEqual([2, 4]);
  });

  it('leave the first working when the second has closed', async () => {
    const first = await boot({ providers: [Singleton, PerRequest] });
    const second = await boot({ providers: [Singleton, PerRequest] });
    await second.app.close();
    expect(await runsOf(first.app.get(Singleton))).toBe(2);
    expect(await runsOf(await first.app.resolve(PerRequest))).toBe(2);
  });

  it('one with the module and one without stay apart', async () => {
    const without = await bootBare({ providers: [Singleton] });
    const { app } = await boot({ providers: [Singleton] });
    expect(await runsOf(app.get(Singleton))).toBe(2);
    expect(await runsOf(without.app.get(Singleton))).toBe(1);
  });
});

it('Decorated providers work in NestFactory.createApplicationContext() too', async () => {
  @Module({ imports: [ResilienceModule.forRoot()], providers: [Singleton, PerConsumer] })
  class Root {}
  const logger = new RecordingLogger();
  const app = track(await NestFactory.createApplicationContext(Root, { logger }));
  expect(await runsOf(app.get(Singleton))).toBe(2);
  expect(await runsOf(await app.resolve(PerConsumer))).toBe(2);
});
