import { randomBytes } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { jest } from '@jest/globals';
import { BadRequestException, HttpException, Injectable, Logger } from '@nestjs/common';
import { bufferCount, concatMap, filter, map, type Observable, take, tap } from 'rxjs';
import { ResilienceDashboardModule } from '../../lib/dashboard/index.js';
import {
  Critical,
  ErrorTracker,
  type ErrorTrackerOptions,
  Fallback,
  Resilience,
  ResilienceConfigurationError,
  ResilienceService,
  Retry,
  Timeout,
  type TrackedError,
  Upstream,
} from '../../lib/index.js';
import { boot, closeAll, RecordingLogger, TWICE } from '../binding/support.js';

let logger: RecordingLogger;

beforeEach(() => {
  logger = new RecordingLogger();
  Logger.overrideLogger(logger);
});

afterEach(async () => {
  jest.useRealTimers();
  await closeAll();
});

const context = { service: 'Payments', operation: 'Payments.charge' };

function make(options?: ErrorTrackerOptions): ErrorTracker {
  return new ErrorTracker(options);
}

class GatewayError extends Error {}
class Renamed extends Error {
  override name = 'PaymentRefused';
}

describe('ErrorTracker.track()', () => {
  it('counts in total, by type, by operation and by upstream', () => {
    const tracker = make();
    tracker.track(new TypeError('a'), { ...context, upstream: 'bank' });
    tracker.track(new TypeError('b'), { ...context, operation: 'Payments.refund' });
    tracker.track(new RangeError('c'), { ...context, upstream: 'bank' });
    expect(tracker.getMetrics()).toEqual({
      total: 3,
      requests: 0,
      byType: new Map([
        ['TypeError', 2],
        ['RangeError', 1],
      ]),
      byOperation: new Map([
        ['Payments.charge', 2],
        ['Payments.refund', 1],
      ]),
      byUpstream: new Map([['bank', 2]]),
    });
  });

  it.each([
    ['a plain Error', new Error('x'), 'Error'],
    ['a subclass that only has a class name', new GatewayError('x'), 'GatewayError'],
    ['a subclass that names itself', new Renamed('x'), 'PaymentRefused'],
    ['an HttpException', new HttpException('x', 500), 'HttpException'],
    ['an abort', new DOMException('x', 'AbortError'), 'AbortError'],
    ['an error without a name', Object.assign(new Error('x'), { name: '' }), 'Error'],
  ])('takes the type of %s from its name', (_what, error, type) => {
    const tracker = make({ keepErrors: true });
    tracker.track(error, context);
    expect(tracker.getRecentErrors()[0]).toMatchObject({ error, type, message: 'x' });
  });

  it.each([
    ['a string', 'boom', 'boom'],
    ['undefined', undefined, 'undefined'],
    ['null', null, 'null'],
    ['a number', 42, '42'],
    ['a symbol', Symbol('s'), 'Symbol(s)'],
    ['an object', { a: 1 }, '[object Object]'],
    [
      'the failed answer of a message, by what it says',
      { status: 'error', message: 'Sold out' },
      'Sold out',
    ],
    ['a list, however long, by its length', Array(1_000_000).fill('x'), 'Array(1000000)'],
    ['bytes by their number', Buffer.alloc(10_000_000), 'Buffer(10000000 bytes)'],
    ['an object without a prototype', Object.create(null), expect.any(String)],
    [
      'an object that cannot be read',
      {
        toString() {
          throw new Error('no');
        },
      },
      expect.any(String),
    ],
  ])('tracks %s under the type NonError', (_what, thrown, message) => {
    const tracker = make({ keepErrors: true });
    tracker.track(thrown, context);
    expect(tracker.getRecentErrors()[0]).toMatchObject({ type: 'NonError', message });
    expect(tracker.getRecentErrors()[0]?.error).toBe(thrown);
    expect(tracker.getMetrics().byType.get('NonError')).toBe(1);
  });

  it('counts one error once however many operations it passes through, but for each of them', () => {
    const tracker = make();
    const seen: TrackedError[] = [];
    tracker.errors$.subscribe((tracked) => seen.push(tracked));
    const error = new Error('down');
    for (const operation of ['Inner.a', 'Middle.b', 'Outer.c'])
      tracker.track(error, { ...context, operation, upstream: 'bank' });
    expect(tracker.getMetrics()).toMatchObject({
      total: 1,
      byType: new Map([['Error', 1]]),
      byUpstream: new Map([['bank', 1]]),
      byOperation: new Map([
        ['Inner.a', 1],
        ['Middle.b', 1],
        ['Outer.c', 1],
      ]),
    });
    expect(tracker.getRecentErrors()).toHaveLength(1);
    expect(seen).toHaveLength(1);
    expect(logger.messages('error', 'ErrorTracker')).toHaveLength(1);
  });

  it('counts an error object that is thrown again later as a new failure', () => {
    const tracker = make();
    const error = Object.freeze(new Error('always the same'));
    tracker.track(error, context);
    tracker.track(error, context);
    expect(tracker.getMetrics().total).toBe(2);
  });

  it('counts equal strings each: they are no objects that pass through', () => {
    const tracker = make();
    tracker.track('boom', context);
    tracker.track('boom', { ...context, operation: 'Payments.refund' });
    expect(tracker.getMetrics().total).toBe(2);
  });

  it('keeps its maps within maxKeys and counts the rest under __other__', () => {
    const tracker = make({ maxKeys: 2, log: false });
    for (let n = 0; n < 50; n++) {
      const error = Object.assign(new Error('x'), { name: `E${n}` });
      tracker.track(error, { service: 's', operation: `op${n}`, upstream: `up${n}` });
    }
    const { total, byType, byOperation, byUpstream } = tracker.getMetrics();
    expect(total).toBe(50);
    for (const counts of [byType, byOperation, byUpstream]) {
      expect(counts.size).toBe(3);
      expect(counts.get('__other__')).toBe(48);
    }
    tracker.track(Object.assign(new Error('x'), { name: 'E1' }), context);
    expect(tracker.getMetrics().byType.get('E1')).toBe(2);
  });

  it('hands out copies that cannot be used to change it', () => {
    const tracker = make();
    tracker.track(new Error('x'), context);
    tracker.getMetrics().byType.clear();
    tracker.getRecentErrors().length = 0;
    expect(tracker.getMetrics().byType.size).toBe(1);
    expect(tracker.getRecentErrors()).toHaveLength(1);
  });
});

