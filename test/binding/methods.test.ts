import 'reflect-metadata';
import { Injectable, SetMetadata } from '@nestjs/common';
import { firstValueFrom, lastValueFrom, Observable, of, throwError, toArray } from 'rxjs';
import {
  Bulkhead,
  CircuitBreaker,
  CircuitBreakerRegistry,
  Critical,
  Fallback,
  Resilience,
  ResilienceConfigurationError,
  type ResilienceModuleOptions,
  ResilienceService,
  Retry,
  Timeout,
  TimeoutError,
  Upstream,
} from '../../lib/index.js';
import { boot, closeAll, Failing, runsOf, TWICE } from './support.js';

afterEach(closeAll);

type Newable<T> = new (...args: never[]) => T;

/** An instance of the class in an application of its own. */
async function inApp<T>(type: Newable<T>, options?: ResilienceModuleOptions): Promise<T> {
  const { app } = await boot({ providers: [type as Newable<object>] }, options);
  return app.get(type);
}

/** The resolved stages of an operation. */
async function stagesOf(type: Newable<object>, options?: ResilienceModuleOptions) {
  const { app, logger } = await boot({ providers: [type] }, options);
  const operations = app.get(ResilienceService).describe();
  const stages = Object.fromEntries(operations.map((each) => [each.operation, each]));
  return { stages, logger, app };
}

const down = () => Promise.reject(new Error('down'));

