import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  Chaos,
  type ChaosOptions,
  CircuitBreaker,
  CircuitBreakerOpenError,
  Critical,
  type CriticalAlert,
  ErrorTracker,
  Fallback,
  InMemoryMetrics,
  isChaos,
  type ResilienceEvent,
  ResilienceEvents,
  Retry,
  Timeout,
  TimeoutError,
} from '../../lib/index.js';
import { boot, closeAll } from '../binding/support.js';

afterEach(closeAll);

@Injectable()
class Bank {
  failure: Error | undefined = undefined;
  answer = 'rates';

  @CircuitBreaker({ failureThreshold: 2 })
  @Timeout(400)
  async pay(): Promise<string> {
    if (this.failure !== undefined) throw this.failure;
    return 'paid';
  }

  @Retry({ maxAttempts: 2, baseDelayMs: 0 })
  async books(): Promise<string> {
    if (this.failure !== undefined) throw this.failure;
    return 'books';
  }

  @CircuitBreaker({ isFailureResult: (result: string) => result === 'busy' })
  async rates(): Promise<string> {
    return this.answer;
  }

  @Timeout({ totalMs: 200 })
  @Retry({ maxAttempts: 2, baseDelayMs: 0, budget: false })
  async persistent(): Promise<string> {
    return new Promise(() => undefined);
  }
}

@Injectable()
class Shop {
  constructor(private readonly bank: Bank) {}

  @Critical()
  async order(): Promise<string> {
    return this.bank.pay();
  }

  @Timeout(400)
  async report(): Promise<string> {
    return this.bank.books();
  }

  @Fallback(() => 'none')
  async list(): Promise<string> {
    try {
      return await this.bank.pay();
    } catch (error) {
      throw new Error('no list', { cause: error });
    }
  }
}

async function start(options: ChaosOptions = {}) {
  const alerts: [string, CriticalAlert][] = [];
  const { app, logger } = await boot(
    { providers: [Bank, Shop] },
    {
      chaos: options,
      alerts: { sendCritical: (text, alert) => void alerts.push([text, alert]) },
      errorTracker: { logIntervalMs: 0 },
    },
  );
  const events: ResilienceEvent[] = [];
  app.get(ResilienceEvents).events$.subscribe((event) => events.push(event));
  return {
    alerts,
    events,
    logger,
    bank: app.get(Bank),
    shop: app.get(Shop),
    chaos: app.get(Chaos),
    metrics: app.get(InMemoryMetrics),
    recent: () => app.get(ErrorTracker).getRecentErrors(),
  };
}

type Started = Awaited<ReturnType<typeof start>>;

const fail = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  );
const records = ({ logger }: Started, context: string) =>
  ['error', 'warn'].flatMap((level) => logger.messages(level, context)) as Record<
    string,
    unknown
  >[];

