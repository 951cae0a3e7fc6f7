import { EventEmitter } from 'node:events';
import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  forwardRef,
  Get,
  Inject,
  Injectable,
  type MiddlewareConsumer,
  Module,
  type NestMiddleware,
  type NestModule,
  type OnModuleInit,
  type Provider,
  Scope,
} from '@nestjs/common';
import { LazyModuleLoader, ModuleRef } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import request from 'supertest';
import { ErrorTracker, ResilienceModule, Retry } from '../../lib/index.js';
import { boot, bootBare, closeAll, Failing, RecordingLogger, runsOf, TWICE } from './support.js';

afterEach(closeAll);

/** How often the method ran for each early call: 2 where the call went through its pipeline. */
class Early extends Failing {
  readonly early: Promise<number>[] = [];
  protected callNow = () => {
    this.early.push(runsOf(this));
  };
}

@Injectable()
class InConstructor extends Early {
  constructor() {
    super();
    this.callNow();
  }
}

@Injectable()
class InInitialiser extends Early {
  readonly first = this.early.push(runsOf(this));
}

@Injectable()
class AMicrotaskLater extends Early {
  constructor() {
    super();
    this.early.push(Promise.resolve().then(() => runsOf(this)));
  }
}

@Injectable()
class InConstructorAndFrozen extends Early {
  private readonly count = { runs: 0 };
  constructor() {
    super();
    this.early.push(this.again().catch(() => this.count.runs));
    Object.freeze(this);
  }
  @Retry(TWICE)
  async again(): Promise<never> {
    this.count.runs++;
    throw new Error('down');
  }
}

const KINDS = [InConstructor, InInitialiser, AMicrotaskLater, InConstructorAndFrozen];

const runsIn = (target: Early) => Promise.all(target.early);

describe.each(KINDS)(
  'A decorated method that its own object calls before it is handed out (%p)',
  (kind) => {
    it('goes through its pipeline on a singleton', async () => {
      const { app, logger } = await boot({ providers: [kind] });
      expect(await runsIn(app.get(kind))).toEqual([2]);
      expect(logger.warnings()).toBe('');
    });

    it('goes through its pipeline on a request-scoped object, at each request', async () => {
      @Injectable({ scope: Scope.REQUEST })
      class PerRequest extends kind {}
      const { app } = await boot({ providers: [PerRequest] });
      for (const target of [await app.resolve(PerRequest), await app.resolve(PerRequest)])
        expect(await runsIn(target)).toEqual([2]);
    });

    it('goes through its pipeline on a transient object of a singleton', async () => {
      @Injectable({ scope: Scope.TRANSIENT })
      class PerConsumer extends kind {}
      @Injectable()
      class Consumer {
        constructor(readonly target: PerConsumer) {}
      }
      const { app } = await boot({ providers: [Consumer, PerConsumer] });
      expect(await runsIn(app.get(Consumer).target)).toEqual([2]);
    });

    it('goes through its pipeline where ModuleRef.create() makes the object', async () => {
      const { app } = await boot({});
      expect(await runsIn(await app.get(ModuleRef).create(kind))).toEqual([2]);
    });

    it('goes through its pipeline in a lazily loaded module', async () => {
      @Module({ providers: [kind] })
      class Lazy {}
      const { app } = await boot({});
      const loaded = await app.get(LazyModuleLoader).load(() => Lazy);
      expect(await runsIn(loaded.get<Early>(kind))).toEqual([2]);
    });

    it('goes through its pipeline at both ends of a circular dependency', async () => {
      @Injectable()
      class Hen extends kind {
        constructor(@Inject(forwardRef(() => Egg)) _other: Early) {
          super();
        }
      }
      @Injectable()
      class Egg extends kind {
        constructor(@Inject(forwardRef(() => Hen)) _other: Early) {
          super();
        }
      }
      const { app } = await boot({ providers: [Hen, Egg] });
      expect(await runsIn(app.get(Hen))).toEqual([2]);
      expect(await runsIn(app.get(Egg))).toEqual([2]);
    });

    it('belongs to the application that makes the object, of two that have its class', async () => {
      const [one, two] = await Promise.all([
        boot({ providers: [kind] }),
        boot({ providers: [kind] }),
      ]);
      expect(await runsIn(two.app.get(kind))).toEqual([2]);
      expect(await runsIn(one.app.get(kind))).toEqual([2]);
      for (const { app } of [one, two]) expect(app.get(ErrorTracker).getMetrics().total).toBe(1);
    });

    it('runs as undecorated on an object made by hand beside the application', async () => {
      await boot({ providers: [kind] });
      expect(await runsIn(new kind())).toEqual([1]);
    });

    it('runs as undecorated in an application without the module, after one with it', async () => {
      const first = await boot({ providers: [kind] });
      await first.app.close();
      const { app } = await bootBare({ providers: [kind] });
      expect(await runsIn(app.get(kind))).toEqual([1]);
    });
  },
);