describe('The pipeline runs once a call', () => {
  it('for a call by `this` from another method, decorated or not', async () => {
    @Injectable()
    class Service extends Failing {
      plain() {
        return this.run();
      }
      @Retry(TWICE)
      async decorated(): Promise<never> {
        return this.run();
      }
    }
    const target = await inApp(Service);
    await expect(target.plain()).rejects.toThrow('down');
    expect(target.calls).toBe(2);
    await expect(target.decorated()).rejects.toThrow('down');
    expect(target.calls).toBe(2 + 2); // two operations, but only the inner one retries
  });

  it('for a method that is private to TypeScript', async () => {
    @Injectable()
    class Service {
      calls = 0;
      go() {
        return this.secret();
      }
      @Retry(TWICE)
      private async secret(): Promise<never> {
        this.calls++;
        throw new Error('down');
      }
    }
    const target = await inApp(Service);
    await expect(target.go()).rejects.toThrow('down');
    expect(target.calls).toBe(2);
  });

  it('for a method that a class inherits, under the name of the class that Nest made', async () => {
    @Injectable()
    class Child extends Failing {}
    @Injectable()
    class GrandChild extends Child {}
    const { app } = await boot({ providers: [Child, GrandChild] });
    expect(await runsOf(app.get(Child))).toBe(2);
    expect(await runsOf(app.get(GrandChild))).toBe(2);
    const operations = app.get(ResilienceService).describe();
    expect(operations.map(({ operation }) => operation)).toEqual(['Child.run', 'GrandChild.run']);
  });

  it('for siblings, each with the inline breaker of its own class', async () => {
    class Base {
      @CircuitBreaker({ failureThreshold: 1 })
      async run(): Promise<string> {
        return down();
      }
    }
    @Injectable()
    class Left extends Base {}
    @Injectable()
    class Right extends Base {}
    const { app } = await boot({ providers: [Left, Right] });
    await expect(app.get(Left).run()).rejects.toThrow('down');
    await expect(app.get(Left).run()).rejects.toThrow('"Left.run" is open');
    await expect(app.get(Right).run()).rejects.toThrow('down');
  });

  it('for an undecorated override that calls super: as the operation of the base class', async () => {
    @Injectable()
    class Child extends Failing {
      overrides = 0;
      override async run(...args: unknown[]): Promise<never> {
        this.overrides++;
        return super.run(...args);
      }
    }
    const target = await inApp(Child);
    expect(await runsOf(target)).toBe(2);
    expect(target.overrides).toBe(1);
  });

  it('for a decorated override that calls a decorated super, each once', async () => {
    @Injectable()
    class Child extends Failing {
      overrides = 0;
      @Retry({ maxAttempts: 3, baseDelayMs: 0 })
      override async run(...args: unknown[]): Promise<never> {
        this.overrides++;
        return super.run(...args);
      }
    }
    const target = await inApp(Child);
    expect(await runsOf(target)).toBe(2); // the inner one retries, and so the outer one does not
    expect(target.overrides).toBe(1);
  });

  it('for a symbol-keyed method that uses a #private field', async () => {
    const key = Symbol('fetch');
    @Injectable()
    class Service {
      #calls = 0;
      get calls() {
        return this.#calls;
      }
      @Retry(TWICE)
      async [key](): Promise<never> {
        this.#calls++;
        throw new Error('down');
      }
    }
    const target = await inApp(Service);
    await expect(target[key]()).rejects.toThrow('down');
    expect(target.calls).toBe(2);
  });

  it('for an async generator: it retries up to the first value and keeps what follows', async () => {
    @Injectable()
    class Service {
      calls = 0;
      @Retry(TWICE)
      async *values(count: number): AsyncGenerator<number> {
        if (++this.calls === 1) throw new Error('down');
        for (let n = 1; n <= count; n++) yield n;
      }
    }
    const target = await inApp(Service as never as Newable<Service>);
    const seen: number[] = [];
    for await (const value of target.values(3)) seen.push(value);
    expect(seen).toEqual([1, 2, 3]);
    expect(target.calls).toBe(2);
  });

  it('for an Observable: nothing before subscription, a retry resubscribes', async () => {
    @Injectable()
    class Service {
      calls = 0;
      @Retry(TWICE)
      values(...values: number[]): Observable<number> {
        return ++this.calls % 2 === 1 ? throwError(() => new Error('down')) : of(...values);
      }
    }
    const target = await inApp(Service);
    const values$ = target.values(1, 2);
    expect(target.calls).toBe(0);
    expect(await lastValueFrom(values$.pipe(toArray()))).toEqual([1, 2]);
    expect(target.calls).toBe(2);
    expect(await firstValueFrom(values$)).toBe(1);
    expect(target.calls).toBe(4);
  });

  it('for a method that another provider bound in its constructor', async () => {
    @Injectable()
    class Target extends Failing {}
    @Injectable()
    class Consumer {
      readonly run: () => Promise<never>;
      constructor(target: Target) {
        this.run = target.run.bind(target);
      }
    }
    const { app } = await boot({ providers: [Consumer, Target] });
    await expect(app.get(Consumer).run()).rejects.toThrow('down');
    expect(app.get(Target).calls).toBe(2);
  });

  it('for a method that is called through a Proxy of the instance', async () => {
    @Injectable()
    class Target extends Failing {}
    const target = await inApp(Target);
    expect(await runsOf(new Proxy(target, {}))).toBe(2);
  });

  it('for a method without a `this`: as undecorated, like the method itself', async () => {
    @Injectable()
    class Service {
      static calls = 0;
      @Retry(TWICE)
      async run(): Promise<never> {
        Service.calls++;
        throw new Error('down');
      }
    }
    const { run } = await inApp(Service);
    await expect(run()).rejects.toThrow('down');
    expect(Service.calls).toBe(1);
  });
});