describe('What chaos does is marked', () => {
  it('by an event and a metric of each attempt that it comes to', async () => {
    const { bank, chaos, events, metrics } = await start();
    chaos.add({ id: 'it', operations: 'Bank.books', latencyMs: 1, error: true });
    await fail(bank.books());
    expect(events.filter(({ type }) => type === 'chaos')).toEqual(
      [1, 2].map((attempt) => ({
        type: 'chaos',
        operation: 'Bank.books',
        rule: 'it',
        effect: 'error',
        attempt,
        latencyMs: 1,
        timestamp: expect.any(String),
      })),
    );
    const tags = { operation: 'Bank.books', effect: 'error' };
    expect(metrics.snapshot()).toContainEqual(
      expect.objectContaining({ name: 'chaos.injected', kind: 'counter', tags, value: 2 }),
    );
  });

  it('in the records of the tracker and the log, of its own errors', async () => {
    const started = await start();
    started.chaos.add({ operations: 'Bank.books', error: () => new RangeError('down') });
    const error = await fail(started.bank.books());
    expect(isChaos(error)).toBe(true);
    expect(started.recent()).toMatchObject([{ type: 'RangeError', chaos: true }]);
    expect(records(started, 'ErrorTracker')).toMatchObject([
      { chaos: true, message: 'Bank.books failed by chaos: RangeError: down' },
    ]);
  });

  it('where a method hung or was delayed, of the timeout', async () => {
    for (const fault of [{ hang: true }, { latencyMs: 5_000 }] as const) {
      const started = await start();
      started.chaos.add({ operations: 'Bank.pay', ...fault });
      const error = await fail(started.bank.pay());
      expect(error).toBeInstanceOf(TimeoutError);
      expect(isChaos(error)).toBe(true);
      expect(started.recent()).toMatchObject([{ type: 'TimeoutError', chaos: true }]);
    }
  });

  it('where what was called inside hung, of the timeout around it', async () => {
    const { shop, chaos, recent } = await start();
    chaos.add({ operations: 'Bank.books', hang: true });
    const error = await fail(shop.report());
    expect(error).toBeInstanceOf(TimeoutError);
    expect(recent()).toMatchObject([{ type: 'TimeoutError', chaos: true }]);
  });

  it('where injected errors took their part, of the timeout of the whole call', async () => {
    const drawn = [0, 1];
    const { bank, chaos, recent } = await start({ random: () => drawn.shift() as number });
    chaos.add({ operations: 'Bank.persistent', rate: 0.5, error: true });
    const error = await fail(bank.persistent());
    expect(error).toBeInstanceOf(TimeoutError);
    expect(recent()).toMatchObject([{ type: 'TimeoutError', chaos: true }]);
  });

  it('in errors that were made of it, whose fallback answered', async () => {
    const { shop, chaos, recent, logger } = await start();
    chaos.add({ operations: 'Bank.pay', error: true });
    expect(await shop.list()).toBe('none');
    expect(recent()[0]).toMatchObject({ message: 'no list', handled: true, chaos: true });
    expect(JSON.stringify(logger.messages('warn', 'ErrorTracker'))).toContain(
      'Shop.list failed by chaos and was answered by its fallback: Error: no list',
    );
  });

  it('where an injected result counts as a failure', async () => {
    const { bank, chaos, recent } = await start();
    chaos.add({ operations: 'Bank.rates', result: 'busy' });
    expect(await bank.rates()).toBe('busy');
    chaos.stopAll();
    bank.answer = 'busy';
    expect(await bank.rates()).toBe('busy');
    expect(recent().map(({ type, chaos: isMarked }) => [type, isMarked])).toEqual([
      ['FailedResult', undefined],
      ['FailedResult', true],
    ]);
  });

  it('in alerts', async () => {
    const { shop, chaos, alerts } = await start();
    chaos.add({ operations: 'Bank.pay', error: true });
    await fail(shop.order());
    expect(alerts).toEqual([
      [
        'Critical operation Shop.order failed by chaos: ChaosError: Injected into Bank.pay by the chaos rule "chaos-1"',
        expect.objectContaining({ chaos: true }),
      ],
    ]);
  });

  it('in alerts that hold no alert of a real failure back', async () => {
    const { shop, bank, chaos, alerts } = await start();
    chaos.add({ operations: 'Bank.pay', error: true });
    await fail(shop.order());
    chaos.stopAll();
    bank.failure = new Error('really down');
    await fail(shop.order());
    await fail(shop.order());
    expect(alerts.map(([, alert]) => [alert.chaos, alert.suppressed])).toEqual([
      [true, 0],
      [undefined, 0],
    ]);
  });

  it('in the rejections of a breaker that it opened, and in the log of that', async () => {
    for (const fault of [{ hang: true }, { error: true }] as const) {
      const started = await start();
      const { bank, chaos, recent } = started;
      chaos.add({ operations: 'Bank.pay', ...fault });
      await fail(bank.pay());
      await fail(bank.pay());
      chaos.stopAll();
      const rejection = await fail(bank.pay());
      expect(rejection).toBeInstanceOf(CircuitBreakerOpenError);
      expect(isChaos(rejection)).toBe(true);
      expect(recent()[0]).toMatchObject({ type: 'CircuitBreakerOpenError', chaos: true });
      const [opened] = records(started, 'CircuitBreaker');
      expect(opened).toMatchObject({ reason: 'failure-threshold', chaos: true });
      expect(opened?.message).toContain('Circuit breaker "Bank.pay" opened by chaos; ');
    }
  });

  it('in nothing that failed by itself meanwhile', async () => {
    const started = await start();
    const { bank, shop, chaos, alerts, recent } = started;
    chaos.add({ operations: 'Bank.books', result: 'made up' });
    chaos.add({ operations: 'Bank.pay', latencyMs: 1 });
    bank.failure = new Error('really down');
    expect(await bank.books()).toBe('made up');
    expect(isChaos(await fail(bank.pay()))).toBe(false);
    await fail(shop.order());
    expect(recent().map(({ chaos: isMarked }) => isMarked)).toEqual([undefined, undefined]);
    expect(alerts.map(([, alert]) => alert.chaos)).toEqual([undefined]);
    for (const record of [
      ...records(started, 'ErrorTracker'),
      ...records(started, 'CircuitBreaker'),
    ])
      expect(record).not.toHaveProperty('chaos');
    expect(isChaos(undefined)).toBe(false);
  });

  it('so that a real failure of the same kind has its own record in the log', async () => {
    const alike = await boot({ providers: [Bank] }, { chaos: {} });
    const bank = alike.app.get(Bank);
    const chaos = alike.app.get(Chaos);
    chaos.add({ operations: 'Bank.books', error: () => new Error('down') });
    await fail(bank.books());
    await fail(bank.books());
    chaos.stopAll();
    bank.failure = new Error('down');
    await fail(bank.books());
    expect(alike.logger.messages('error', 'ErrorTracker')).toMatchObject([
      { message: 'Bank.books failed by chaos: Error: down' },
      { message: 'Bank.books failed: Error: down' },
    ]);
  });
});