it('a call in a constructor while another provider of the application is being made belongs to neither by mistake', async () => {
  let byHand = 0;
  @Injectable()
  class Maker {
    constructor() {
      // Not made by Nest, though Nest is making something.
      void runsOf(new Failing()).then((runs) => {
        byHand = runs;
      });
    }
  }
  await boot({ providers: [Maker, Failing] });
  expect(byHand).toBe(1);
});

describe('What code in a constructor has kept of a circular provider, of which Nest makes a second object, goes through its pipeline', () => {
  const bus = new EventEmitter();

  class Keeping extends Failing {
    readonly arrow = () => this.run();
    readonly bound = this.run.bind(this);
    constructor() {
      super();
      bus.on('event', (answer: (runs: Promise<unknown>) => void) => answer(this.counted()));
    }
    /** Of the object that the constructor saw, whichever that was. */
    async counted(): Promise<number> {
      return runsOf(this);
    }
  }

  it.each([
    ['a singleton', undefined],
    ['a request-scoped one', Scope.REQUEST],
  ])('as an arrow function, by bind, and as a listener: %s', async (_kind, scope) => {
    bus.removeAllListeners();
    @Injectable(scope === undefined ? {} : { scope })
    class Hen extends Keeping {
      constructor(@Inject(forwardRef(() => Egg)) readonly egg: Keeping) {
        super();
      }
    }
    @Injectable(scope === undefined ? {} : { scope })
    class Egg extends Keeping {
      constructor(@Inject(forwardRef(() => Hen)) readonly hen: Keeping) {
        super();
      }
    }
    const { app } = await boot({ providers: [Hen, Egg] });
    const tracker = app.get(ErrorTracker);
    for (const target of [await app.resolve(Hen), await app.resolve(Egg)]) {
      for (const call of [target.arrow, target.bound]) {
        tracker.reset();
        await expect(call()).rejects.toThrow('down');
        expect(tracker.getMetrics().requests).toBe(1);
      }
    }
    const heard: Promise<unknown>[] = [];
    bus.emit('event', (runs: Promise<unknown>) => heard.push(runs));
    expect(heard.length).toBeGreaterThanOrEqual(2);
    for (const runs of await Promise.all(heard)) expect(runs).toBe(2);
  });
});