describe('ErrorTracker.getRecentErrors()', () => {
  it('has the newest first, as many as asked for, and no more than recentErrors', () => {
    const tracker = make({ recentErrors: 3, log: false });
    const messages = (limit?: number) =>
      tracker.getRecentErrors(limit).map(({ message }) => message);
    expect(messages()).toEqual([]);
    tracker.track(new Error('1'), context);
    expect(messages()).toEqual(['1']);
    for (const message of ['2', '3', '4', '5']) tracker.track(new Error(message), context);
    expect(messages()).toEqual(['5', '4', '3']);
    expect(messages(2)).toEqual(['5', '4']);
    expect(messages(100)).toEqual(['5', '4', '3']);
    expect(messages(0)).toEqual([]);
    expect(messages(-1)).toEqual([]);
  });

  it('keeps none with recentErrors: 0', () => {
    const tracker = make({ recentErrors: 0 });
    tracker.track(new Error('x'), context);
    expect(tracker.getRecentErrors()).toEqual([]);
    expect(tracker.getMetrics().total).toBe(1);
  });

  it('keeps 100 by default', () => {
    const tracker = make({ log: false });
    for (let n = 0; n < 150; n++) tracker.track(new Error(`${n}`), context);
    expect(tracker.getRecentErrors()).toHaveLength(100);
  });

  it('has what the contract says, with an ISO timestamp', () => {
    jest.useFakeTimers({ now: new Date('2030-01-02T03:04:05.678Z') });
    const tracker = make();
    const error = new GatewayError('down');
    tracker.track(error, context);
    expect(tracker.getRecentErrors()).toEqual([
      {
        type: 'GatewayError',
        message: 'down',
        context,
        handled: false,
        timestamp: '2030-01-02T03:04:05.678Z',
      },
    ]);
  });
});