describe('A decorated method looks like the one that was written', () => {
  class Service {
    @Retry()
    @SetMetadata('below', 'kept')
    async charge(_order: string, _amount: number): Promise<void> {}

    @SetMetadata('above', 'kept')
    @Retry()
    async refund(): Promise<void> {}
  }

  it('with its name and its length', () => {
    expect(Service.prototype.charge.name).toBe('charge');
    expect(Service.prototype.charge).toHaveLength(2);
  });

  it('with the metadata that decorators below and above set', () => {
    expect(Reflect.getMetadata('below', Service.prototype.charge)).toBe('kept');
    expect(Reflect.getMetadata('above', Service.prototype.refund)).toBe('kept');
  });

  it('with the properties that libraries put on the function itself', () => {
    const Mark: MethodDecorator = (_target, _key, descriptor) => {
      Object.assign(descriptor.value as object, { marked: true });
    };
    class Marked {
      @Retry()
      @Mark
      async run(): Promise<void> {}
    }
    expect(Marked.prototype.run).toHaveProperty('marked', true);
  });

  it('and stays a writable, configurable method that enumeration does not show', () => {
    expect(Object.getOwnPropertyDescriptor(Service.prototype, 'charge')).toMatchObject({
      enumerable: false,
      writable: true,
      configurable: true,
    });
    expect(Object.keys(Service.prototype)).toEqual([]);
  });

  it('and can be spied on and replaced in a test', async () => {
    @Injectable()
    class Target extends Failing {}
    const target = await inApp(Target);
    target.run = async () => Promise.reject(new Error('replaced'));
    await expect(target.run()).rejects.toThrow('replaced');
    expect(target.calls).toBe(0);
  });
});

describe('The order of decorators', () => {
  it('does not matter: any order is the same pipeline', async () => {
    class Written {
      @Critical()
      @Fallback(() => 'instead')
      @Retry(TWICE)
      @CircuitBreaker({ failureThreshold: 7 })
      @Timeout(500)
      @Bulkhead({ maxConcurrent: 3 })
      @Upstream('api')
      async run(): Promise<string> {
        return down();
      }
    }
    const InOrder = { Service: class Service extends Written {} }.Service;
    class Reversed {
      @Upstream('api')
      @Bulkhead({ maxConcurrent: 3 })
      @Timeout(500)
      @CircuitBreaker({ failureThreshold: 7 })
      @Retry(TWICE)
      @Fallback(() => 'instead')
      @Critical()
      async run(): Promise<string> {
        return down();
      }
    }
    const Backwards = { Service: class Service extends Reversed {} }.Service;
    const one = await stagesOf(InOrder);
    const other = await stagesOf(Backwards);
    expect(one.stages['Service.run']).toEqual(other.stages['Service.run']);
    expect(Object.keys(one.stages['Service.run']?.stages ?? {}).sort()).toEqual([
      'bulkhead',
      'circuitBreaker',
      'fallback',
      'retry',
      'timeout',
    ]);
  });

  describe('with a foreign decorator between that wraps the method', () => {
    let wrapped = 0;
    type Wrap = (...args: unknown[]) => unknown;
    const wrapping =
      (copiesMetadata: boolean): MethodDecorator =>
      (_target, _key, descriptor) => {
        const inner = descriptor.value as Wrap;
        const outer: Wrap = function (this: unknown, ...args) {
          wrapped++;
          return inner.apply(this, args);
        };
        if (copiesMetadata) {
          for (const key of Reflect.getMetadataKeys(inner))
            Reflect.defineMetadata(key, Reflect.getMetadata(key, inner), outer);
        }
        descriptor.value = outer as never;
      };

    beforeEach(() => {
      wrapped = 0;
    });

    it.each([
      ['copies metadata', true],
      ['copies none', false],
    ])('is one pipeline around both (it %s)', async (_how, copies) => {
      @Injectable()
      class Service {
        calls = 0;
        @Retry(TWICE)
        @wrapping(copies)
        @Fallback(() => 'instead')
        @SetMetadata('role', 'admin')
        async run(): Promise<string> {
          this.calls++;
          return down();
        }
      }
      const { app } = await boot({ providers: [Service] });
      expect(await app.get(Service).run()).toBe('instead');
      expect(app.get(Service).calls).toBe(2);
      expect(wrapped).toBe(2);
      expect(app.get(ResilienceService).describe()).toHaveLength(1);
      expect(Reflect.getMetadata('role', Service.prototype.run)).toBe(copies ? 'admin' : undefined);
    });

    it.each([
      ['copies metadata', true],
      ['copies none', false],
    ])('stays outside when all of ours are below it (it %s)', async (_how, copies) => {
      @Injectable()
      class Service {
        calls = 0;
        @wrapping(copies)
        @Fallback(() => 'instead')
        @Retry(TWICE)
        async run(): Promise<string> {
          this.calls++;
          return down();
        }
      }
      const target = await inApp(Service);
      expect(await target.run()).toBe('instead');
      expect([target.calls, wrapped]).toEqual([2, 1]);
    });

    it('is inside when all of ours are above it', async () => {
      @Injectable()
      class Service {
        calls = 0;
        @Fallback(() => 'instead')
        @Retry(TWICE)
        @wrapping(false)
        async run(): Promise<string> {
          this.calls++;
          return down();
        }
      }
      const target = await inApp(Service);
      expect(await target.run()).toBe('instead');
      expect([target.calls, wrapped]).toEqual([2, 2]);
    });
  });
});