describe("The decorated methods of a factory's result and of a value go through their pipelines from the start", () => {
  const SOURCES: [string, Provider][] = [
    ['a factory', { provide: 'TARGET', useFactory: () => new Failing() }],
    ['an async factory', { provide: 'TARGET', useFactory: async () => new Failing() }],
    [
      'a factory with a dependency',
      { provide: 'TARGET', inject: ['NAME'], useFactory: (_name: string) => new Failing() },
    ],
    ['a value', { provide: 'TARGET', useValue: new Failing() }],
    ['the promise of a value', { provide: 'TARGET', useValue: Promise.resolve(new Failing()) }],
    ['an alias', { provide: 'TARGET', useExisting: 'MADE' }],
  ];
  const OTHERS = [
    { provide: 'NAME', useValue: 'name' },
    { provide: 'MADE', useFactory: () => new Failing() },
  ];

  describe.each(SOURCES)('%s', (_name, source) => {
    it('used by another factory, which is listed before it', async () => {
      const runs = { provide: 'RUNS', inject: ['TARGET'], useFactory: runsOf };
      const { app } = await boot({ providers: [runs, source, ...OTHERS] });
      expect(app.get('RUNS')).toBe(2);
    });

    it('used in a constructor, before the module in the order of imports', async () => {
      @Injectable()
      class Consumer {
        readonly runs: Promise<number>;
        constructor(@Inject('TARGET') target: Failing) {
          this.runs = runsOf(target);
        }
      }
      @Module({ providers: [Consumer, source, ...OTHERS] })
      class Feature {}
      const { app } = await bootBare({ imports: [Feature, ResilienceModule.forRoot()] });
      expect(await app.get(Consumer).runs).toBe(2);
    });

    it('after compile() without init()', async () => {
      const module = await Test.createTestingModule({
        imports: [ResilienceModule.forRoot()],
        providers: [source, ...OTHERS],
      }).compile();
      expect(await runsOf(await module.get('TARGET'))).toBe(2);
    });

    it('in a lazily loaded module, used by a factory of another', async () => {
      @Module({ providers: [source, ...OTHERS], exports: ['TARGET'] })
      class Inner {}
      const runs = { provide: 'RUNS', inject: ['TARGET'], useFactory: runsOf };
      @Module({ imports: [Inner], providers: [runs] })
      class Lazy {}
      const { app } = await boot({});
      const loaded = await app.get(LazyModuleLoader).load(() => Lazy);
      expect(loaded.get('RUNS')).toBe(2);
    });
  });

  it.each([
    ['request', Scope.REQUEST],
    ['transient', Scope.TRANSIENT],
  ])('of another scope (%s), used by the constructor that gets it', async (_kind, scope) => {
    @Injectable({ scope })
    class Consumer {
      readonly runs: Promise<number>;
      constructor(@Inject('TARGET') target: Failing) {
        this.runs = runsOf(target);
      }
    }
    const target = { provide: 'TARGET', scope, useFactory: async () => new Failing() };
    const { app } = await boot({ providers: [Consumer, target] });
    expect(await (await app.resolve(Consumer)).runs).toBe(2);
  });

  it('in their own onModuleInit', async () => {
    const runs: Promise<number>[] = [];
    class Own extends Failing implements OnModuleInit {
      onModuleInit() {
        runs.push(runsOf(this));
      }
    }
    await boot({
      providers: [
        { provide: 'VALUE', useValue: new Own() },
        { provide: 'MADE', useFactory: () => new Own() },
      ],
    });
    expect(await Promise.all(runs)).toEqual([2, 2]);
  });

  it('where a test overrides a class by a value', async () => {
    class Substitute extends Failing {}
    const module = await Test.createTestingModule({
      imports: [ResilienceModule.forRoot()],
      providers: [Failing, { provide: 'RUNS', inject: [Failing], useFactory: runsOf }],
    })
      .overrideProvider(Failing)
      .useValue(new Substitute())
      .compile();
    expect(module.get('RUNS')).toBe(2);
  });
});

it.each([
  ['a singleton', {}],
  ['a request-scoped one', { scope: Scope.REQUEST }],
])('A middleware goes through its pipeline, in its constructor too: %s', async (_kind, scope) => {
  const runs: Promise<number>[] = [];
  @Injectable(scope)
  class Audit extends Failing implements NestMiddleware {
    constructor() {
      super();
      runs.push(runsOf(this));
    }
    async use(_request: unknown, _response: unknown, next: () => void) {
      await runs[0];
      runs.push(runsOf(this));
      await runs[1];
      next();
    }
  }
  @Controller()
  class Home {
    @Get()
    get() {
      return 'home';
    }
  }
  @Module({ controllers: [Home] })
  class Site implements NestModule {
    configure(consumer: MiddlewareConsumer) {
      consumer.apply(Audit).forRoutes(Home);
    }
  }
  const { app, logger } = await boot({ imports: [Site] });
  expect((await request(app.getHttpServer()).get('/')).text).toBe('home');
  expect(await Promise.all(runs)).toEqual([2, 2]);
  expect(logger.warnings()).toBe('');
});

