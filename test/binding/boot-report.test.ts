import 'reflect-metadata';
import { Controller, Injectable, Module, Post } from '@nestjs/common';
import { LazyModuleLoader } from '@nestjs/core';
import {
  type BootLog,
  CircuitBreaker,
  Critical,
  Fallback,
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
const booted = (bootLog?: BootLog, options: ResilienceModuleOptions = {}) =>
  boot(
    { providers: [Stock], controllers: [Orders] },
    { breakers, ...options, ...(bootLog && { bootLog }) },
  );
const lines = (logger: RecordingLogger, level: string) =>
  logger.messages(level, 'ResilienceModule') as string[];

const SUMMARY =
  '4 operations: 1 critical, 1 with retry, 1 with circuit breaker, 3 with timeout, 1 with fallback';
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

  it('no line where nothing is resilient', async () => {
    const { logger } = await boot({});
    expect(lines(logger, 'log')).toEqual([]);
  });

  it('and refuses a bootLog that there is not', async () => {
    await expect(booted('verbose' as BootLog)).rejects.toThrow(
      /bootLog: is "verbose"; allowed: 'summary' \| 'operations' \| 'none'/,
    );
  });
});