describe('A class decorator on a provider', () => {
  it('reaches its async methods and those with decorators of their own, and leaves helpers alone', async () => {
    @Injectable()
    @Retry(TWICE)
    class Service {
      calls = 0;
      async load(): Promise<string> {
        this.calls++;
        return down();
      }
      @Upstream('api')
      promised(): Promise<string> {
        this.calls++;
        return down();
      }
      helper(n: number): number {
        return n * 2;
      }
      plainPromise(): Promise<string> {
        this.calls++;
        return down();
      }
      get accessor(): number {
        return 1;
      }
    }
    const { app } = await boot({ providers: [Service] });
    const target = app.get(Service);
    expect(target.helper(21)).toBe(42);
    expect(target.accessor).toBe(1);
    for (const [method, calls] of [
      ['load', 2],
      ['promised', 2],
      ['plainPromise', 1],
    ] as const) {
      target.calls = 0;
      await expect(target[method]()).rejects.toThrow('down');
      expect([method, target.calls]).toEqual([method, calls]);
    }
    const operations = app.get(ResilienceService).describe();
    expect(operations.map(({ operation }) => operation).sort()).toEqual([
      'Service.load',
      'Service.promised',
    ]);
  });

  it('is overridden by the method field by field', async () => {
    @Injectable()
    @Retry({ maxAttempts: 5, baseDelayMs: 7, jitter: 'none' })
    @CircuitBreaker({ failureThreshold: 9, windowMs: 1_000 })
    @Bulkhead({ maxConcurrent: 9, queueLimit: 8 })
    @Timeout(900)
    @Critical()
    @Upstream('api')
    class Service {
      async asTheClass(): Promise<void> {}
      @Retry({ maxAttempts: 2 })
      @CircuitBreaker({ windowCalls: 20 })
      @Bulkhead({ queueLimit: 0 })
      @Timeout(100)
      @Critical(false)
      @Upstream('other')
      async own(): Promise<void> {}
    }
    const { stages } = await stagesOf(Service);
    expect(stages['Service.asTheClass']).toMatchObject({
      critical: true,
      upstream: 'api',
      stages: {
        retry: { maxAttempts: 5, baseDelayMs: 7, jitter: 'none' },
        circuitBreaker: { name: 'Service.asTheClass', failureThreshold: 9, windowMs: 1_000 },
        bulkhead: { name: 'Service.asTheClass', maxConcurrent: 9, queueLimit: 8 },
        timeout: { timeoutMs: 900 },
      },
    });
    expect(stages['Service.own']).toMatchObject({
      critical: false,
      upstream: 'other',
      stages: {
        retry: { maxAttempts: 2, baseDelayMs: 7, jitter: 'none' },
        circuitBreaker: { name: 'Service.own', failureThreshold: 9, windowCalls: 20 },
        bulkhead: { name: 'Service.own', maxConcurrent: 9, queueLimit: 0 },
        timeout: { timeoutMs: 100 },
      },
    });
  });

  it('overrides that of the class that it extends, field by field, and not the other way round', async () => {
    @Injectable()
    @Retry({ maxAttempts: 5, baseDelayMs: 7 })
    class Base {
      async inherited(): Promise<void> {}
    }
    @Injectable()
    @Retry({ maxAttempts: 2 })
    @Timeout(100)
    class Derived extends Base {
      async own(): Promise<void> {}
    }
    const { app } = await boot({ providers: [Base, Derived] });
    const described = app.get(ResilienceService).describe();
    const all = Object.fromEntries(described.map(({ operation, stages }) => [operation, stages]));
    expect(all['Base.inherited']).toMatchObject({ retry: { maxAttempts: 5, baseDelayMs: 7 } });
    expect(all['Base.inherited']?.timeout).toBeUndefined();
    for (const operation of ['Derived.inherited', 'Derived.own']) {
      expect(all[operation]).toMatchObject({
        retry: { maxAttempts: 2, baseDelayMs: 7 },
        timeout: { timeoutMs: 100 },
      });
    }
  });

  it('reaches the methods of a plain class that it extends, without touching that class', async () => {
    class Plain {
      calls = 0;
      async run(): Promise<string> {
        this.calls++;
        return down();
      }
    }
    @Injectable()
    @Retry(TWICE)
    class Resilient extends Plain {}
    @Injectable()
    class Other extends Plain {}
    const { app } = await boot({ providers: [Resilient, Other] });
    await expect(app.get(Resilient).run()).rejects.toThrow('down');
    await expect(app.get(Other).run()).rejects.toThrow('down');
    expect([app.get(Resilient).calls, app.get(Other).calls]).toEqual([2, 1]);
  });

  it('can be written above and below @Injectable()', async () => {
    @Retry(TWICE)
    @Injectable()
    class Above {
      calls = 0;
      async run(): Promise<string> {
        this.calls++;
        return down();
      }
    }
    const target = await inApp(Above);
    await expect(target.run()).rejects.toThrow('down');
    expect(target.calls).toBe(2);
  });

  it('reaches no method that a derived class excludes, whose own class has it still', async () => {
    @Injectable()
    @Retry(TWICE)
    class Base {
      calls = 0;
      async run(): Promise<string> {
        this.calls++;
        return down();
      }
    }
    @Injectable()
    @Resilience({ exclude: ['run'] })
    class Derived extends Base {}
    const { app } = await boot({ providers: [Base, Derived] });
    await expect(app.get(Derived).run()).rejects.toThrow('down');
    await expect(app.get(Base).run()).rejects.toThrow('down');
    expect([app.get(Derived).calls, app.get(Base).calls]).toEqual([1, 2]);
  });

  it('that reaches nothing is warned of at boot', async () => {
    @Injectable()
    @Retry()
    class Helpers {
      double(n: number): number {
        return n * 2;
      }
    }
    const { logger } = await stagesOf(Helpers);
    expect(logger.warnings()).toContain('Helpers: its resilience decorators reach no method');
  });

  it('that reaches something is not warned of', async () => {
    @Injectable()
    @Retry()
    class Service {
      async run(): Promise<void> {}
    }
    const { logger } = await stagesOf(Service);
    expect(logger.messages('warn')).toEqual([]);
  });

  it('@Fallback with the name of an async method does not make that method its own fallback', async () => {
    @Injectable()
    @Fallback('instead')
    class Service {
      fallbacks = 0;
      async run(): Promise<string> {
        return down();
      }
      async instead(): Promise<string> {
        this.fallbacks++;
        throw new Error('fallback down');
      }
    }
    const target = await inApp(Service);
    await expect(target.run()).rejects.toThrow('fallback down');
    expect(target.fallbacks).toBe(1);
  });
});

