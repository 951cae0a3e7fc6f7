import { channel } from 'node:diagnostics_channel';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Injectable, Module, Scope } from '@nestjs/common';
import { LazyModuleLoader } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import { lastValueFrom, Observable, of } from 'rxjs';
import request from 'supertest';
import { httpError, transportError } from '../../lib/edge/edge-errors.js';
import { retryAfterMs } from '../../lib/errors/retry-after.js';
import {
  Bulkhead,
  decoratorOf,
  defineStage,
  getStageToken,
  InjectStage,
  InMemoryMetrics,
  type ResilienceEvent,
  ResilienceEvents,
  ResilienceModule,
  type ResilienceModuleOptions,
  ResilienceService,
  Retry,
  rules,
  WAIT,
} from '../../lib/index.js';
import { PrometheusMetrics } from '../../lib/prometheus/index.js';
import { ResilienceHealthIndicator } from '../../lib/terminus/index.js';
import { bootBare, closeAll, track } from '../binding/support.js';
import { DashboardApp } from '../dashboard/support.js';
import { latch } from '../edge/waiting.js';

afterEach(closeAll);

/** Tells how many calls of an operation run at once, and lets no more than so many in. */
const concurrency = defineStage({
  name: 'concurrency',
  place: 'attempt',
  inside: 'bulkhead',
  named: 'concurrencies',
  options: { warnAbove: rules.countOrZero, refuseAbove: rules.count },
  defaults: { warnAbove: 1 },
  short: (warnAbove: number) => ({ warnAbove }),
  make(name, { warnAbove, refuseAbove = 100 }, host) {
    let running = 0;
    let most = 0;
    return {
      admit() {
        if (running >= refuseAbove) {
          host.count('concurrency.refused');
          throw host.refusal({ message: `${running} run in ${name} already` });
        }
        running++;
        most = Math.max(most, running);
        host.gauge('concurrency.running', running);
        if (running > warnAbove) host.report({ type: 'crowded', running });
        return running;
      },
      finished() {
        running--;
        host.gauge('concurrency.running', running);
      },
      snapshot: () => ({ running, most }),
    };
  },
  metrics: {
    'concurrency.running': {
      kind: 'gauge',
      help: 'Calls that run.',
      labels: ['concurrency'],
      announces: [{ counter: 'concurrency.refused' }],
    },
    'concurrency.refused': {
      kind: 'counter',
      help: 'Calls that were refused.',
      labels: ['concurrency'],
    },
  },
  error: { code: 'TOO_MANY', http: 429, grpc: 8, message: 'Too many at once' },
  health: ({ running }) => (running > 1 ? 'degraded' : 'up'),
});
const Concurrency = decoratorOf(concurrency);

const QUIET = {
  errorTracker: { log: false },
  bootLog: 'operations',
  shutdown: { graceMs: 0 },
} as const;

/** Boots with the stage, and `db` as the name of an instance. */
function boot(
  metadata: Parameters<typeof bootBare>[0],
  options: Partial<Parameters<typeof ResilienceModule.forRoot<[typeof concurrency]>>[0]> = {},
) {
  const module = ResilienceModule.forRoot({
    ...QUIET,
    stages: [concurrency],
    concurrencies: { db: { refuseAbove: 2 }, small: 3 },
    ...options,
  });
  return bootBare({ ...metadata, imports: [module, ...(metadata.imports ?? [])] });
}

const messageOf = async (booting: Promise<unknown>) => {
  try {
    await booting;
  } catch (error) {
    return (error as Error).message;
  }
  return 'nothing was thrown';
};

