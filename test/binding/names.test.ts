import 'reflect-metadata';
import { Injectable, Module, mixin, type Type } from '@nestjs/common';
import { LazyModuleLoader, ModuleRef } from '@nestjs/core';
import {
  Bulkhead,
  CircuitBreaker,
  CircuitBreakerRegistry,
  ErrorTracker,
  InMemoryMetrics,
  Resilience,
  ResilienceConfigurationError,
  type ResilienceModuleOptions,
  type ResilienceOptions,
  ResilienceService,
  Retry,
  Timeout,
} from '../../lib/index.js';
import { boot, closeAll, TWICE } from './support.js';

afterEach(closeAll);

const down = () => Promise.reject(new Error('down'));

/** Boots an application of these classes, and tells what their operations are called. */
async function named(providers: Type<object>[], options?: ResilienceModuleOptions) {
  const { app, logger } = await boot({ providers }, options);
  const operations = app.get(ResilienceService).describe();
  return { app, warnings: logger.warnings(), names: operations.map(({ operation }) => operation) };
}

describe('A name given by @Resilience', () => {
  it('on a method is the whole name of its operation, in metrics and errors too', async () => {
    @Injectable()
    class Payments {
      @Resilience({ name: 'payments:charge' })
      @Retry(TWICE)
      async charge(): Promise<void> {
        await down();
      }
      @Retry(TWICE)
      async refund(): Promise<void> {}
    }
    const { app, names } = await named([Payments]);
    expect(names).toEqual(['payments:charge', 'Payments.refund']);
    await expect(app.get(Payments).charge()).rejects.toThrow('down');
    const tags = { operation: 'payments:charge', outcome: 'failure' };
    expect(app.get(InMemoryMetrics).get('requests.total', tags)).toBe(1);
    expect(app.get(ErrorTracker).getRecentErrors()[0]?.context).toEqual({
      service: 'Payments',
      operation: 'payments:charge',
    });
  });

  it("on a class stands for the class's name, in the names of all its operations and as the service", async () => {
    @Injectable()
    @Resilience({ name: 'billing' })
    @Timeout(1_000)
    class S {
      async get(): Promise<void> {
        await down();
      }
      @Resilience({ name: 'put' })
      async put(): Promise<void> {}
    }
    const { app, names } = await named([S]);
    expect(names.sort()).toEqual(['billing.get', 'put']);
    await expect(app.get(S).get()).rejects.toThrow('down');
    expect(app.get(ErrorTracker).getRecentErrors()[0]?.context).toEqual({
      service: 'billing',
      operation: 'billing.get',
    });
  });

  it('is not inherited by a class that extends a named one', async () => {
    @Resilience({ name: 'base' })
    class Base {
      @Retry(TWICE)
      async run(): Promise<void> {}
    }
    @Injectable()
    class Left extends Base {}
    @Injectable()
    @Resilience({ name: 'right' })
    class Right extends Base {}
    expect((await named([Left, Right])).names).toEqual(['Left.run', 'right.run']);
  });

  it('is followed by what decorators make inline', async () => {
    @Injectable()
    @Resilience({ name: 'billing' })
    class S {
      @CircuitBreaker({})
      @Bulkhead({})
      async get(): Promise<void> {}
      @Resilience({ name: 'whole' })
      @CircuitBreaker({})
      async put(): Promise<void> {}
    }
    const { app } = await named([S]);
    const breakers = app.get(CircuitBreakerRegistry).list();
    expect(breakers.map(({ name }) => name)).toEqual(['billing.get', 'whole']);
    const [first] = app.get(ResilienceService).describe();
    expect(first?.stages.bulkhead).toMatchObject({ name: 'billing.get' });
  });

  it('goes with a bundle, in one decorator', async () => {
    @Injectable()
    class Geo {
      @Resilience({ name: 'locate', service: 'geo' })
      async find(): Promise<void> {}
    }
    const { app, names } = await named([Geo], { services: { geo: { timeoutMs: 50 } } });
    expect(names).toEqual(['locate', 'geo']);
    const [locate] = app.get(ResilienceService).describe();
    expect(locate?.stages).toEqual({ timeout: { timeoutMs: 50 } });
  });

  it('is kept by an operation that a derived class calls by super, and by those beside it', async () => {
    class Base {
      @Resilience({ name: 'base run' })
      @Retry(TWICE)
      async run(): Promise<void> {
        await down();
      }
      @Resilience({ name: 'other' })
      @Retry(TWICE)
      async other(): Promise<void> {}
    }
    @Injectable()
    class Child extends Base {
      @Retry(TWICE)
      override async run(): Promise<void> {
        await super.run();
      }
    }
    const { app, names } = await named([Child]);
    expect(names.sort()).toEqual(['Child.run', 'other']);
    await expect(app.get(Child).run()).rejects.toThrow('down');
    const operations = app.get(ResilienceService).describe();
    expect(operations.map(({ operation }) => operation).sort()).toEqual([
      'Child.run',
      'base run',
      'other',
    ]);
  });

  it.each<[string, unknown, RegExp]>([
    ['an empty name', { name: ' ' }, /Service\.run @Resilience\(\)\.name: is " "; allowed: a non/],
    ['a name that is no text', { name: 7 }, /Service\.run @Resilience\(\)\.name: is 7; allowed/],
    ['an option that there is not', { nam: 'x' }, /Service\.run @Resilience\(\)\.nam: there is no/],
    [
      'an unknown bundle',
      { service: 'x' },
      /Service\.run @Resilience\(\): there is no service "x"/,
    ],
    ['something else', 7, /Service\.run @Resilience\(\): is 7; allowed/],
    ['nothing', undefined, /Service\.run @Resilience\(\): is undefined; allowed/],
  ])('fails the boot where it is %s', async (_what, argument, message) => {
    @Injectable()
    class Service {
      @Resilience(argument as ResilienceOptions)
      async run(): Promise<void> {}
    }
    const booting = boot({ providers: [Service] });
    await expect(booting).rejects.toBeInstanceOf(ResilienceConfigurationError);
    await expect(booting).rejects.toThrow(message);
  });
});