describe('Errors that hold much', () => {
  it('are told to subscribers, and of recent errors only with keepErrors', () => {
    const [tracker, keeping] = [make(), make({ keepErrors: true })];
    const error = Object.assign(new Error('down'), { response: { data: 'x' } });
    const seen: unknown[] = [];
    tracker.errors$.subscribe((tracked) => seen.push(tracked.error));
    for (const each of [tracker, keeping]) each.track(error, context);
    expect(seen).toEqual([error]);
    expect(tracker.getRecentErrors()[0]).not.toHaveProperty('error');
    expect(keeping.getRecentErrors()[0]?.error).toBe(error);
  });

  it('are let go of once their call has failed, and so is the text that a message is a part of', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const { app } = await boot(
      { imports: [ResilienceDashboardModule.forRoot({ public: true })] },
      { errorContext: () => ({ metadata: { body: Buffer.alloc(10) } }) },
    );
    const service = app.get(ResilienceService);
    const options = {
      critical: true,
      retry: { maxAttempts: 2, baseDelayMs: 0 },
      fallback: () => 1,
    };
    const pipeline = service.pipeline({ name: 'leaky', ...options });
    const held: WeakRef<Error>[] = [];
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let n = 0; n < 100; n++) {
      await pipeline.execute(async () => {
        const part = () => randomBytes(100_000).toString('hex').slice(0, 100);
        const error = Object.assign(new Error(part()), {
          name: part(),
          response: { data: Buffer.alloc(10_000) },
        });
        held.push(new WeakRef(error));
        throw error;
      });
    }
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    expect(app.get(ErrorTracker).getRecentErrors()).toHaveLength(100);
    expect(held.filter((each) => each.deref() !== undefined).length).toBeLessThanOrEqual(2);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(10_000_000); // of 40 MB of texts
  });
});

describe('ErrorTracker.getErrorRate()', () => {
  it('is 0 without calls, and failed calls / calls otherwise, in all and by operation', () => {
    const tracker = make();
    expect(tracker.getErrorRate()).toBe(0);
    expect(tracker.getErrorRate('a')).toBe(0);
    for (const failed of [true, false, false, false]) tracker.recordCall('a', failed);
    for (const failed of [true, true, true, true]) tracker.recordCall('b', failed);
    expect(tracker.getErrorRate()).toBe(5 / 8);
    expect(tracker.getErrorRate('a')).toBe(0.25);
    expect(tracker.getErrorRate('b')).toBe(1);
    expect(tracker.getMetrics().requests).toBe(8);
  });

  it('forgets what is older than windowMs, whatever the wall clock does', () => {
    jest.useFakeTimers();
    const tracker = make({ windowMs: 1_000 });
    tracker.recordCall('a', true);
    jest.advanceTimersByTime(600);
    tracker.recordCall('a', false);
    jest.setSystemTime(Date.now() + 3_600_000);
    expect(tracker.getErrorRate()).toBe(0.5);
    jest.advanceTimersByTime(500);
    expect(tracker.getErrorRate()).toBe(0);
    expect(tracker.getErrorRate('a')).toBe(0);
    expect(tracker.getMetrics().requests).toBe(2); // counters do not forget
  });

  it('is bounded by maxKeys: later operations share a rate', () => {
    const tracker = make({ maxKeys: 1 });
    tracker.recordCall('a', false);
    tracker.recordCall('b', true);
    tracker.recordCall('c', false);
    expect(tracker.getErrorRate('a')).toBe(0);
    expect(tracker.getErrorRate('__other__')).toBe(0.5);
  });
});

describe('ErrorTracker.reset()', () => {
  it('forgets everything, the errors that it has seen too, and keeps its subscribers', () => {
    const tracker = make();
    const seen: unknown[] = [];
    tracker.errors$.subscribe((tracked) => seen.push(tracked));
    const error = new Error('x');
    tracker.track(error, { ...context, upstream: 'bank' });
    tracker.recordCall('a', true);
    tracker.reset();
    expect(tracker.getMetrics()).toEqual({
      total: 0,
      requests: 0,
      byType: new Map(),
      byOperation: new Map(),
      byUpstream: new Map(),
    });
    expect(tracker.getErrorRate()).toBe(0);
    expect(tracker.getErrorRate('a')).toBe(0);
    expect(tracker.getRecentErrors()).toEqual([]);
    tracker.track(error, { ...context, operation: 'another' });
    expect(tracker.getMetrics().total).toBe(1);
    expect(seen).toHaveLength(2);
  });
});