describe('A stage of a user’s own', () => {
  it('is described, counted and logged at boot, with the options in force', async () => {
    @Injectable()
    class Orders {
      @Concurrency({ refuseAbove: 5 })
      @Bulkhead({ maxConcurrent: 2 })
      @Retry(2)
      async own(): Promise<void> {}

      @Concurrency('db')
      async shared(): Promise<void> {}

      @Concurrency(7)
      async short(): Promise<void> {}
    }
    const { app, logger } = await boot({ providers: [Orders] });
    const described = app.get(ResilienceService).describe();
    expect(described.map(({ stages }) => stages.concurrency)).toEqual([
      { name: 'Orders.own', warnAbove: 1, refuseAbove: 5 },
      { name: 'db', warnAbove: 1, refuseAbove: 2 },
      { name: 'Orders.short', warnAbove: 7 },
    ]);
    const lines = logger.messages('log', 'ResilienceModule');
    expect(lines).toContain('3 operations: 1 with retry, 1 with bulkhead, 3 with concurrency');
    expect(lines).toContain(
      'Orders.own (provider): at most 2 attempts, bulkhead Orders.own (2), concurrency Orders.own',
    );
  });

  it('stands at its place around attempts, and shares an instance by its name', async () => {
    const { open, opened } = latch();
    @Injectable()
    class Orders {
      @Concurrency('db')
      async one(): Promise<void> {
        await opened;
      }

      @Retry({ maxAttempts: 2, baseDelayMs: 0 })
      @Concurrency('db')
      async two(): Promise<void> {
        await opened;
      }
    }
    const { app } = await boot({ providers: [Orders] });
    const orders = app.get(Orders);
    const running = [orders.one(), orders.two()];
    await expect(orders.one()).rejects.toMatchObject({
      name: 'ConcurrencyError',
      code: 'TOO_MANY',
      message: '2 run in db already',
    });
    await expect(orders.one()).rejects.toBeInstanceOf(concurrency.Error);
    expect(app.get(InMemoryMetrics).get('concurrency.refused', { concurrency: 'db' })).toBe(2);
    open();
    await Promise.all(running);
    expect(app.get(InMemoryMetrics).get('concurrency.running', { concurrency: 'db' })).toBe(0);
  });

  it.each(['default', 'request', 'transient'] as const)(
    'protects Promises, Observables and async generators of providers of %s scope',
    async (scope) => {
      const scopes = {
        default: Scope.DEFAULT,
        request: Scope.REQUEST,
        transient: Scope.TRANSIENT,
      };
      @Injectable({ scope: scopes[scope] })
      class Orders {
        @Concurrency({ refuseAbove: 1 })
        async promise(inside: () => unknown): Promise<unknown> {
          return inside();
        }

        @Concurrency({ refuseAbove: 1 })
        observable(inside: () => unknown): Observable<unknown> {
          return new Observable((subscriber) => of(inside()).subscribe(subscriber));
        }

        @Concurrency({ refuseAbove: 1 })
        async *generator(inside: () => unknown): AsyncGenerator<unknown> {
          yield inside();
        }
      }
      const { app } = await boot({ providers: [Orders] });
      const orders = scope === 'default' ? app.get(Orders) : await app.resolve(Orders);
      const metrics = app.get(InMemoryMetrics);
      const runningIn = (method: string) => () =>
        metrics.get('concurrency.running', { concurrency: `Orders.${method}` });
      expect(await orders.promise(runningIn('promise'))).toBe(1);
      expect(await lastValueFrom(orders.observable(runningIn('observable')))).toBe(1);
      for await (const value of orders.generator(runningIn('generator'))) expect(value).toBe(1);
      for (const method of ['promise', 'observable', 'generator'])
        expect(runningIn(method)()).toBe(0);
    },
  );

  it('is part of bundles, of pipelines that are made in code, and of what is injected', async () => {
    @Injectable()
    class Orders {
      constructor(@InjectStage(concurrency, 'db') readonly db: { snapshot(): { most: number } }) {}
    }
    const { app } = await boot(
      { providers: [Orders] },
      {
        services: { pay: { concurrency: 'db' }, ship: { concurrency: { refuseAbove: 1 } } },
        defaults: { concurrency: { warnAbove: 9 } },
      },
    );
    const resilience = app.get(ResilienceService);
    expect(await resilience.execute('pay', async () => 'paid')).toBe('paid');
    expect(app.get(Orders).db.snapshot()).toEqual({ running: 0, most: 1 });
    const ship = app.get<{ snapshot(): object }>(getStageToken(concurrency, 'ship'));
    expect(ship.snapshot()).toEqual({ running: 0, most: 0 });
    const pipeline = resilience.pipeline<[typeof concurrency]>({ name: 'own', concurrency: {} });
    expect(await pipeline.execute(async () => 'done')).toBe('done');
    expect(resilience.describe().map(({ stages }) => stages)).toEqual(
      [
        { concurrency: { name: 'pay', warnAbove: 9, refuseAbove: 2 } },
        { concurrency: { name: 'ship', warnAbove: 9, refuseAbove: 1 } },
        { concurrency: { name: 'own', warnAbove: 9 } },
      ].map(({ concurrency: it }) => ({
        concurrency: { ...it, name: it.name === 'pay' ? 'db' : it.name },
      })),
    );
  });

  it('is asked outermost first, and told innermost first', async () => {
    const log: string[] = [];
    const logging = <const Name extends string>(name: Name, inside?: string) =>
      defineStage({
        name,
        options: {},
        ...(inside !== undefined && { inside }),
        make: () => ({
          admit: () => log.push(`${name} admits`),
          settled: (_permit, _attempt, how) => void log.push(`${name} settles ${how}`),
          finished: () => void log.push(`${name} finishes`),
        }),
      });
    const inner = logging('inner');
    const middle = logging('middle', 'circuitBreaker');
    const outer = logging('outer', 'hedge');
    const within = logging('within', 'outer');
    const stages = [inner, middle, outer, within] as const;
    const module = ResilienceModule.forRoot({ ...QUIET, stages });
    const { app, logger } = await bootBare({ imports: [module] });
    const pipeline = app.get(ResilienceService).pipeline<typeof stages>({
      name: 'all',
      inner: {},
      middle: {},
      outer: {},
      within: {},
      circuitBreaker: {},
      bulkhead: {},
    });
    expect(Object.keys(app.get(ResilienceService).describe()[0]?.stages ?? {})).toEqual([
      'outer',
      'within',
      'circuitBreaker',
      'middle',
      'bulkhead',
      'inner',
    ]);
    await pipeline.execute(async () => 'done');
    const names = ['outer', 'within', 'middle', 'inner'];
    expect(log.filter((line) => line.endsWith('admits'))).toEqual(
      names.map((it) => `${it} admits`),
    );
    for (const end of ['finishes', 'settles success'])
      expect(log.filter((line) => line.endsWith(end))).toEqual(
        names.map((it) => `${it} ${end}`).reverse(),
      );
    expect(logger.warnings()).toBe('');
  });

  it('counts nothing for an instance that is there no more', async () => {
    const { app } = await boot({});
    const { open, opened } = latch();
    const pipeline = app
      .get(ResilienceService)
      .pipeline<[typeof concurrency]>({ name: 'own', concurrency: {} });
    const run = pipeline.execute(() => opened);
    const running = () =>
      app.get(InMemoryMetrics).get('concurrency.running', { concurrency: 'own' });
    expect(running()).toBe(1);
    pipeline.dispose();
    expect(running()).toBe(0);
    open();
    await run;
  });

  it('gives way to what a test puts in the place of an instance', async () => {
    let asked = 0;
    @Injectable()
    class Orders {
      @Concurrency('db')
      async run(): Promise<string> {
        return 'done';
      }
    }
    const module = ResilienceModule.forRoot({
      ...QUIET,
      stages: [concurrency],
      concurrencies: { db: { refuseAbove: 1 } },
    });
    const testing = Test.createTestingModule({ imports: [module], providers: [Orders] })
      .overrideProvider(getStageToken(concurrency, 'db'))
      .useValue({ admit: () => ++asked });
    const app = track(await testing.compile());
    await app.init();
    expect(await app.get(Orders).run()).toBe('done');
    expect(asked).toBe(1);
    expect(app.get(ResilienceService).instances().at(-1)?.instances[0]?.health()).toEqual({
      status: 'up',
    });
  });

  it('can let attempts wait, and give their places up where they end before', async () => {
    const waiting = new Set<() => void>();
    const gate = defineStage({
      name: 'gate',
      options: {},
      make: () => ({
        admit: () => WAIT,
        wait(_attempt, admitted) {
          const open = () => admitted(() => ({ permit: 'in' }));
          waiting.add(open);
          return () => waiting.delete(open);
        },
        snapshot: () => ({ waiting: waiting.size }),
      }),
    });
    const Gate = decoratorOf(gate);
    @Injectable()
    class Orders {
      @Gate()
      async run(): Promise<string> {
        return 'done';
      }
    }
    const module = ResilienceModule.forRoot({ ...QUIET, stages: [gate] });
    const { app } = await bootBare({ imports: [module], providers: [Orders] });
    const run = app.get(Orders).run();
    for (const open of waiting) open();
    expect(await run).toBe('done');
    waiting.clear();
    const pipeline = app.get(ResilienceService).pipeline<[typeof gate]>({ name: 'own', gate: {} });
    const caller = new AbortController();
    const given = pipeline.execute(async () => 'never', { signal: caller.signal });
    expect(waiting.size).toBe(1);
    caller.abort(new Error('gone'));
    await expect(given).rejects.toThrow('gone');
    expect(waiting.size).toBe(0);
  });

  it('can have an option of its own that says something is shared, without a fleet', async () => {
    const line = defineStage({
      name: 'line',
      named: 'lines',
      options: { shared: rules.boolean },
      defaults: { shared: true },
      make: (_name, { shared }) => ({
        admit: () => ({ permit: 'in' }),
        snapshot: () => ({ shared }),
      }),
    });
    const options = { ...QUIET, stages: [line] as const, lines: { a: { shared: true }, b: {} } };
    const { app } = await bootBare({ imports: [ResilienceModule.forRoot(options)] });
    const lines = app.get(ResilienceService).instances().at(-1)?.instances;
    expect(lines?.map(({ snapshot }) => snapshot())).toMatchObject([
      { shared: true },
      { shared: true },
    ]);
  });

  it('can come with options that other providers are needed for, and get names from features', async () => {
    @Injectable()
    class Orders {
      @Concurrency('db')
      @Retry({ maxAttempts: 1 })
      async run(): Promise<void> {}

      @Concurrency('files')
      async read(): Promise<void> {}
    }
    const module = ResilienceModule.forRootAsync({
      useFactory: async () => ({ ...QUIET, stages: [concurrency], concurrencies: { db: {} } }),
    });
    const feature = ResilienceModule.forFeature<[typeof concurrency]>({
      concurrencies: { files: { refuseAbove: 4 } },
    });
    const { app } = await bootBare({ imports: [module, feature], providers: [Orders] });
    await app.get(Orders).run();
    const [stage] = app.get(ResilienceService).instances().slice(-1);
    expect(stage?.instances.map(({ name, snapshot }) => [name, snapshot()])).toEqual([
      ['db', { running: 0, most: 1 }],
      ['files', { running: 0, most: 0 }],
    ]);
  });

  it('has instances that a lazily loaded feature names, for decorators and injection there', async () => {
    @Injectable()
    class Reports {
      constructor(@InjectStage(concurrency, 'lazy') readonly injected: object) {}

      @Concurrency('lazy')
      async run(): Promise<void> {}
    }
    @Module({
      imports: [
        ResilienceModule.forFeature<[typeof concurrency]>({
          concurrencies: { lazy: { refuseAbove: 4 } },
          services: { bundled: { concurrency: 5 } },
        }),
      ],
      providers: [Reports],
    })
    class ReportsModule {}
    const { app } = await boot({ providers: [] });
    const loaded = await app.get(LazyModuleLoader).load(() => ReportsModule);
    const find = <T = object>(token: unknown) => loaded.get<T>(token as string, { strict: false });
    const reports = find<Reports>(Reports);
    await reports.run();
    const [stage] = app.get(ResilienceService).instances().slice(-1);
    expect(stage?.instances.map(({ name, snapshot }) => [name, snapshot()])).toEqual([
      ['db', { running: 0, most: 0 }],
      ['small', { running: 0, most: 0 }],
      ['lazy', { running: 0, most: 1 }],
      ['bundled', { running: 0, most: 0 }],
    ]);
    expect(find(getStageToken(concurrency, 'lazy'))).toBe(reports.injected);
    expect(find(getStageToken(concurrency, 'bundled'))).toHaveProperty('admit');
  });

  it('tells events to whoever listens, and metrics to exporters', async () => {
    @Injectable()
    class Orders {
      @Concurrency({ warnAbove: 0 })
      async run(): Promise<void> {}
    }
    const prometheus = new PrometheusMetrics();
    const { app } = await boot({ providers: [Orders] }, { metrics: prometheus });
    const events: unknown[] = [];
    app.get(ResilienceEvents).events$.subscribe((event) => events.push(event));
    const published: unknown[] = [];
    const listen = (event: unknown) => published.push((event as ResilienceEvent).type);
    channel('nestjs-bulwark:crowded').subscribe(listen);
    try {
      await app.get(Orders).run();
    } finally {
      channel('nestjs-bulwark:crowded').unsubscribe(listen);
    }
    const crowded = { type: 'crowded', concurrency: 'Orders.run', running: 1 };
    expect(events).toMatchObject([crowded]);
    expect(published).toEqual(['crowded']);
    const scraped = await prometheus.registry.metrics();
    expect(scraped).toContain('resilience_concurrency_running{concurrency="Orders.run"} 0');
    expect(scraped).toContain('resilience_concurrency_refused_total{concurrency="Orders.run"} 0');
  });

  it('answers clients of HTTP by what its error means', async () => {
    const { open, opened } = latch();
    const { open: begin, opened: begun } = latch();
    @Controller()
    class Orders {
      @Get()
      @Concurrency({ refuseAbove: 1 })
      async find(): Promise<string> {
        begin();
        await opened;
        return 'found';
      }
    }
    const { app } = await boot({ controllers: [Orders] });
    await app.listen(0);
    const server = app.getHttpServer() as Parameters<typeof request>[0];
    const first = request(server)
      .get('/')
      .then(({ text }) => text);
    await begun;
    const { status, body } = await request(server).get('/');
    expect([status, body]).toEqual([
      429,
      {
        statusCode: 429,
        error: 'Too Many Requests',
        message: 'Too many at once',
        code: 'TOO_MANY',
      },
    ]);
    open();
    expect(await first).toBe('found');
  });
});