describe('@Resilience', () => {
  const services = {
    payments: {
      critical: true,
      upstream: 'payments-api',
      timeoutMs: 700,
      retry: { maxAttempts: 4, baseDelayMs: 0 },
      circuitBreaker: { failureThreshold: 8 },
      bulkhead: { maxConcurrent: 6 },
      fallback: () => 'instead',
    },
    minimal: { retry: 'gentle', circuitBreaker: 'shared', bulkhead: 'shared' },
  };
  const options: ResilienceModuleOptions = {
    services,
    retries: { gentle: { maxAttempts: 2, baseDelayMs: 1 } },
    breakers: { shared: { failureThreshold: 3 } },
    bulkheads: { shared: { maxConcurrent: 2 } },
  };

  it('applies the whole bundle, with a breaker and a bulkhead shared under its name', async () => {
    @Injectable()
    class Service {
      @Resilience('payments')
      async one(): Promise<string> {
        return down();
      }
      @Resilience('payments')
      async two(): Promise<string> {
        return down();
      }
    }
    const { stages, app } = await stagesOf(Service, options);
    for (const operation of ['Service.one', 'Service.two', 'payments']) {
      expect(stages[operation]).toMatchObject({
        critical: true,
        upstream: 'payments-api',
        stages: {
          timeout: { timeoutMs: 700 },
          retry: { maxAttempts: 4, baseDelayMs: 0 },
          circuitBreaker: { name: 'payments', failureThreshold: 8 },
          bulkhead: { name: 'payments', maxConcurrent: 6 },
          fallback: { handler: 'fallback' },
        },
      });
    }
    expect(await app.get(Service).one()).toBe('instead');
    expect(app.get(CircuitBreakerRegistry).get('payments').getSnapshot().failures).toBe(4);
  });

  it('applies policies that the bundle names', async () => {
    @Injectable()
    class Service {
      @Resilience('minimal')
      async run(): Promise<void> {}
    }
    const { stages } = await stagesOf(Service, options);
    expect(stages['Service.run']).toEqual({
      operation: 'Service.run',
      kind: 'provider',
      stages: {
        retry: expect.objectContaining({ maxAttempts: 2, baseDelayMs: 1 }),
        circuitBreaker: expect.objectContaining({ name: 'shared', failureThreshold: 3 }),
        bulkhead: expect.objectContaining({ name: 'shared', maxConcurrent: 2 }),
      },
      origins: {
        retry: expect.objectContaining({ maxAttempts: 'module', factor: 'default' }),
        circuitBreaker: expect.objectContaining({ failureThreshold: 'module' }),
        bulkhead: expect.objectContaining({ maxConcurrent: 'module' }),
      },
    });
  });

  it('is overridden field by field by decorators beside it, whichever is written first', async () => {
    @Injectable()
    class Service {
      @Resilience('payments')
      @Retry({ maxAttempts: 2 })
      @Timeout(50)
      async above(): Promise<void> {}
      @Timeout(50)
      @Retry({ maxAttempts: 2 })
      @Resilience('payments')
      async below(): Promise<void> {}
    }
    const { stages } = await stagesOf(Service, options);
    for (const operation of ['Service.above', 'Service.below']) {
      expect(stages[operation]?.stages).toMatchObject({
        retry: { maxAttempts: 2, baseDelayMs: 0 },
        timeout: { timeoutMs: 50 },
        circuitBreaker: { name: 'payments' },
      });
    }
  });

  it("on a method overrides the class's decorators, on a class is overridden by the method's", async () => {
    @Injectable()
    @Retry({ maxAttempts: 9, baseDelayMs: 9, factor: 3 })
    @Timeout(999)
    class MethodBundle {
      @Resilience('payments')
      async run(): Promise<void> {}
    }
    @Injectable()
    @Resilience('payments')
    class ClassBundle {
      @Retry({ maxAttempts: 9 })
      async run(): Promise<void> {}
    }
    const { app } = await boot({ providers: [MethodBundle, ClassBundle] }, options);
    const described = app.get(ResilienceService).describe();
    const all = Object.fromEntries(described.map(({ operation, stages }) => [operation, stages]));
    expect(all['MethodBundle.run']).toMatchObject({
      retry: { maxAttempts: 4, baseDelayMs: 0, factor: 3 },
      timeout: { timeoutMs: 700 },
    });
    expect(all['ClassBundle.run']).toMatchObject({
      retry: { maxAttempts: 9, baseDelayMs: 0 },
      timeout: { timeoutMs: 700 },
    });
  });

  it("gives the call its timeout and its context the bundle's name as service", async () => {
    @Injectable()
    class Service {
      @Resilience('slow')
      run(): Promise<void> {
        return new Promise(() => undefined);
      }
    }
    const { ErrorTracker } = await import('../../lib/index.js');
    const { app } = await boot({ providers: [Service] }, { services: { slow: { timeoutMs: 5 } } });
    await expect(app.get(Service).run()).rejects.toBeInstanceOf(TimeoutError);
    expect(app.get(ErrorTracker).getRecentErrors()[0]?.context).toEqual({
      service: 'slow',
      operation: 'Service.run',
    });
  });
});