describe("ErrorTracker's log", () => {
  const records = () => logger.messages('error', 'ErrorTracker') as Record<string, unknown>[];

  it('has one structured record for each error, without what is not known', () => {
    const tracker = make();
    tracker.track(new GatewayError('down'), context);
    expect(records()).toEqual([
      {
        event: 'error_occurred',
        message: 'Payments.charge failed: GatewayError: down',
        error_type: 'GatewayError',
        error_message: 'down',
        service: 'Payments',
        operation: 'Payments.charge',
        handled: false,
        timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      },
    ]);
    expect(Object.keys(records()[0] ?? {})).not.toContain('userId');
  });

  it('has the whole context where it is known', () => {
    const tracker = make({ includeStack: true });
    const full = {
      ...context,
      userId: 'u1',
      requestId: 'r1',
      upstream: 'bank',
      metadata: { tenant: 't1' },
    };
    const error = new Error('down');
    tracker.track(error, full);
    expect(records()).toEqual([
      {
        event: 'error_occurred',
        message: 'Payments.charge failed: Error: down',
        error_type: 'Error',
        error_message: 'down',
        error_stack: error.stack,
        ...full,
        handled: false,
        timestamp: expect.any(String),
      },
    ]);
  });

  it('is silent with log: false', () => {
    make({ log: false }).track(new Error('x'), context);
    expect(logger.records).toEqual([]);
  });

  it.each([
    ['development', true],
    ['production', false],
    ['test', false],
  ])('has the stack by default where NODE_ENV is %s: %p', (environment, expected) => {
    const before = process.env.NODE_ENV;
    process.env.NODE_ENV = environment;
    try {
      make().track(new Error('x'), context);
    } finally {
      process.env.NODE_ENV = before;
    }
    expect('error_stack' in (records()[0] ?? {})).toBe(expected);
  });

  it('cuts messages that are very long', () => {
    make().track(new Error('x'.repeat(100_000)), context);
    expect(String(records()[0]?.error_message).length).toBeLessThan(5_000);
  });
});

describe('ErrorTracker.errors$', () => {
  it('tells every subscriber, until it unsubscribes', () => {
    const tracker = make();
    const [one, other]: [string[], string[]] = [[], []];
    const subscription = tracker.errors$.subscribe(({ message }) => one.push(message));
    tracker.errors$.pipe(take(1)).subscribe({ next: ({ message }) => other.push(message) });
    tracker.track(new Error('1'), context);
    tracker.track(new Error('2'), context);
    subscription.unsubscribe();
    tracker.track(new Error('3'), context);
    expect(one).toEqual(['1', '2']);
    expect(other).toEqual(['1']);
  });

  const boom = (): never => {
    throw new Error('subscriber');
  };
  const asyncBoom = async () => boom();

  it.each<[string, (errors$: Observable<TrackedError>) => void]>([
    ['throws', (errors$) => errors$.subscribe(boom)],
    ['throws as an observer', (errors$) => errors$.subscribe({ next: boom })],
    ['rejects', (errors$) => errors$.subscribe(asyncBoom as () => void)],
    ['throws in map()', (errors$) => errors$.pipe(map(boom)).subscribe()],
    ['throws in tap()', (errors$) => errors$.pipe(tap(boom)).subscribe(() => undefined)],
    ['rejects in concatMap()', (errors$) => errors$.pipe(concatMap(asyncBoom)).subscribe()],
    ['throws after operators', (errors$) => errors$.pipe(filter(Boolean)).subscribe(boom)],
    [
      'rejects after operators',
      (errors$) => errors$.pipe(bufferCount(1)).subscribe(asyncBoom as () => void),
    ],
    [
      'throws in its error handler',
      (errors$) => errors$.pipe(map(boom)).subscribe({ error: boom }),
    ],
    ['throws on completion', (errors$) => errors$.pipe(take(1)).subscribe({ complete: boom })],
  ])(
    'a subscriber that %s harms neither the caller, the others nor the process',
    async (_what, subscribe) => {
      const uncaught: unknown[] = [];
      const onUncaught = (error: unknown) => uncaught.push(error);
      const events = ['uncaughtException', 'unhandledRejection'] as const;
      for (const event of events) process.on(event, onUncaught);
      try {
        const tracker = make();
        const seen: string[] = [];
        subscribe(tracker.errors$);
        tracker.errors$.subscribe(({ message }) => seen.push(message));
        expect(() => tracker.track(new Error('1'), context)).not.toThrow();
        expect(() => tracker.track(new Error('2'), context)).not.toThrow();
        // RxJS reports errors that nobody handles from a timer, Node rejections after microtasks.
        for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
        expect(seen).toEqual(['1', '2']);
        expect(uncaught).toEqual([]);
        expect(logger.messages('warn').length).toBeLessThanOrEqual(1);
      } finally {
        for (const event of events) process.off(event, onUncaught);
      }
    },
  );

  it('a subscriber that throws once goes on getting errors', () => {
    const tracker = make();
    let calls = 0;
    tracker.errors$.subscribe(() => {
      calls++;
      throw new Error('subscriber');
    });
    for (let n = 0; n < 3; n++) tracker.track(new Error(`${n}`), context);
    expect(calls).toBe(3);
    expect(logger.warnings()).toMatch(/ErrorTracker\.errors\$.*subscriber/);
  });
});