describe('How its instances stand', () => {
  const two = async () => {
    const { open, opened } = latch();
    @Injectable()
    class Orders {
      @Concurrency('db')
      async wait(): Promise<void> {
        await opened;
      }
    }
    return { Orders, open };
  };

  it('is a row of the dashboard', async () => {
    const { Orders, open } = await two();
    const dashboard = await DashboardApp.start(
      { public: true },
      {
        providers: [Orders],
        resilience: {
          ...QUIET,
          stages: [concurrency],
          concurrencies: { db: {} },
        } as unknown as ResilienceModuleOptions,
      },
    );
    const watcher = await dashboard.watch();
    const full = await watcher.frame(() => true);
    const idle = { name: 'db', status: 'up', running: 0, most: 0 };
    expect(full['stage:concurrencies']).toEqual([idle]);
    expect(full.operations).toEqual([expect.objectContaining({ shares: ['concurrency db'] })]);
    const orders = dashboard.app.get(Orders);
    const running = [orders.wait(), orders.wait()];
    const busy = { name: 'db', status: 'degraded', running: 2, most: 2 };
    const rows = await watcher.frame((frame) => frame !== full && 'stage:concurrencies' in frame);
    expect(rows['stage:concurrencies']).toEqual([busy]);
    open();
    await Promise.all(running);
  });

  it('is part of a health check, with who uses what is not well', async () => {
    const { Orders, open } = await two();
    const { app } = await boot({
      imports: [TerminusModule],
      providers: [Orders, ResilienceHealthIndicator],
    });
    const health = app.get(ResilienceHealthIndicator);
    expect((await health.isHealthy()).resilience).toMatchObject({
      status: 'up',
      concurrencies: { db: { status: 'up', running: 0, most: 0 } },
    });
    const running = [app.get(Orders).wait(), app.get(Orders).wait()];
    expect((await health.isHealthy()).resilience).toMatchObject({
      status: 'degraded',
      degraded: ['concurrencies.db'],
      concurrencies: { db: { status: 'degraded', running: 2, operations: ['Orders.wait'] } },
    });
    open();
    await Promise.all(running);
  });

  it('is asked without harm where a stage cannot say it', async () => {
    const broken = defineStage({
      name: 'broken',
      options: {},
      make: () => ({
        admit: () => undefined,
        snapshot(): { running: number } {
          throw new Error('no');
        },
      }),
      health: ({ running }) => (running > 1 ? 'down' : 'up'),
    });
    const Broken = decoratorOf(broken);
    @Injectable()
    class Orders {
      @Broken()
      async run(): Promise<void> {}
    }
    const module = ResilienceModule.forRoot({ ...QUIET, stages: [broken] });
    const { app } = await bootBare({ imports: [module], providers: [Orders] });
    const stage = app.get(ResilienceService).instances().at(-1);
    expect(stage).toMatchObject({ stage: 'broken', section: 'broken' });
    expect(stage?.instances.map((it) => [it.name, it.snapshot(), it.health()])).toEqual([
      ['Orders.run', {}, { status: 'up' }],
    ]);
  });

  it('is told no more when an instance is disposed of, with its pipeline or the application', async () => {
    const disposed: string[] = [];
    const owned = defineStage({
      name: 'owned',
      named: 'owners',
      options: {},
      make: (name) => ({ admit: () => undefined, dispose: () => disposed.push(name) }),
    });
    const module = ResilienceModule.forRoot({ ...QUIET, stages: [owned], owners: { db: {} } });
    const { app } = await bootBare({ imports: [module] });
    const resilience = app.get(ResilienceService);
    const pipeline = resilience.pipeline<[typeof owned]>({ name: 'own', owned: {} });
    expect(
      resilience
        .instances()
        .at(-1)
        ?.instances.map(({ name }) => name),
    ).toEqual(['db', 'own']);
    pipeline.dispose();
    expect(disposed).toEqual(['own']);
    expect(
      resilience
        .instances()
        .at(-1)
        ?.instances.map(({ name }) => name),
    ).toEqual(['db']);
    await app.close();
    expect(disposed).toEqual(['own', 'db']);
  });

  it('keeps nothing else from ending where its end throws, or a test has put something else in its place', async () => {
    const ended: string[] = [];
    const brittle = defineStage({
      name: 'brittle',
      named: 'brittles',
      options: {},
      make: (name) => ({
        admit: () => undefined,
        dispose() {
          ended.push(name);
          throw new Error('cannot end');
        },
      }),
    });
    const module = ResilienceModule.forRoot({
      ...QUIET,
      stages: [brittle],
      brittles: { one: {}, two: {}, replaced: {} },
      alerts: { sendCritical: () => undefined, flush: async () => void ended.push('alerts') },
    });
    class Caller {
      constructor(@InjectStage(brittle, 'replaced') readonly stage: unknown) {}
    }
    const testing = await Test.createTestingModule({ imports: [module], providers: [Caller] })
      .overrideProvider(getStageToken(brittle, 'replaced'))
      .useValue({ admit: () => undefined })
      .compile();
    testing.useLogger(false);
    await testing.init();
    await testing.close();
    expect(ended).toEqual(['one', 'two', 'alerts']);
  });
});