describe('Decorators where they cannot work say so when the class is defined', () => {
  const decorator = Retry() as unknown as MethodDecorator & PropertyDecorator;

  it.each([
    [
      'a static method',
      () => {
        class Service {
          @decorator
          static run() {}
        }
        return Service;
      },
    ],
    [
      'a property',
      () => {
        class Service {
          @decorator
          run = () => 1;
        }
        return Service;
      },
    ],
    [
      'an accessor',
      () => {
        class Service {
          @decorator
          get run() {
            return 1;
          }
        }
        return Service;
      },
    ],
    [
      'what another decorator has replaced: a number',
      () => {
        const Replaced: MethodDecorator = (_target, _key, descriptor) => {
          descriptor.value = 7 as never;
        };
        class Service {
          @decorator
          @Replaced
          run() {}
        }
        return Service;
      },
    ],
  ])('%s', (what, define) => {
    expect(define).toThrow(ResilienceConfigurationError);
    expect(define).toThrow('Service.run');
    expect(define).toThrow('@Retry()');
    const named = what.replace(/^an? (property|accessor)$/, 'a property or an accessor');
    expect(define).toThrow(`this is ${named.replace(/^.*: /, '')}`);
  });
});

describe('Methods that a pipeline cannot run fail the boot', () => {
  const decorator = Retry() as MethodDecorator;

  it('a generator', async () => {
    @Injectable()
    class Service {
      @decorator
      *run() {
        yield 1;
      }
    }
    const booting = boot({ providers: [Service] });
    await expect(booting).rejects.toBeInstanceOf(ResilienceConfigurationError);
    await expect(booting).rejects.toThrow(/Service\.run: is a generator; allowed: .*Promise/);
  });

  it('one that is declared to return something else at once', async () => {
    @Injectable()
    class Service {
      @decorator
      run(): number {
        return 1;
      }
    }
    const booting = boot({ providers: [Service] });
    await expect(booting).rejects.toBeInstanceOf(ResilienceConfigurationError);
    await expect(booting).rejects.toThrow(/Service\.run: is declared to return Number; allowed/);
  });

  it('one that is declared to return what a function of that name makes', async () => {
    const Money = () => ({ amount: 1 }); // beside an interface of the name, TypeScript tells the function
    @Injectable()
    class Service {
      @decorator
      @(
        (target: object, key: string) => {
          Reflect.defineMetadata('design:returntype', Money, target, key);
        }
      )
      run(): object {
        return Money();
      }
    }
    await expect(boot({ providers: [Service] })).rejects.toThrow(
      'Service.run: is declared to return Money; allowed: a method that returns a Promise or an Observable',
    );
  });

  it('and one that returns an Observable and declares a Promise fails its caller at once, with what to write', async () => {
    @Injectable()
    class Service {
      calls = 0;
      @decorator
      run(): Promise<number> {
        this.calls++;
        return of(1) as never;
      }
    }
    const target = await inApp(Service);
    for (let call = 1; call <= 2; call++) {
      expect(() => target.run()).toThrow(/Service\.run: .*: Observable</);
      expect(target.calls).toBe(call);
    }
  });
});