describe('A guard that is handed to the application as an object', () => {
  it('goes through its pipeline', async () => {
    class Guard implements CanActivate {
      calls = 0;
      @Retry({ ...TWICE, idempotent: true })
      async canActivate(_context: ExecutionContext): Promise<boolean> {
        if (++this.calls === 1) throw new Error('down');
        return true;
      }
    }
    @Controller()
    class Home {
      @Get()
      get() {
        return 'home';
      }
    }
    const module = await Test.createTestingModule({
      imports: [ResilienceModule.forRoot()],
      controllers: [Home],
    }).compile();
    const app = module.createNestApplication();
    const guard = new Guard();
    app.useGlobalGuards(guard);
    await app.init();
    expect((await request(app.getHttpServer()).get('/')).text).toBe('home');
    expect(guard.calls).toBe(2);
    await app.close();
  });
});

describe('A call that nothing could protect is told once, with its class and method,', () => {
  it('when its object turns out to be one of the application', async () => {
    const value = new Failing();
    expect([await runsOf(value), await runsOf(value)]).toEqual([1, 1]);
    const make = () => {
      const made = new Failing();
      void runsOf(made);
      return made;
    };
    const logger = new RecordingLogger();
    await Test.createTestingModule({
      imports: [ResilienceModule.forRoot()],
      providers: [
        { provide: 'VALUE', useValue: value },
        { provide: 'MADE', useFactory: make },
      ],
    })
      .setLogger(logger)
      .compile();
    expect(logger.messages('warn', 'ResilienceModule')).toEqual([
      'Failing.run was called before its object belonged to an application: that call ran unprotected',
    ]);
  });
});

describe('In a Nest application without the module', () => {
  const warnings = (logger: RecordingLogger) => logger.messages('warn', 'ResilienceModule');

  it('a decorated class warns at its first call, once, with the way out', async () => {
    @Injectable()
    class Lonely extends Failing {
      @Retry(TWICE)
      async other(): Promise<void> {}
    }
    const { app, logger } = await bootBare({ providers: [Lonely] });
    expect(warnings(logger)).toEqual([]);
    await runsOf(app.get(Lonely));
    await app.get(Lonely).other();
    await runsOf(app.get(Lonely));
    expect(warnings(logger)).toEqual([
      'Lonely.run runs unprotected, and so do the other decorated methods of Lonely: this application has no ResilienceModule; import ResilienceModule.forRoot() in its root module',
    ]);
  });

  it('each class warns for itself, also where each request has an object, and where the constructor calls', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Each extends Failing {}
    @Injectable()
    class Hasty extends InConstructor {}
    const { app, logger } = await bootBare({ providers: [Each, Hasty] });
    for (const target of [await app.resolve(Each), await app.resolve(Each)]) await runsOf(target);
    expect(warnings(logger)).toEqual([
      expect.stringMatching(/^Hasty\.run runs unprotected/),
      expect.stringMatching(/^Each\.run runs unprotected/),
    ]);
  });

  it('objects made by hand stay silent, as in a unit test', async () => {
    class ByHand extends Failing {}
    const { logger } = await bootBare({ providers: [Failing] });
    await runsOf(new ByHand());
    expect(warnings(logger)).toEqual([]);
  });

  it('a class stays silent in an application with the module beside it', async () => {
    @Injectable()
    class Served extends Failing {}
    const { app, logger } = await boot({ providers: [Served] });
    await runsOf(app.get(Served));
    expect(warnings(logger)).toEqual([]);
  });

  it('the module imported as it is fails the boot and says what to write', async () => {
    await expect(bootBare({ imports: [ResilienceModule] })).rejects.toThrow(
      /ResilienceModule: is imported as it is.*import ResilienceModule\.forRoot\(\)/,
    );
  });

  it('the module imported as it is beside forRoot() is no mistake', async () => {
    @Module({ imports: [ResilienceModule], providers: [Failing] })
    class Feature {}
    const { app } = await boot({ imports: [Feature] });
    expect(await runsOf(app.get(Failing))).toBe(2);
  });
});