describe('Its error', () => {
  it.each([
    ['says so', true, 1_200],
    ['does not', undefined, undefined],
  ])('is waited for by retries where it %s', (_, delaysRetries, waitMs) => {
    const meaning = { code: 'USED_UP', http: 429, grpc: 8, message: 'Used up' };
    const stage = defineStage({
      name: 'quota',
      options: {},
      make: () => ({ admit: () => undefined }),
      error: delaysRetries === undefined ? meaning : { ...meaning, delaysRetries },
    });
    const error = new stage.Error('used up', { retryAfterMs: 1_200 });
    expect(retryAfterMs(error)).toBe(waitMs);
  });

  it('becomes that of the transport, whichever it is', async () => {
    const error = new concurrency.Error('7 run', { retryAfterMs: 1_200 });
    const told = { code: 'TOO_MANY', message: 'Too many at once' };
    expect(await transportError(error, 'graphql')).toMatchObject({
      message: 'Too many at once',
      extensions: { code: 'TOO_MANY' },
    });
    expect(await transportError(error, 'ws')).toMatchObject({
      error: { status: 'error', ...told },
    });
    expect(await transportError(error, 'rpc')).toMatchObject({
      error: { status: 'error', ...told },
    });
    expect(await transportError(error, 'grpc')).toMatchObject({
      error: { code: 8, message: 'TOO_MANY: Too many at once' },
    });
    const headers: unknown[] = [];
    const response = { header: (...header: unknown[]) => headers.push(header) };
    expect(httpError(error, response)).toMatchObject({ status: 429, response: told });
    expect(headers).toEqual([['Retry-After', '2']]);
  });
});