describe('A class whose name is made up at each start', () => {
  const roleGuard = (name?: string) => {
    class RoleGuard {
      @Retry(TWICE)
      async check(): Promise<void> {}
    }
    if (name !== undefined) Resilience({ name })(RoleGuard);
    return mixin(RoleGuard);
  };

  it('is advised to have a name of its own', async () => {
    const guard = roleGuard();
    const { warnings } = await named([guard]);
    expect(warnings).toContain(`${guard.name}.check: its class's name is a random one`);
    expect(warnings).toContain("@Resilience({ name: 'RoleGuard' })");
  });

  it('has that name, and no advice, where it is given one', async () => {
    const { names, warnings } = await named([roleGuard('RoleGuard(admin)')]);
    expect(names).toEqual(['RoleGuard(admin).check']);
    expect(warnings).toBe('');
  });

  it('is not advised where each method has a whole name', async () => {
    class Guard {
      @Resilience({ name: 'check' })
      async check(): Promise<void> {}
    }
    expect((await named([mixin(Guard)])).warnings).toBe('');
  });

  it('is told from names that a developer writes, though they have digits or hexadecimal letters', async () => {
    const warningsOf = async (name: string) => {
      const { [name]: type } = {
        [name]: class {
          async run(): Promise<void> {}
        },
      };
      Timeout(50)(type as Type<object>);
      return (await named([type as Type<object>])).warnings;
    };
    for (const name of ['Sha256Checksum', 'abcdefabcdefabcdef', 'Order12345678901', 'Feed0facade'])
      expect(await warningsOf(name)).toBe('');
    for (const name of ['1a2b3c4d5e6f', 'abcdef012345', 'aB1cD2eF3aB4cD5'])
      expect(await warningsOf(name)).toContain(`${name}.run: its class's name is a random one`);
  });

  it('is advised also where it has no name at all', async () => {
    const Nameless = (() =>
      class {
        async run(): Promise<void> {}
      })();
    Timeout(50)(Nameless);
    expect((await named([Nameless])).warnings).toBe(
      ".run: its class has no name; give the class a name of its own, @Resilience({ name: 'RoleGuard' }) for instance",
    );
  });
});

