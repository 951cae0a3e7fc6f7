import 'reflect-metadata';
import { Injectable, SetMetadata, type Type } from '@nestjs/common';
import {
  Bulkhead,
  CircuitBreaker,
  Critical,
  Fallback,
  Hedge,
  Retry,
  Timeout,
} from '../../lib/index.js';
import { boot, closeAll, TWICE } from './support.js';

afterEach(closeAll);

/** Notes when it begins, as a transaction would. */
const begun: string[] = [];
const Transactional: MethodDecorator = (_target, _key, descriptor) => {
  const method = descriptor.value as (...args: unknown[]) => unknown;
  descriptor.value = function inTransaction(this: unknown, ...args: unknown[]) {
    begun.push('transaction');
    return method.apply(this, args);
  } as never;
};
const Anonymous: MethodDecorator = (_target, _key, descriptor) => {
  const method = descriptor.value as (...args: unknown[]) => unknown;
  descriptor.value = ((...args: unknown[]) => method.apply(undefined, args)) as never;
};

async function warningsOf(type: Type<object>) {
  const { app, logger } = await boot({ providers: [type] });
  return { app, warnings: logger.messages('warn', 'ResilienceModule') as string[] };
}

describe('A decorator of others between ours is warned of at boot', () => {
  it('with the names of both, and the order that is used', async () => {
    @Injectable()
    class Orders {
      @Retry(TWICE)
      @Transactional
      @CircuitBreaker({})
      @Timeout(30)
      async save(): Promise<void> {
        throw new Error('down');
      }
    }
    const { app, warnings } = await warningsOf(Orders);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(
      'Orders.save: another decorator (whose function is called inTransaction) stands between @Retry() and @Timeout(), @CircuitBreaker()',
    );
    expect(warnings[0]).toContain(
      'all of ours run above it: @Retry() -> @CircuitBreaker() -> @Timeout() -> the other decorator -> the method. What it begins',
    );
    begun.length = 0;
    await expect(app.get(Orders).save()).rejects.toThrow('down');
    expect(begun).toEqual(['transaction', 'transaction']); // as it says
  });

  it('with every stage in its place, whatever order they are written in', async () => {
    @Injectable()
    class Orders {
      @Bulkhead({})
      @Timeout(30)
      @Hedge(10)
      @CircuitBreaker({})
      @Retry(TWICE)
      @Transactional
      @Fallback(() => undefined)
      @Critical()
      async save(): Promise<void> {}
    }
    expect((await warningsOf(Orders)).warnings.join()).toContain(
      ': @Critical() -> @Fallback() -> @Retry() -> @Hedge() -> @CircuitBreaker() -> @Timeout() -> @Bulkhead() -> the other decorator',
    );
  });

  it('and as another decorator where nothing tells its name', async () => {
    const named =
      (name: string): MethodDecorator =>
      (_target, _key, descriptor) => {
        const method = descriptor.value as (...args: unknown[]) => unknown;
        const wrapper = (...args: unknown[]) => method.apply(undefined, args);
        Object.defineProperty(wrapper, 'name', { value: name });
        descriptor.value = wrapper as never;
      };
    for (const name of ['', 'save', 'value']) {
      @Injectable()
      class Orders {
        @Retry(TWICE)
        @named(name)
        @Timeout(30)
        async save(): Promise<void> {}
      }
      const { warnings } = await warningsOf(Orders);
      expect(warnings.join()).toContain(
        'Orders.save: another decorator stands between @Retry() and @Timeout(), but all of ours run above it',
      );
    }
  });

  it('each, where there are several', async () => {
    @Injectable()
    class Orders {
      @CircuitBreaker({})
      @Anonymous
      @Retry(TWICE)
      @Transactional
      @Timeout(30)
      async save(): Promise<void> {}
    }
    const { warnings } = await warningsOf(Orders);
    expect(warnings.map((warning) => /between .*?, but/.exec(warning)?.[0])).toEqual([
      'between @Retry() and @Timeout(), but',
      'between @CircuitBreaker() and @Timeout(), @Retry(), but',
    ]);
  });

  it('also where it stands between those of the class and those of the method', async () => {
    @Retry(TWICE)
    class Base {}
    @Injectable()
    @Retry(TWICE)
    class Orders extends Base {
      @Transactional
      @Timeout(30)
      async save(): Promise<void> {
        throw new Error('down');
      }
    }
    const { app, warnings } = await warningsOf(Orders);
    expect(warnings.join()).toContain(
      'Orders.save: another decorator (whose function is called inTransaction) stands above what ours have made of the method, so what the class says (@Retry()) runs below it: the other decorator -> @Retry() -> @Timeout() -> the method',
    );
    begun.length = 0;
    await expect(app.get(Orders).save()).rejects.toThrow('down');
    expect(begun).toEqual(['transaction']); // as it says
  });

  it('but not where ours are together, nor where it replaces nothing', async () => {
    @Injectable()
    class Orders {
      @Transactional
      @Retry(TWICE)
      @Timeout(30)
      async above(): Promise<void> {}
      @Retry(TWICE)
      @Timeout(30)
      @Transactional
      async below(): Promise<void> {}
      @Retry(TWICE)
      @SetMetadata('any', 'metadata')
      @Timeout(30)
      async marked(): Promise<void> {}
    }
    @Injectable()
    @Retry(TWICE)
    class OnClass {
      @Transactional
      async save(): Promise<void> {}
    }
    expect((await warningsOf(Orders)).warnings).toEqual([]);
    expect((await warningsOf(OnClass)).warnings).toEqual([]);
  });
});