describe('What goes wrong in a hook of its own', () => {
  it('keeps nobody from what stands around it, and is said once', async () => {
    const broken = defineStage({
      name: 'broken',
      options: {},
      make: () => ({
        admit: () => undefined,
        finished() {
          throw new Error('cannot finish');
        },
        snapshot(): object {
          throw new Error('cannot say');
        },
      }),
    });
    const Broken = decoratorOf(broken);
    @Injectable()
    class Orders {
      @Bulkhead({ maxConcurrent: 1, queueLimit: 0 })
      @Broken()
      async run(): Promise<string> {
        return 'done';
      }
    }
    const module = ResilienceModule.forRoot({ ...QUIET, stages: [broken] });
    const { app, logger } = await bootBare({ imports: [module], providers: [Orders] });
    for (let calls = 0; calls < 3; calls++) expect(await app.get(Orders).run()).toBe('done');
    app.get(ResilienceService).instances().at(-1)?.instances[0]?.snapshot();
    expect(logger.messages('warn', 'Resilience')).toEqual([
      'The broken "Orders.run" failed: cannot finish (said once; calls go on without it)',
    ]);
  });
});

describe('What is wrong with a stage of a user’s own fails the boot', () => {
  const decorated = (decorator: ReturnType<typeof Concurrency>) => {
    @Injectable()
    class Orders {
      @decorator
      async run(): Promise<void> {}
    }
    return { providers: [Orders] };
  };

  it.each([
    [
      'a wrong option',
      Concurrency({ refuseAbove: 0 }),
      'Orders.run @Concurrency().refuseAbove: is 0; allowed: a whole number from 1 to 1000000',
    ],
    [
      'an unknown option',
      Concurrency({ refuseabove: 1 } as object),
      'Orders.run @Concurrency().refuseabove: there is no such option; known: warnAbove, refuseAbove, key, maxKeys, idleMs, keyLabel; did you mean refuseAbove?',
    ],
    [
      'an unknown name',
      Concurrency('bd'),
      'Orders.run @Concurrency(): there is no concurrency "bd"; known: db, small; did you mean db?',
    ],
    [
      'something short that is wrong',
      Concurrency(-1),
      'Orders.run @Concurrency().warnAbove: is -1; allowed: a whole number from 0 to 1000000',
    ],
  ])('%s', async (_what, decorator, message) => {
    expect(await messageOf(boot(decorated(decorator)))).toContain(message);
  });

  it('options that name, bundle or fill in', async () => {
    const wrong = { refuseAbove: 'many' } as unknown as { refuseAbove: number };
    expect(await messageOf(boot({}, { concurrencies: { db: wrong } }))).toContain(
      'concurrencies.db.refuseAbove: is "many"; allowed: a whole number',
    );
    expect(await messageOf(boot({}, { services: { pay: { concurrency: wrong } } }))).toContain(
      'services.pay.concurrency.refuseAbove: is "many"',
    );
    expect(await messageOf(boot({}, { services: { pay: { concurrency: 'bd' } } }))).toContain(
      'services.pay.concurrency: there is no concurrency "bd"',
    );
    expect(await messageOf(boot({}, { defaults: { concurrency: wrong } }))).toContain(
      'defaults.concurrency.refuseAbove: is "many"',
    );
  });

  it('a decorator whose stage was forgotten', async () => {
    const imports = [ResilienceModule.forRoot({ ...QUIET })];
    expect(await messageOf(bootBare({ imports, ...decorated(Concurrency()) }))).toBe(
      'Orders.run @Concurrency(): is of a stage that this application does not have; add it in the root module: ResilienceModule.forRoot({ stages: [concurrency] })',
    );
  });

  it('the name of an instance, where these have none', async () => {
    const plain = defineStage({
      name: 'plain',
      options: { size: rules.count },
      make: () => ({ admit: () => undefined }),
    });
    const Plain = decoratorOf(plain) as (argument: string) => ReturnType<typeof Concurrency>;
    const imports = [ResilienceModule.forRoot({ ...QUIET, stages: [plain] })];
    expect(await messageOf(bootBare({ imports, ...decorated(Plain('db')) }))).toBe(
      'Orders.run @Plain(): is "db"; allowed: an object with size',
    );
  });

  it('a name that is taken, a place that there is not, and what is no stage', async () => {
    const make = () => ({ admit: () => undefined });
    const failing = (stages: unknown) =>
      messageOf(
        bootBare({
          imports: [ResilienceModule.forRoot({ ...QUIET, stages: stages as [typeof concurrency] })],
        }),
      );
    expect(await failing([defineStage({ name: 'bulkhead', options: {}, make })])).toBe(
      'stages[0] (bulkhead): is called bulkhead, which is taken; allowed: a name, and one for the module’s option, that nothing else has'.replace(
        '’',
        "'",
      ),
    );
    const named = defineStage({ name: 'own', named: 'services', options: {}, make });
    expect(await failing([named])).toContain('is called services, which is taken');
    expect(await failing([concurrency, concurrency])).toContain('is called concurrency');
    const misplaced = defineStage({ name: 'own', inside: 'bulkheads', options: {}, make });
    expect(await failing([misplaced])).toBe(
      'stages[0].inside: is "bulkheads", which no attempt is inside of; known: hedge, circuitBreaker, rateLimit, timeout, bulkhead; did you mean bulkhead?',
    );
    const counting = defineStage({
      name: 'own',
      options: {},
      make,
      metrics: { 'requests.total': { kind: 'counter', help: 'Mine.', labels: ['own'] } },
    });
    expect(await failing([counting])).toContain('metrics.requests.total of a stage: is recorded');
    const empty = defineStage({ name: 'own', options: {}, make: () => ({}) as { admit(): void } });
    const Own = decoratorOf(empty);
    @Injectable()
    class Orders {
      @Own()
      async run(): Promise<void> {}
    }
    const imports = [ResilienceModule.forRoot({ ...QUIET, stages: [empty] })];
    expect(await messageOf(bootBare({ imports, providers: [Orders] }))).toBe(
      'Orders.run: make() of its stage answers {}; allowed: an object with admit()',
    );
    expect(await failing([{}])).toContain(
      'stages[0]: is {}; allowed: an array of what defineStage',
    );
    expect(await failing([defineStage({ name: 'Own', options: {}, make })])).toContain(
      'stages[0].name: is "Own"; allowed: a word',
    );
  });
});