describe('Two operations never have one name', () => {
  const first = () => {
    @Injectable()
    class s {
      @Retry(TWICE)
      async get(): Promise<void> {}
    }
    return s;
  };
  const second = () => {
    @Injectable()
    class s {
      @CircuitBreaker({})
      async get(): Promise<void> {}
    }
    return s;
  };

  it('so classes of one name, as a bundler makes them, fail the boot with both places and what to do', async () => {
    @Module({ providers: [first()] })
    class BillingModule {}
    @Module({ providers: [second()] })
    class AdminModule {}
    const booting = boot({ imports: [BillingModule, AdminModule] });
    await expect(booting).rejects.toBeInstanceOf(ResilienceConfigurationError);
    await expect(booting).rejects.toThrow(
      /^s\.get: the operation name "s\.get" is taken by another class that is called s \(provided in BillingModule; this one in AdminModule\)/,
    );
    await expect(booting).rejects.toThrow(
      /minified the names.*terser and SWC: keep_classnames, esbuild: keepNames.*@Resilience\(\{ name: /,
    );
  });

  it('and each boots where one of them is given a name', async () => {
    const Named = second();
    Resilience({ name: 'admin' })(Named);
    expect((await named([first(), Named])).names).toEqual(['s.get', 'admin.get']);
  });

  it('while one class that two modules provide is one', async () => {
    const Shared = first();
    @Module({ providers: [Shared] })
    class BillingModule {}
    @Module({ providers: [Shared, { provide: 'again', useClass: Shared }] })
    class AdminModule {}
    const { app } = await boot({ imports: [BillingModule, AdminModule] });
    expect(app.get(ResilienceService).describe()).toHaveLength(1);
  });

  it('and classes of one name that share no method name are told apart', async () => {
    const Other = (() => {
      class s {
        @Retry(TWICE)
        async put(): Promise<void> {}
      }
      return s;
    })();
    expect((await named([first(), Other])).names).toEqual(['s.get', 's.put']);
  });

  it('nor by names that were given', async () => {
    class Left {
      @Resilience({ name: 'run' })
      async run(): Promise<void> {}
    }
    class Right {
      @Resilience({ name: 'run' })
      async go(): Promise<void> {}
    }
    await expect(named([Left, Right])).rejects.toThrow(
      'Right.go: the operation name "run" is taken by Left.run, and metrics and errors would take the two for one; allowed: a name of its own, by @Resilience({ name: \'…\' }) on a method or a class, or in the options of a pipeline',
    );
  });

  it('nor by a name that is given like that of a class, whichever of the two is met first', async () => {
    const Named = second();
    Resilience({ name: 's' })(Named);
    class Other {
      @Retry(TWICE)
      async get(): Promise<void> {}
    }
    Resilience({ name: 's' })(Other);
    const text = (providers: Type<object>[]) =>
      named(providers).then(
        () => 'booted',
        (error: Error) => error.message,
      );
    expect(await text([first(), Other])).toMatch(/^Other\.get: .* is taken by s\.get, and metrics/);
    expect(await text([Other, first()])).toMatch(/^s\.get: .* is taken by Other\.get, and metrics/);
    expect(await text([first(), Named])).toMatch(
      'is taken by another class that is called s (provided in RootTestModule; this one in RootTestModule)',
    );
  });

  it('nor two symbols of one description', async () => {
    const [one, two] = [Symbol('find'), Symbol('find')];
    class Repository {
      @Retry(TWICE)
      async [one](): Promise<void> {}
      @Retry(TWICE)
      async [two](): Promise<void> {}
    }
    await expect(named([Repository])).rejects.toThrow(
      'the operation name "Repository.Symbol(find)" is taken by Repository.Symbol(find)',
    );
  });

  it('nor a method and a bundle', async () => {
    class Payments {
      @Resilience({ name: 'payments', service: 'payments' })
      async charge(): Promise<void> {}
    }
    await expect(named([Payments], { services: { payments: {} } })).rejects.toThrow(
      'Payments.charge: the operation name "payments" is taken by a bundle in services',
    );
  });

  it('nor a pipeline and anything else, while a pipeline can be made again', async () => {
    const { app } = await named([first()], { services: { geo: {} } });
    const service = app.get(ResilienceService);
    expect(() => service.pipeline({ name: 'geo' })).toThrow(
      'a pipeline: the operation name "geo" is taken by a bundle in services',
    );
    expect(() => service.pipeline({ name: 's.get' })).toThrow('is taken by s.get');
    service.pipeline({ name: 'import' });
    service.pipeline({ name: 'import' });
  });

  it('nor a class that is loaded lazily', async () => {
    const { app } = await named([first()]);
    @Module({ providers: [second()] })
    class SameClass {}
    await expect(app.get(LazyModuleLoader).load(() => SameClass)).rejects.toThrow(
      'this one in SameClass',
    );
  });

  it('nor a pipeline and a class that is loaded lazily', async () => {
    const { app } = await named([]);
    app.get(ResilienceService).pipeline({ name: 'Later.run' });
    class Later {
      @Retry(TWICE)
      async run(): Promise<void> {}
    }
    @Module({ providers: [Later] })
    class SamePipeline {}
    await expect(app.get(LazyModuleLoader).load(() => SamePipeline)).rejects.toThrow(
      'Later.run: the operation name "Later.run" is taken by a pipeline',
    );
  });

  it('nor a class that the application meets at a call', async () => {
    const { app } = await named([first()]);
    const late = await app.resolve(ModuleRef).then((modules) => modules.create(second()));
    await expect(late.get()).rejects.toThrow('is taken by another class that is called s');
  });
});