it('ErrorTracker takes undefined options for ones that are not given', () => {
  const nothing = { windowMs: undefined, maxKeys: undefined, recentErrors: undefined };
  const tracker = make({ ...nothing, log: undefined } as ErrorTrackerOptions);
  tracker.track(new Error('x'), context);
  tracker.recordCall('a', true);
  expect(tracker.getErrorRate()).toBe(1);
  expect(tracker.getMetrics().byType).toEqual(new Map([['Error', 1]]));
  expect(tracker.getRecentErrors()).toHaveLength(1);
  expect(logger.messages('error')).toHaveLength(1);
});

it('ErrorTracker refuses wrong options', () => {
  expect(() => make({ windowMs: 0 })).toThrow(ResilienceConfigurationError);
  expect(() => make({ windowMs: 0 })).toThrow('errorTracker.windowMs: is 0');
});

describe('What resilient calls tell the tracker', () => {
  @Injectable()
  class Payments {
    calls = 0;
    error: unknown = new GatewayError('down');
    @Retry(TWICE)
    async plain(_card?: string): Promise<string> {
      this.calls++;
      throw this.error;
    }
    @Retry(TWICE)
    async recovers(): Promise<string> {
      if (++this.calls % 2 === 1) throw this.error;
      return 'ok';
    }
    @Fallback(() => 'instead')
    @Upstream('bank')
    async answered(): Promise<string> {
      throw this.error;
    }
    @Critical(false)
    async degraded(): Promise<string> {
      throw this.error;
    }
    @Resilience('checkout')
    async bundled(): Promise<string> {
      throw this.error;
    }
    @Timeout(1_000)
    @Upstream('outer')
    async outer(): Promise<string> {
      return this.inner();
    }
    @Upstream('inner')
    @Retry(TWICE)
    async inner(): Promise<string> {
      throw this.error;
    }
    @Fallback(() => {
      throw new TypeError('fallback down');
    })
    async fallbackFails(): Promise<string> {
      throw this.error;
    }
  }

  async function payments(options: Parameters<typeof boot>[1] = {}) {
    const booted = await boot(
      { providers: [Payments] },
      { services: { checkout: {} }, errorTracker: { keepErrors: true }, ...options },
    );
    return { ...booted, target: booted.app.get(Payments), tracker: booted.app.get(ErrorTracker) };
  }

  it('is the final failure only: attempts that were retried are not tracked', async () => {
    const { target, tracker } = await payments();
    await expect(target.plain()).rejects.toBe(target.error);
    expect(tracker.getMetrics()).toMatchObject({ total: 1, requests: 1 });
    await expect(target.recovers()).resolves.toBe('ok');
    expect(tracker.getMetrics()).toMatchObject({ total: 1, requests: 2 });
    expect(tracker.getErrorRate()).toBe(0.5);
    expect(tracker.getErrorRate('Payments.plain')).toBe(1);
    expect(tracker.getErrorRate('Payments.recovers')).toBe(0);
  });

  it.each(['answered', 'degraded'] as const)(
    'counts a failure that was hidden too, as handled (%s)',
    async (method) => {
      const { target, tracker } = await payments();
      await target[method]();
      expect(tracker.getMetrics()).toMatchObject({ total: 1, requests: 1 });
      expect(tracker.getRecentErrors()[0]).toMatchObject({ handled: true, error: target.error });
      expect(tracker.getErrorRate()).toBe(1);
    },
  );

  it('knows the class as service, or the bundle, and the upstream', async () => {
    const { target, tracker } = await payments();
    await target.answered();
    target.error = new GatewayError('another');
    await target.bundled().catch(() => undefined);
    expect(tracker.getRecentErrors().map((each) => each.context)).toEqual([
      { service: 'checkout', operation: 'Payments.bundled' },
      { service: 'Payments', operation: 'Payments.answered', upstream: 'bank' },
    ]);
  });

  it('is nothing where the client is to blame: the call is a success', async () => {
    const { target, tracker } = await payments();
    for (const error of [new BadRequestException(), Object.assign(new Error(), { status: 404 })]) {
      target.error = error;
      await expect(target.plain()).rejects.toBe(error);
    }
    expect(tracker.getMetrics()).toMatchObject({ total: 0, requests: 2 });
    expect(tracker.getErrorRate()).toBe(0);
  });

  it('counts one error through nested operations once, under the innermost upstream', async () => {
    const { target, tracker, logger: log } = await payments();
    await expect(target.outer()).rejects.toBe(target.error);
    expect(tracker.getMetrics()).toEqual({
      total: 1,
      requests: 2,
      byType: new Map([['GatewayError', 1]]),
      byUpstream: new Map([['inner', 1]]),
      byOperation: new Map([
        ['Payments.inner', 1],
        ['Payments.outer', 1],
      ]),
    });
    expect(log.messages('error', 'ErrorTracker')).toHaveLength(1);
  });

  it("tracks the call's error where the fallback fails, not hidden", async () => {
    const { target, tracker } = await payments();
    await expect(target.fallbackFails()).rejects.toThrow('fallback down');
    expect(tracker.getRecentErrors()[0]).toMatchObject({ error: target.error, handled: false });
  });

  it('tracks what is thrown without being an error', async () => {
    const { target, tracker } = await payments();
    target.error = undefined;
    await expect(target.plain()).rejects.toBeUndefined();
    expect(tracker.getMetrics().byType).toEqual(new Map([['NonError', 1]]));
  });

  it('adds what errorContext knows at the failure, and keeps what the library knows', async () => {
    let requestId = 0;
    const { target, tracker } = await payments({
      errorContext: () => ({
        requestId: `r${++requestId}`,
        userId: 'u1',
        metadata: { tenant: 't' },
        operation: 'forged',
      }),
    });
    await target.plain().catch(() => undefined);
    await target.plain().catch(() => undefined);
    expect(tracker.getRecentErrors()[1]?.context).toEqual({
      service: 'Payments',
      operation: 'Payments.plain',
      requestId: 'r1',
      userId: 'u1',
      metadata: { tenant: 't' },
    });
    expect(tracker.getRecentErrors()[0]?.context.requestId).toBe('r2');
  });

  it('survives an errorContext that throws, and says so once', async () => {
    const {
      target,
      tracker,
      logger: log,
    } = await payments({
      errorContext: () => {
        throw new Error('no store');
      },
    });
    for (let n = 0; n < 2; n++) await expect(target.plain()).rejects.toBe(target.error);
    expect(tracker.getRecentErrors()[0]?.context).toEqual({
      service: 'Payments',
      operation: 'Payments.plain',
    });
    expect(log.messages('warn').filter((text) => /no store/.test(String(text)))).toHaveLength(1);
  });

  it('never logs the arguments of a call', async () => {
    const { target, logger: log } = await payments();
    await target.plain('4111 1111 1111 1111').catch(() => undefined);
    expect(log.messages('error')).toHaveLength(1);
    expect(JSON.stringify(log.records)).not.toContain('4111');
  });

  it('logs nothing for calls that succeed', async () => {
    const { target, logger: log } = await payments();
    const before = log.records.length;
    await target.recovers();
    expect(log.records).toHaveLength(before);
  });

  it('follows the options of forRoot()', async () => {
    const {
      target,
      tracker,
      logger: log,
    } = await payments({
      errorTracker: { log: false, recentErrors: 1, maxKeys: 1 },
    });
    await target.plain().catch(() => undefined);
    await target.answered();
    expect(log.messages('error')).toEqual([]);
    expect(tracker.getRecentErrors()).toHaveLength(1);
    expect(tracker.getMetrics().byOperation.get('__other__')).toBe(1);
  });
});
