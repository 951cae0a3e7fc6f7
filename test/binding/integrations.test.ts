import { jest } from '@jest/globals';
import {
  applyDecorators,
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  Header,
  HttpCode,
  Injectable,
  type NestInterceptor,
  Param,
  Post,
  Query,
  Scope,
  SetMetadata,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { APP_GUARD, Reflector } from '@nestjs/core';
import { EventEmitter2, EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import {
  type CustomTransportStrategy,
  EventPattern,
  MessagePattern,
  Payload,
  Server,
} from '@nestjs/microservices';
import {
  Cron,
  CronExpression,
  Interval,
  ScheduleModule,
  SchedulerRegistry,
} from '@nestjs/schedule';
import { isObservable, lastValueFrom } from 'rxjs';
import request from 'supertest';
import {
  Bulkhead,
  CircuitBreaker,
  Fallback,
  ResilienceConfigurationError,
  ResilienceModule,
  ResilienceService,
  Retry,
  Timeout,
} from '../../lib/index.js';
import { boot, bootBare, closeAll, Failing, runsOf, TWICE } from './support.js';

afterEach(closeAll);

/** Fails the first call of each two. */
class Flaky {
  calls = 0;
  answer(value: string): string {
    if (++this.calls % 2 === 1) throw new Error('down');
    return `${value}, attempt ${this.calls}`;
  }
}

describe('An HTTP handler', () => {
  it('keeps its route, status, headers and parameters with our decorator above and below @Get()', async () => {
    @Controller('items')
    class Items extends Flaky {
      @Retry(TWICE)
      @Get('above/:id')
      @HttpCode(203)
      @Header('x-kind', 'item')
      async above(@Param('id') id: string, @Query('q') query: string): Promise<string> {
        return this.answer(`${id} ${query}`);
      }
      @Get('below/:id')
      @HttpCode(203)
      @Header('x-kind', 'item')
      @Retry(TWICE)
      async below(@Param('id') id: string, @Query('q') query: string): Promise<string> {
        return this.answer(`${id} ${query}`);
      }
    }
    const { app } = await boot({ controllers: [Items] });
    for (const path of ['above', 'below']) {
      app.get(Items).calls = 0;
      const response = await request(app.getHttpServer()).get(`/items/${path}/7?q=x`);
      expect(response.text).toBe('7 x, attempt 2');
      expect(response.status).toBe(203);
      expect(response.get('x-kind')).toBe('item');
    }
  });

  it('still enforces its guards and roles, which see the handler with its metadata', async () => {
    const seen: unknown[] = [];
    @Injectable()
    class RolesGuard implements CanActivate {
      constructor(private readonly reflector: Reflector) {}
      canActivate(context: ExecutionContext): boolean {
        const role = this.reflector.getAllAndOverride<string>('role', [
          context.getHandler(),
          context.getClass(),
        ]);
        seen.push([context.getHandler().name, role]);
        return role !== 'admin';
      }
    }
    class Denied implements CanActivate {
      canActivate = () => false;
    }
    @Controller()
    class Guarded {
      calls = 0;
      @Retry(TWICE)
      @SetMetadata('role', 'admin')
      @Get('below')
      async below(): Promise<number> {
        return ++this.calls;
      }
      @Get('above')
      @SetMetadata('role', 'admin')
      @Retry(TWICE)
      async above(): Promise<number> {
        return ++this.calls;
      }
      @Retry(TWICE)
      @UseGuards(Denied)
      @Get('own')
      async own(): Promise<number> {
        return ++this.calls;
      }
      @Retry(TWICE)
      @Get('open')
      async open(): Promise<number> {
        return ++this.calls;
      }
    }
    const { app } = await boot({
      controllers: [Guarded],
      providers: [{ provide: APP_GUARD, useClass: RolesGuard }],
    });
    const statuses = [];
    for (const path of ['below', 'above', 'own', 'open'])
      statuses.push((await request(app.getHttpServer()).get(`/${path}`)).status);
    expect(statuses).toEqual([403, 403, 403, 200]);
    expect(app.get(Guarded).calls).toBe(1);
    expect(seen).toEqual([
      ['below', 'admin'],
      ['above', 'admin'],
      ['own', undefined],
      ['open', undefined],
    ]);
  });

  it('works in a request-scoped controller with a request-scoped service, once each', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Service extends Failing {}
    @Controller({ path: 'scoped', scope: Scope.REQUEST })
    class Scoped {
      calls = 0;
      constructor(private readonly service: Service) {}
      @Get()
      @Fallback('instead')
      @Retry(TWICE)
      async get(@Query('q') query: string): Promise<unknown> {
        this.calls++;
        const runs = await runsOf(this.service);
        throw new Error(`${query}: ${this.calls} calls, the service ran ${runs} times`);
      }
      instead(query: string, error: Error) {
        return { query, message: error.message, calls: this.calls };
      }
    }
    const { app } = await boot({ controllers: [Scoped], providers: [Service] });
    for (let n = 0; n < 2; n++) {
      const { body } = await request(app.getHttpServer()).get('/scoped?q=x');
      expect(body).toEqual({
        query: 'x',
        calls: 2,
        message: 'x: 2 calls, the service ran 2 times',
      });
    }
  });

  it('runs twice while the interceptors outside it run once', async () => {
    let intercepted = 0;
    @Injectable()
    class Counting implements NestInterceptor {
      intercept: NestInterceptor['intercept'] = (_context, next) => {
        intercepted++;
        return next.handle();
      };
    }
    @Controller()
    class Items extends Flaky {
      @Get()
      @UseInterceptors(Counting)
      @Retry(TWICE)
      async get(): Promise<string> {
        return this.answer('x');
      }
    }
    const { app } = await boot({ controllers: [Items] });
    expect((await request(app.getHttpServer()).get('/')).text).toBe('x, attempt 2');
    expect(intercepted).toBe(1);
  });

  it('goes through decorated methods of an enhancer that @UseGuards(Class) names', async () => {
    let runs = 0;
    @Injectable()
    class FailingGuard extends Failing implements CanActivate {
      async canActivate(): Promise<boolean> {
        runs = await runsOf(this);
        return true;
      }
    }
    @Controller()
    class Items {
      @Get()
      @UseGuards(FailingGuard)
      get() {
        return 'x';
      }
    }
    const { app } = await boot({ controllers: [Items] });
    expect((await request(app.getHttpServer()).get('/')).status).toBe(200);
    expect(runs).toBe(2);
  });

  it('that a composed decorator makes is a handler like any other', async () => {
    const ResilientGet = (path: string) => applyDecorators(Get(path), Retry(TWICE) as never);
    @Controller()
    class Items extends Flaky {
      @ResilientGet('composed')
      async get(): Promise<string> {
        return this.answer('x');
      }
    }
    const { app } = await boot({ controllers: [Items] });
    expect((await request(app.getHttpServer()).get('/composed')).text).toBe('x, attempt 2');
    expect(app.get(ResilienceService).describe()[0]).toMatchObject({
      operation: 'Items.get',
      kind: 'handler',
    });
  });

  it('is recognised also where @Post() stands above a foreign decorator that wraps ours', async () => {
    const wrapping: MethodDecorator = (_target, _key, descriptor) => {
      const inner = descriptor.value as (...args: unknown[]) => unknown;
      descriptor.value = function (this: unknown, ...args: unknown[]) {
        return inner.apply(this, args);
      } as never;
    };
    @Controller()
    class Orders extends Failing {
      @Post()
      @wrapping
      @Retry(TWICE)
      async create(): Promise<string> {
        return this.run();
      }
    }
    const { app, logger } = await boot({ controllers: [Orders] });
    const create = app
      .get(ResilienceService)
      .describe()
      .find(({ operation }) => operation === 'Orders.create');
    expect(create).toMatchObject({ kind: 'handler', stages: {} });
    expect(create?.stages.retry).toBeUndefined();
    expect(logger.warnings()).toMatch(/Orders\.create: @Retry\(\) is inactive/);
  });
});

describe('A class decorator on a controller', () => {
  @Timeout(900)
  class BaseController {
    async inheritedHelper(): Promise<string> {
      return 'helped';
    }
    @Get('inherited')
    async inherited(): Promise<string> {
      return this.inheritedHelper();
    }
  }

  @Controller('c')
  @Retry(TWICE)
  class Handlers extends BaseController {
    @Get('async')
    async asynchronous(): Promise<string> {
      return this.helper();
    }
    @Get('sync')
    synchronous(): string {
      return 'sync';
    }
    @Post('post')
    @Timeout(100)
    async post(): Promise<string> {
      return 'post';
    }
    async helper(): Promise<string> {
      return 'async';
    }
  }

  it('reaches its handlers, inherited and synchronous ones too, and no helper', async () => {
    const { app } = await boot({ controllers: [Handlers] });
    for (const path of ['async', 'sync'])
      expect((await request(app.getHttpServer()).get(`/c/${path}`)).text).toBe(path);
    expect((await request(app.getHttpServer()).get('/c/inherited')).text).toBe('helped');
    const operations = app.get(ResilienceService).describe();
    expect(operations.map(({ operation, kind }) => [operation, kind]).sort()).toEqual([
      ['Handlers.asynchronous', 'handler'],
      ['Handlers.inherited', 'handler'],
      ['Handlers.post', 'handler'],
      ['Handlers.synchronous', 'handler'],
    ]);
  });

  it('and a method of it merge, and an unsafe method keeps the rest where @Retry is inactive', async () => {
    const { app, logger } = await boot({ controllers: [Handlers] });
    const operations = app.get(ResilienceService).describe();
    const stages = Object.fromEntries(operations.map((each) => [each.operation, each.stages]));
    expect(stages['Handlers.post']).toEqual({ timeout: { timeoutMs: 100 } });
    expect(stages['Handlers.synchronous']).toMatchObject({
      timeout: { timeoutMs: 900 },
      retry: { maxAttempts: 2 },
    });
    expect(logger.warnings()).toMatch(/Handlers\.post: @Retry\(\) is inactive/);
    expect(logger.messages('warn')).toHaveLength(1);
  });

  it('that has no handler is warned of', async () => {
    @Controller()
    @Retry()
    class Empty {
      async helper(): Promise<void> {}
    }
    const { logger } = await boot({ controllers: [Empty] });
    expect(logger.warnings()).toContain('Empty: its resilience decorators reach no method');
  });
});

describe('Methods that other modules call', () => {
  it('by @Cron() and @Interval() run under their pipeline, with ScheduleModule imported first', async () => {
    @Injectable()
    class Jobs extends Failing {
      finished = Promise.resolve();
      @Retry(TWICE)
      @Cron(CronExpression.EVERY_YEAR, { name: 'above' })
      async above(): Promise<void> {
        await this.fail('above');
      }
      @Cron(CronExpression.EVERY_YEAR, { name: 'below' })
      @Retry(TWICE)
      async below(): Promise<void> {
        await this.fail('below');
      }
      @Interval('ticks', 60_000)
      @Retry(TWICE)
      async tick(): Promise<void> {
        await this.fail('tick');
      }
      private async fail(what: string): Promise<void> {
        this.seen.push([what]);
        throw new Error('down');
      }
    }
    jest.useFakeTimers();
    try {
      const { app } = await bootBare({
        imports: [ScheduleModule.forRoot(), ResilienceModule.forRoot()],
        providers: [Jobs],
      });
      const jobs = app.get(SchedulerRegistry).getCronJobs();
      expect([...jobs.keys()].sort()).toEqual(['above', 'below']);
      for (const name of ['above', 'below']) {
        const fired = jobs.get(name)?.fireOnTick();
        await jest.advanceTimersByTimeAsync(10);
        await fired;
      }
      expect(app.get(Jobs).seen.flat()).toEqual(['above', 'above', 'below', 'below']);
      app.get(Jobs).seen.length = 0;
      await jest.advanceTimersByTimeAsync(60_010);
      expect(app.get(Jobs).seen.flat()).toEqual(['tick', 'tick']);
    } finally {
      await closeAll();
      jest.useRealTimers();
    }
  });

  it('by @Interval() are called on, whatever became of a call, until the application closes', async () => {
    @Injectable()
    class Jobs {
      readonly calls = { failing: 0, hanging: 0, waiting: 0 };
      @Interval('failing', 60_000)
      @CircuitBreaker({ failureThreshold: 2, windowMs: 600_000, timeoutMs: 3_600_000 })
      async failing(): Promise<void> {
        this.calls.failing++;
        throw new Error('down');
      }
      @Bulkhead({ maxConcurrent: 1, queueLimit: 0 })
      @Interval('hanging', 60_000)
      async hanging(): Promise<void> {
        this.calls.hanging++;
        await new Promise(() => undefined);
      }
      @Interval('waiting', 200_000)
      @Retry({ maxAttempts: 3, baseDelayMs: 3_600_000, maxDelayMs: 3_600_000, jitter: 'none' })
      async waiting(): Promise<void> {
        this.calls.waiting++;
        throw new Error('too early');
      }
    }
    jest.useFakeTimers();
    try {
      const { app, logger } = await bootBare({
        imports: [ScheduleModule.forRoot(), ResilienceModule.forRoot()],
        providers: [Jobs],
      });
      const jobs = app.get(Jobs);
      await jest.advanceTimersByTimeAsync(240_000);
      expect(jobs.calls).toEqual({ failing: 2, hanging: 1, waiting: 1 });
      const errors = () =>
        logger.messages('error', 'Scheduler').map((error) => (error as Error).name);
      expect(errors().sort()).toEqual([
        ...Array(3).fill('BulkheadRejectedError'),
        ...Array(2).fill('CircuitBreakerOpenError'),
        ...Array(2).fill('Error'),
      ]);
      const closing = app.close();
      await jest.advanceTimersByTimeAsync(5_000); // the grace, in which the backoff is not over
      await closing;
      expect(logger.messages('error', 'Scheduler').at(-1)).toMatchObject({ message: 'too early' });
      expect(jest.getTimerCount()).toBe(0);
      await jest.advanceTimersByTimeAsync(7_200_000);
      expect(jobs.calls).toEqual({ failing: 2, hanging: 1, waiting: 1 });
    } finally {
      await closeAll();
      jest.useRealTimers();
    }
  });

  it('by @OnEvent() leave their last error to Nest, which logs it, and hear the next event', async () => {
    @Injectable()
    class Listeners {
      readonly seen: string[] = [];
      @OnEvent('order')
      @Retry(TWICE)
      async order(order: string): Promise<void> {
        this.seen.push(order);
        throw new Error(`down: ${order}`);
      }
      @Timeout(5)
      @OnEvent('order')
      async slow(): Promise<void> {
        await new Promise(() => undefined);
      }
    }
    const { app, logger } = await bootBare({
      imports: [EventEmitterModule.forRoot(), ResilienceModule.forRoot()],
      providers: [Listeners],
    });
    const rejections: unknown[] = [];
    const onRejection = (reason: unknown) => rejections.push(reason);
    process.on('unhandledRejection', onRejection);
    try {
      const emitter = app.get(EventEmitter2);
      expect(emitter.emit('order', 'o1')).toBe(true);
      await emitter.emitAsync('order', 'o2');
      await new Promise((resolve) => setImmediate(resolve));
    } finally {
      process.off('unhandledRejection', onRejection);
    }
    expect(rejections).toEqual([]);
    expect(app.get(Listeners).seen.sort()).toEqual(['o1', 'o1', 'o2', 'o2']);
    expect(logger.messages('error').sort()).toEqual(
      expect.arrayContaining(['down: o1', 'down: o2', 'Operation timed out after 5 ms']),
    );
  });

  it('by @OnEvent() run under their pipeline', async () => {
    @Injectable()
    class Listeners {
      readonly seen: unknown[] = [];
      @Retry(TWICE)
      @OnEvent('order', { suppressErrors: false })
      async above(order: string): Promise<void> {
        this.seen.push(['above', order]);
        throw new Error('down');
      }
      @OnEvent('refund', { suppressErrors: false })
      @Retry(TWICE)
      async below(order: string): Promise<void> {
        this.seen.push(['below', order]);
        throw new Error('down');
      }
    }
    const { app } = await bootBare({
      imports: [EventEmitterModule.forRoot(), ResilienceModule.forRoot()],
      providers: [Listeners],
    });
    const emitter = app.get(EventEmitter2);
    await expect(emitter.emitAsync('order', 'o1')).rejects.toThrow('down');
    await expect(emitter.emitAsync('refund', 'o2')).rejects.toThrow('down');
    expect(app.get(Listeners).seen).toEqual([
      ['above', 'o1'],
      ['above', 'o1'],
      ['below', 'o2'],
      ['below', 'o2'],
    ]);
  });

  it('by @MessagePattern() and @EventPattern() run under their pipeline', async () => {
    class InMemoryServer extends Server implements CustomTransportStrategy {
      listen(callback: () => void) {
        callback();
      }
      close() {}
      on(): never {
        throw new Error('no events');
      }
      unwrap(): never {
        throw new Error('nothing inside');
      }
      async deliver(pattern: string, data: unknown): Promise<unknown> {
        const result = await this.getHandlerByPattern(pattern)?.(data);
        return isObservable(result) ? lastValueFrom(result) : result;
      }
    }
    @Controller()
    class Messages {
      calls = 0;
      @Retry({ ...TWICE, idempotent: true })
      @MessagePattern('sum')
      async sum(@Payload() numbers: number[]): Promise<number> {
        if (++this.calls === 1) throw new Error('down');
        return numbers.reduce((a, b) => a + b, 0);
      }
      @MessagePattern('fallback')
      @Fallback('instead')
      async failing(@Payload() data: string): Promise<string> {
        throw new Error(`down: ${data}`);
      }
      @EventPattern('created')
      @Retry(TWICE)
      async created(@Payload() data: string): Promise<string> {
        this.calls++;
        throw new Error(`down: ${data}`);
      }
      instead(data: string, error: Error): string {
        return `instead of ${data}: ${error.message}`;
      }
    }
    const { app, logger } = await boot({ controllers: [Messages] });
    const strategy = new InMemoryServer();
    app.connectMicroservice({ strategy }, { inheritAppConfig: true });
    await app.startAllMicroservices();
    const messages = app.get(Messages);
    expect(await strategy.deliver('sum', [1, 2])).toBe(3);
    expect(messages.calls).toBe(2);
    expect(await strategy.deliver('fallback', 'x')).toBe('instead of x: down: x');
    messages.calls = 0;
    await strategy.deliver('created', 'y').catch(() => undefined);
    expect(messages.calls).toBe(1); // nobody said that repeating it does no harm
    expect(logger.warnings()).toMatch(/Messages\.created: @Retry\(\) is inactive/);
    expect(
      app
        .get(ResilienceService)
        .describe()
        .map(({ kind }) => kind),
    ).toEqual(['handler', 'handler', 'handler']);
  });
});

describe('Decorators on a plain NestFactory-like set-up', () => {
  it('a missing fallback method of a controller fails the boot', async () => {
    @Controller()
    class Broken {
      @Get()
      @Fallback('nowhere')
      async get(): Promise<string> {
        return 'x';
      }
    }
    const booting = boot({ controllers: [Broken] });
    await expect(booting).rejects.toBeInstanceOf(ResilienceConfigurationError);
    await expect(booting).rejects.toThrow(/Broken\.get @Fallback\(\): .*"nowhere"/);
  });

  it('two applications with the same controller each count their own calls', async () => {
    @Controller()
    class Shared extends Flaky {
      @Get()
      @Retry(TWICE)
      async get(): Promise<string> {
        return this.answer('x');
      }
    }
    const [one, two] = [
      await boot({ controllers: [Shared] }),
      await boot({ controllers: [Shared] }),
    ];
    expect((await request(one.app.getHttpServer()).get('/')).text).toBe('x, attempt 2');
    expect(two.app.get(Shared).calls).toBe(0);
    await two.app.close();
    one.app.get(Shared).calls = 0;
    expect((await request(one.app.getHttpServer()).get('/')).text).toBe('x, attempt 2');
  });
});
