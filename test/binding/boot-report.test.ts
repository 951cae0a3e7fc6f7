import 'reflect-metadata';
import { Controller, Injectable, Module, Post } from '@nestjs/common';
import { LazyModuleLoader } from '@nestjs/core';
import {
  Bulkhead,
  CircuitBreaker,
  Critical,
  Fallback,
  Hedge,
  Resilience,
  type ResilienceModuleOptions,
  Retry,
  Timeout,
} from '../../lib/index.js';
import { boot, closeAll, type RecordingLogger, TWICE } from './support.js';

afterEach(closeAll);

@Injectable()
@Timeout(50)
class Stock {
  @Retry(TWICE)
  @CircuitBreaker('stock')
  async find(): Promise<void> {}
  @Critical()
  @Fallback(() => undefined)
  async save(): Promise<void> {}
  size(): number {
    return 1;
  }
}

@Controller()
class Orders {
  @Post()
  @Retry(TWICE)
  async create(): Promise<void> {}
}

const breakers = { stock: {} };
const booted = (
  bootLog?: ResilienceModuleOptions['bootLog'],
  options: ResilienceModuleOptions = {},
) =>
  boot(
    { providers: [Stock], controllers: [Orders] },
    { breakers, ...options, ...(bootLog && { bootLog }) },
  );
const lines = (logger: RecordingLogger, level: string) =>
  logger.messages(level, 'ResilienceModule') as string[];

const SUMMARY =
  '4 operations: 1 critical, 1 with fallback, 1 with retry, 1 with circuit breaker, 3 with timeout';
const services = { geo: { timeoutMs: 10 } };

describe('Boot logs', () => {
  it('one line that sums all operations up, with their details at debug level', async () => {
    const { logger } = await booted(undefined, { services });
    const [summary, ...rest] = lines(logger, 'log');
    expect(summary).toBe(SUMMARY);
    expect(rest).toEqual([
      expect.stringContaining('Stock: 2 of 3 methods covered; left out: size'),
    ]);
    expect(lines(logger, 'debug').map((line) => line.split(' ')[0])).toEqual([
      'Stock.find',
      'Stock.save',
      'Orders.create',
      'geo',
    ]);
    expect(lines(logger, 'warn')).toEqual([
      expect.stringContaining('Orders.create: @Retry() is inactive'),
    ]);
  });

  it("the details at log level with bootLog: 'operations'", async () => {
    const { logger } = await booted('operations', { services });
    expect(lines(logger, 'log')[0]).toBe(SUMMARY);
    expect(lines(logger, 'log')).toContain(
      'Stock.find (provider): at most 2 attempts, circuit breaker stock, timeout 50 ms',
    );
    expect(lines(logger, 'debug')).toEqual([]);
  });

  it('which stages are in shadow mode, beside those that act', async () => {
    const { logger } = await booted('operations', {
      breakers: { stock: { mode: 'shadow' } },
    });
    expect(lines(logger, 'log')).toContain(
      'Stock.find (provider): at most 2 attempts, circuit breaker stock (shadow), timeout 50 ms',
    );
  });

  it("nothing but warnings with bootLog: 'none'", async () => {
    const { logger } = await booted('none');
    expect([...lines(logger, 'log'), ...lines(logger, 'debug')]).toEqual([]);
    expect(lines(logger, 'warn')).toHaveLength(1);
  });

  it('one line more for a module that is loaded lazily, also where there are bundles', async () => {
    const { app, logger } = await booted(undefined, { services });
    logger.records.length = 0;
    @Injectable()
    class Late {
      @Retry(TWICE)
      async run(): Promise<void> {}
    }
    @Module({ providers: [Late] })
    class LateModule {}
    await app.get(LazyModuleLoader).load(() => LateModule);
    expect(lines(logger, 'log')).toEqual(['1 operation more, 5 in all: Late.run']);
    expect(lines(logger, 'debug')).toEqual(['Late.run (provider): at most 2 attempts']);
  });

  it('of a module that is loaded lazily no more than ten names', async () => {
    const withMethods = (count: number) => {
      class Late {}
      for (let n = 1; n <= count; n++) {
        const method = { value: async () => {}, writable: true, configurable: true };
        (Retry(TWICE) as MethodDecorator)(Late.prototype, `run${n}`, method);
        Object.defineProperty(Late.prototype, `run${n}`, method);
      }
      Resilience({ name: `late${count}` })(Late);
      @Module({ providers: [Late] })
      class LateModule {}
      return LateModule;
    };
    const { app, logger } = await boot({});
    await app.get(LazyModuleLoader).load(() => withMethods(10));
    await app.get(LazyModuleLoader).load(() => withMethods(11));
    const [ten, eleven] = lines(logger, 'log').filter((line) => line.includes('more'));
    expect(ten).toMatch(/^10 operations more, 10 in all: late10\.run1, .*, late10\.run10$/);
    expect(eleven).toMatch(/^11 operations more, 21 in all: late11\.run1, .*, late11\.run10, …$/);
  });

  it('how many operations have each of the stages, and nothing of those that none has', async () => {
    @Injectable()
    class Whole {
      @Critical()
      @Retry(TWICE)
      @Hedge(50)
      @CircuitBreaker('stock')
      @Timeout(50)
      @Bulkhead({})
      @Fallback(() => undefined)
      async every(): Promise<void> {}
      @Hedge(50)
      @Bulkhead({})
      @Critical(false)
      async some(): Promise<void> {}
    }
    const { logger } = await boot({ providers: [Whole] }, { breakers });
    expect(lines(logger, 'log')).toEqual([
      '2 operations: 1 critical, 1 with fallback, 1 with retry, 2 with hedge, 1 with circuit breaker, 1 with timeout, 2 with bulkhead',
    ]);
    const { logger: other } = await boot({}, { services: { geo: {} } });
    expect(lines(other, 'log')).toEqual(['1 operation']);
  });

  it('each doubt, warning and class once, also when a module is loaded lazily', async () => {
    const { app, logger } = await booted(undefined, {
      breakers: { stock: { failureRateThreshold: 0.5 } },
    });
    const [doubts, classes] = [/half a percent/, /methods covered/];
    const told = (what: RegExp) =>
      logger.records.filter(({ message }) => what.test(String(message))).length;
    expect([doubts, classes, /is inactive/].map(told)).toEqual([1, 1, 1]);
    @Injectable()
    class Late {
      @Retry(TWICE)
      async run(): Promise<void> {}
    }
    @Module({ providers: [Late] })
    class LateModule {}
    await app.get(LazyModuleLoader).load(() => LateModule);
    expect([doubts, classes, /is inactive/].map(told)).toEqual([1, 1, 1]);
  });

  it("of a class that its decorators do not reach at all also with bootLog: 'none'", async () => {
    @Injectable()
    @Retry(TWICE)
    class Helpers {
      size(): number {
        return 1;
      }
    }
    const { logger } = await boot({ providers: [Helpers] }, { bootLog: 'none' });
    expect(lines(logger, 'warn')).toEqual([expect.stringContaining('Helpers: its resilience')]);
  });

  it('no line where nothing is resilient', async () => {
    const { logger } = await boot({});
    expect(lines(logger, 'log')).toEqual([]);
  });

  it('and refuses a bootLog that there is not', async () => {
    await expect(booted('verbose' as 'none')).rejects.toThrow(
      /bootLog: is "verbose"; allowed: 'summary' \| 'operations' \| 'none'/,
    );
  });
});
