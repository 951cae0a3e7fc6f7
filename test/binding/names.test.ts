import 'reflect-metadata';
import { Injectable, mixin, type Type } from '@nestjs/common';
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

  it('is advised also where it has no name at all', async () => {
    const Nameless = (() =>
      class {
        async run(): Promise<void> {}
      })();
    Timeout(50)(Nameless);
    expect((await named([Nameless])).warnings).toContain('.run: its class has no name');
  });
});
