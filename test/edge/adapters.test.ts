import { type EventEmitter, once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import {
  All,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Get,
  Head,
  type HttpException,
  Injectable,
  type MiddlewareConsumer,
  Module,
  type NestInterceptor,
  type NestMiddleware,
  Next,
  Options,
  Param,
  type PipeTransform,
  Post,
  Query,
  Res,
  Scope,
  Sse,
  StreamableFile,
  type Type,
  UseFilters,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE } from '@nestjs/core';
import { concat, map, NEVER, Observable, of, throwError, timer } from 'rxjs';
import {
  Bulkhead,
  BulkheadRegistry,
  CircuitBreaker,
  CircuitBreakerOpenError,
  Critical,
  currentSignal,
  ErrorTracker,
  Fallback,
  ResilienceEvents,
  type ResilienceModuleOptions,
  ResilienceService,
  Retry,
  Signal,
  Timeout,
} from '../../lib/index.js';
import { closeAll, TWICE } from '../binding/support.js';
import { EXPRESS, FASTIFY, HTTP2, type Listening, listen, readUntil } from './adapters.support.js';
import { latch, never, soon, until } from './waiting.js';

afterEach(closeAll);

/** What both frameworks' responses can do. */
interface Reply {
  raw?: ServerResponse;
  status(code: number): this;
  send(body: unknown): this;
}

const rawOf = (reply: Reply) => reply.raw ?? (reply as unknown as ServerResponse);

const BODIES = {
  timeout: {
    statusCode: 504,
    error: 'Gateway Timeout',
    message: 'The request took too long',
    code: 'TIMEOUT',
  },
  open: {
    statusCode: 503,
    error: 'Service Unavailable',
    message: 'The service is temporarily unavailable',
    code: 'CIRCUIT_OPEN',
  },
  full: {
    statusCode: 503,
    error: 'Service Unavailable',
    message: 'The service is overloaded',
    code: 'BULKHEAD_FULL',
  },
};

const INTERNAL = { statusCode: 500, message: 'Internal server error' };

const BREAKER: ResilienceModuleOptions = {
  breakers: { secret: { failureThreshold: 1, timeoutMs: 29_500 } },
};

/** In whole seconds, however long the test has taken so far. */
const UP_TO_30_SECONDS = /^(30|[12]\d)$/;

describe.each([EXPRESS, FASTIFY])('On $name', (platform) => {
  const boot = (controller: Type, providers: Type[] = [], options?: ResilienceModuleOptions) =>
    listen(platform, { controllers: [controller], providers }, options);

  describe('resilience errors', () => {
    @Injectable()
    class Gateway {
      @Timeout(5)
      async slow(): Promise<string> {
        return never();
      }
      @CircuitBreaker('secret')
      async down(): Promise<string> {
        throw new Error('password=hunter2');
      }
      @Bulkhead({ maxConcurrent: 1, queueLimit: 0 })
      async crowded(): Promise<string> {
        return never();
      }
    }
    @Controller()
    class Plain {
      constructor(private readonly gateway: Gateway) {}
      @Get('slow')
      async slow(): Promise<string> {
        return this.gateway.slow();
      }
      @Post('slow')
      @Timeout(5)
      async slowPost(): Promise<string> {
        return never();
      }
      @Get('slow-observable')
      @Timeout(5)
      slowObservable(): Observable<string> {
        return NEVER;
      }
      @Get('open')
      async open(): Promise<string> {
        return this.gateway.down();
      }
      @Get('full')
      async full(): Promise<string> {
        void this.gateway.crowded();
        return this.gateway.crowded();
      }
      @Get('sent-by-itself')
      @CircuitBreaker('secret')
      async sends(@Res() _reply: Reply): Promise<void> {
        throw new Error('never called: open');
      }
    }

    it.each([
      ['GET', '/slow'],
      ['POST', '/slow'],
      ['GET', '/slow-observable'],
    ])('of a timeout are answered by 504 (%s %s)', async (method, path) => {
      const { call } = await boot(Plain, [Gateway], BREAKER);
      const { status, headers, body } = await call(path, method);
      expect([status, body]).toEqual([504, BODIES.timeout]);
      expect(headers['retry-after']).toBeUndefined();
    });

    it('of an open breaker are answered by 503 with Retry-After', async () => {
      const { call } = await boot(Plain, [Gateway], BREAKER);
      expect(await call('/open')).toMatchObject({ status: 500, body: INTERNAL });
      for (const path of ['/open', '/sent-by-itself']) {
        const { status, headers, body } = await call(path);
        expect([status, body]).toEqual([503, BODIES.open]);
        expect(headers['retry-after']).toMatch(UP_TO_30_SECONDS);
      }
    });

    it('of a full bulkhead are answered by 503', async () => {
      const { call } = await boot(Plain, [Gateway], BREAKER);
      const { status, headers, body } = await call('/full');
      expect([status, body]).toEqual([503, BODIES.full]);
      expect(headers['retry-after']).toBeUndefined();
    });

    it('stay as they are with mapErrors: false, also those of guards', async () => {
      @Injectable()
      class Guard implements CanActivate {
        @Timeout(5)
        async canActivate(): Promise<boolean> {
          return never();
        }
      }
      @Controller()
      class Guarded {
        @Get()
        @UseGuards(Guard)
        get(): string {
          return 'done';
        }
      }
      const metadata = { controllers: [Plain, Guarded], providers: [Gateway] };
      const { call } = await listen(platform, metadata, { ...BREAKER, mapErrors: false });
      for (const path of ['/slow', '/full', '/'])
        expect(await call(path)).toMatchObject({ status: 500, body: INTERNAL });
    });
  });

  describe('decorators of a controller class', () => {
    const calls: Record<string, number> = {};
    const down = (what: string) => {
      calls[what] = (calls[what] ?? 0) + 1;
      throw new Error('down');
    };
    abstract class Base {
      @Get('inherited')
      inherited(): string {
        return down('inherited');
      }
    }
    @Retry(TWICE)
    @Timeout(1_000)
    @Fallback((_error: unknown, id: string) => ({ instead: id }))
    class Items extends Base {
      @Get('sync/:id')
      sync(@Param('id') _id: string): unknown {
        return down('sync');
      }
      @Get('async/:id')
      @Retry({ maxAttempts: 3 })
      async async(@Param('id') _id: string): Promise<unknown> {
        return down('async');
      }
      @Get('observable/:id')
      observable(@Param('id') _id: string): Observable<unknown> {
        return new Observable(() => down('observable'));
      }
      @Get('slow/:id')
      @Timeout(5)
      async slow(@Param('id') _id: string): Promise<unknown> {
        calls.slow = (calls.slow ?? 0) + 1;
        return never();
      }
      @Post('post/:id')
      async post(@Param('id') _id: string): Promise<unknown> {
        return down('post');
      }
      helper(): string {
        return 'helped';
      }
    }
    @Controller()
    class Singleton extends Items {}
    @Controller({ path: '/', scope: Scope.REQUEST })
    class PerRequest extends Items {}

    beforeEach(() => {
      for (const what of Object.keys(calls)) delete calls[what];
    });

    it.each([
      ['singleton', Singleton],
      ['request-scoped', PerRequest],
    ])('reach every handler of a %s one, and nothing else', async (_scope, controller) => {
      const { call, app, logger } = await boot(controller);
      for (const what of ['sync', 'async', 'observable', 'slow'])
        expect((await call(`/${what}/7`)).body).toEqual({ instead: '7' });
      expect((await call('/post/7', 'POST')).body).toEqual({ instead: '7' });
      expect((await call('/inherited')).status).toBe(200);
      expect(calls).toEqual({ sync: 2, async: 3, observable: 2, slow: 2, post: 1, inherited: 2 });
      const names = app.get(ResilienceService).describe();
      expect(names.map(({ operation }) => operation).sort()).toEqual(
        ['async', 'inherited', 'observable', 'post', 'slow', 'sync'].map(
          (method) => `${controller.name}.${method}`,
        ),
      );
      expect(logger.warnings()).toMatch(/\.post: @Retry\(\) is inactive/);
      expect(logger.messages('warn', 'ResilienceModule')).toHaveLength(1);
    });
  });

  describe('@Retry', () => {
    const calls: string[] = [];
    const down = (what: string): never => {
      calls.push(what);
      throw new Error('down');
    };
    @Controller()
    @Retry(TWICE)
    class Routes {
      @Head('head')
      async head(): Promise<string> {
        return down('head');
      }
      @Options('options')
      async options(): Promise<string> {
        return down('options');
      }
      @All('all')
      async all(): Promise<string> {
        return down('all');
      }
      @All('all-idempotent')
      @Retry({ idempotent: true })
      async allIdempotent(): Promise<string> {
        return down('all-idempotent');
      }
      @Get('get')
      async get(): Promise<string> {
        return down('get');
      }
    }

    beforeEach(() => {
      calls.length = 0;
    });

    it.each([
      ['HEAD', '/head', 2],
      ['HEAD', '/get', 2],
      ['OPTIONS', '/options', 2],
      ['GET', '/get', 2],
      ['GET', '/all', 2], // the route takes a POST too
      ['POST', '/all', 1],
      ['POST', '/all-idempotent', 2],
    ])('makes of %s %s %d attempts', async (method, path, attempts) => {
      const { call } = await boot(Routes);
      expect((await call(path, method)).status).toBe(500);
      expect(calls).toHaveLength(attempts);
    });

    it('warns at boot of no route that some request repeats', async () => {
      const { logger } = await boot(Routes);
      expect(logger.warnings()).toBe('');
    });
  });

  describe('a handler that sends its response itself', () => {
    const calls: string[] = [];
    @Controller()
    class Sending {
      @Get('begun')
      @Retry(TWICE)
      @Fallback(() => undefined)
      async begun(@Res() reply: Reply): Promise<void> {
        calls.push('begun');
        rawOf(reply).write('first');
        throw new Error('down');
      }
      @Get('begun-nice')
      @Retry(TWICE)
      @Critical(false)
      async begunNice(@Res() reply: Reply): Promise<void> {
        calls.push('begunNice');
        rawOf(reply).write('first');
        throw new Error('down');
      }
      @Get('begun-slow')
      @Retry(TWICE)
      @Timeout(20)
      async begunSlow(@Res() reply: Reply): Promise<void> {
        calls.push('begunSlow');
        rawOf(reply).write('first');
        return never();
      }
      @Get('sent')
      @Retry(TWICE)
      @Critical(false)
      async sent(@Res() reply: Reply): Promise<void> {
        calls.push('sent');
        reply.status(201).send('all of it');
        throw new Error('down');
      }
      @Get('not-begun')
      @Retry(TWICE)
      async notBegun(@Res() reply: Reply): Promise<void> {
        calls.push('notBegun');
        if (calls.length === 1) throw new Error('down');
        reply.status(200).send(`attempt ${calls.length}`);
      }
      @Get('never-begun')
      @Retry(TWICE)
      async neverBegun(@Res() _reply: Reply): Promise<void> {
        calls.push('neverBegun');
        throw new Error('down');
      }
      @Get('by-fallback')
      @Retry(TWICE)
      @Fallback('sendInstead')
      async byFallback(@Res() _reply: Reply): Promise<void> {
        calls.push('byFallback');
        throw new Error('down');
      }
      @Post('post')
      @Retry(TWICE)
      async post(@Res() _reply: Reply): Promise<void> {
        calls.push('post');
        throw new Error('down');
      }
      async sendInstead(reply: Reply): Promise<void> {
        reply.status(200).send('instead');
      }
    }

    beforeEach(() => {
      calls.length = 0;
    });

    it.each(['begun', 'begun-nice', 'begun-slow'])(
      'is not repeated nor replaced once it has begun (%s)',
      async (path) => {
        const { call, app } = await boot(Sending);
        const events: string[] = [];
        app.get(ResilienceEvents).events$.subscribe(({ type }) => events.push(type));
        const { status, body } = await call(`/${path}`);
        expect([status, body]).toEqual([200, 'first']); // and the response ends
        expect(calls).toHaveLength(1);
        expect(app.get(ErrorTracker).getRecentErrors()).toMatchObject([{ handled: false }]);
        expect(events).toEqual(path === 'begun-slow' ? ['timeout'] : []); // and no retry
      },
    );

    it('is not repeated once it has answered', async () => {
      const { call, app } = await boot(Sending);
      expect(await call('/sent')).toMatchObject({ status: 201, body: 'all of it' });
      expect(calls).toHaveLength(1);
      await until(() => app.get(ErrorTracker).getMetrics().total === 1, 'the error');
    });

    it('is repeated before anything is sent, where that is safe', async () => {
      const { call } = await boot(Sending);
      expect(await call('/not-begun')).toMatchObject({ status: 200, body: 'attempt 2' });
      calls.length = 0;
      expect(await call('/never-begun')).toMatchObject({ status: 500, body: INTERNAL });
      expect(calls).toHaveLength(2);
      calls.length = 0;
      expect((await call('/post', 'POST')).status).toBe(500);
      expect(calls).toHaveLength(1);
    });

    it('may have a fallback that sends the response', async () => {
      const { call } = await boot(Sending);
      expect(await call('/by-fallback')).toMatchObject({ status: 200, body: 'instead' });
      expect(calls).toHaveLength(2);
    });

    it('warns at boot of its fallback, but not with passthrough: true', async () => {
      @Controller()
      class Passing {
        @Get()
        @Fallback(() => 'instead')
        async passing(@Res({ passthrough: true }) reply: Reply): Promise<string> {
          reply.status(203);
          throw new Error('down');
        }
      }
      const { call, logger } = await listen(platform, { controllers: [Passing] });
      expect(logger.messages('warn', 'ResilienceModule')).toEqual([]);
      expect(await call('/')).toMatchObject({ status: 203, body: 'instead' });
      const sending = await boot(Sending);
      const warnings = sending.logger.messages('warn', 'ResilienceModule');
      expect(warnings.filter((it) => /@Fallback/.test(String(it)))).toEqual([
        expect.stringMatching(/^Sending\.begun: .*passthrough: true/),
        expect.stringMatching(/^Sending\.byFallback: .*passthrough: true/),
      ]);
    });

    it('is not repeated nor replaced either with passthrough: true, once it has begun', async () => {
      @Controller()
      class Passing {
        @Get('retry')
        @Retry(TWICE)
        async retry(@Res({ passthrough: true }) reply: Reply): Promise<string> {
          return this.begin(reply);
        }
        @Get('fallback')
        @Fallback(() => 'instead')
        async fallback(@Res({ passthrough: true }) reply: Reply): Promise<string> {
          return this.begin(reply);
        }
        @Get('observable')
        @Retry(TWICE)
        @Fallback(() => of('instead'))
        observable(@Res({ passthrough: true }) reply: Reply): Observable<string> {
          return new Observable(() => this.begin(reply));
        }
        private begin(reply: Reply): never {
          calls.push('passing');
          rawOf(reply).write('first');
          throw new Error('down');
        }
      }
      const { call, app } = await boot(Passing);
      for (const path of ['/retry', '/fallback', '/observable'])
        expect(await call(path)).toMatchObject({ status: 200, body: 'first' });
      expect(calls).toHaveLength(3);
      const errors = app.get(ErrorTracker).getRecentErrors();
      expect(errors.map(({ handled }) => handled)).toEqual([false, false, false]);
    });

    it('is not repeated where it begins while the retry waits', async () => {
      @Controller()
      class Piping {
        @Get()
        @Retry(TWICE)
        @Critical(false)
        async get(@Res() reply: Reply): Promise<void> {
          calls.push('piping');
          Readable.from(['all ', 'of it']).pipe(rawOf(reply));
          throw new Error('down');
        }
      }
      const { call } = await boot(Piping);
      expect((await call('/')).status).toBe(200);
      expect(calls).toHaveLength(1);
    });

    it('is not repeated either by a decorated interceptor around it', async () => {
      @Injectable()
      class Again implements NestInterceptor {
        @Retry(TWICE)
        intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
          return next.handle();
        }
      }
      @Controller()
      @UseInterceptors(Again)
      class Intercepted {
        @Get('resilient')
        @Retry(TWICE)
        async resilient(@Res() reply: Reply): Promise<void> {
          return this.begin(reply);
        }
        @Get('plain')
        async plain(@Res() reply: Reply): Promise<void> {
          return this.begin(reply);
        }
        @Get('not-begun')
        async notBegun(@Res() _reply: Reply): Promise<void> {
          calls.push('notBegun');
          throw new Error('down');
        }
        private begin(reply: Reply): never {
          calls.push('begin');
          rawOf(reply).write('first');
          throw new Error('down');
        }
      }
      const { call } = await boot(Intercepted);
      for (const path of ['/resilient', '/plain'])
        expect(await call(path)).toMatchObject({ status: 200, body: 'first' });
      expect(calls).toEqual(['begin', 'begin']);
      expect((await call('/not-begun')).status).toBe(500);
      expect(calls).toEqual(['begin', 'begin', 'notBegun', 'notBegun']);
    });
  });

  describe('a handler with @Next()', () => {
    it('is repeated before anything is sent, and its fallback warns at boot', async () => {
      let calls = 0;
      @Controller()
      class Passing {
        @Get('first')
        @Retry(TWICE)
        async first(@Next() _next: unknown, @Res() reply: Reply): Promise<void> {
          if (++calls === 1) throw new Error('down');
          reply.status(200).send(`attempt ${calls}`);
        }
        @Get('warned')
        @Fallback(() => undefined)
        async warned(@Next() _next: unknown): Promise<void> {
          throw new Error('down');
        }
      }
      const { call, logger } = await boot(Passing);
      expect((await call('/first')).body).toBe('attempt 2');
      expect(logger.messages('warn', 'ResilienceModule')).toEqual([
        expect.stringMatching(/^Passing\.warned: .*@Fallback/),
      ]);
    });
  });

  describe('guards, pipes, interceptors and filters', () => {
    /** Fails the first time that it is asked. */
    abstract class Shaky {
      calls = 0;
      protected shake(): void {
        if (++this.calls === 1) throw new Error('down');
      }
    }
    @Injectable()
    class Guard extends Shaky implements CanActivate {
      @Retry(TWICE)
      async canActivate(context: ExecutionContext): Promise<boolean> {
        this.shake();
        return context.getHandler().name === 'get';
      }
    }
    @Injectable()
    class Pipe extends Shaky implements PipeTransform {
      @Retry(TWICE)
      async transform(value: unknown): Promise<unknown> {
        this.shake();
        return `${value}!`;
      }
    }
    @Injectable()
    class Interceptor extends Shaky implements NestInterceptor {
      @Retry(TWICE)
      intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
        this.shake();
        return next.handle();
      }
    }
    @Catch()
    class Filter extends Shaky implements ExceptionFilter {
      @Retry(TWICE)
      async catch(error: Error, host: ArgumentsHost): Promise<void> {
        this.shake();
        host.switchToHttp().getResponse<Reply>().status(418).send({ caught: error.message });
      }
    }
    class Routes {
      @Get()
      async get(@Query('q') q: string): Promise<string> {
        if (q === 'fail!') throw new Error('handled');
        return q;
      }
    }

    it('of the application run through their pipelines', async () => {
      @Controller()
      class Plain extends Routes {}
      const enhancers = [
        [APP_GUARD, Guard],
        [APP_PIPE, Pipe],
        [APP_INTERCEPTOR, Interceptor],
        [APP_FILTER, Filter],
      ] as const;
      const { call, app } = await listen(platform, {
        controllers: [Plain],
        providers: enhancers.flatMap(([token, type]) => [
          type,
          { provide: token, useExisting: type },
        ]),
      });
      expect(await call('/?q=x')).toMatchObject({ status: 200, body: 'x!' });
      expect(await call('/?q=fail')).toMatchObject({ status: 418, body: { caught: 'handled' } });
      const calls = [Guard, Pipe, Interceptor, Filter].map((type) => app.get(type).calls);
      // The interceptor is around pipe and handler, so its second attempt repeats these too.
      expect(calls).toEqual([3, 4, 4, 2]);
    });

    it('of a controller run through their pipelines', async () => {
      @Controller()
      @UseGuards(Guard)
      @UseInterceptors(Interceptor)
      @UseFilters(Filter)
      class Enhanced {
        @Get()
        async get(@Query('q', Pipe) q: string): Promise<string> {
          if (q === 'fail!') throw new Error('handled');
          return q;
        }
        @Get('forbidden')
        async forbidden(): Promise<string> {
          return 'secret';
        }
      }
      const { call, app } = await boot(Enhanced);
      expect(await call('/?q=x')).toMatchObject({ status: 200, body: 'x!' });
      expect(await call('/?q=fail')).toMatchObject({ status: 418, body: { caught: 'handled' } });
      expect((await call('/forbidden')).body).toEqual({ caught: 'Forbidden resource' });
      const operations = app.get(ResilienceService).describe();
      expect(operations.map(({ operation }) => operation).sort()).toEqual([
        'Filter.catch',
        'Guard.canActivate',
        'Interceptor.intercept',
        'Pipe.transform',
      ]);
    });

    it('have their resilience errors answered like those of handlers', async () => {
      @Injectable()
      class SlowGuard implements CanActivate {
        @Timeout(5)
        async canActivate(): Promise<boolean> {
          return never();
        }
      }
      @Injectable()
      class OpenGuard implements CanActivate {
        @CircuitBreaker('secret')
        async canActivate(): Promise<boolean> {
          throw new Error('down');
        }
      }
      @Injectable()
      class FullGuard implements CanActivate {
        @Bulkhead({ maxConcurrent: 1, queueLimit: 0 })
        async canActivate(): Promise<boolean> {
          return never();
        }
      }
      @Injectable()
      class ObservableGuard implements CanActivate {
        @Timeout(5)
        canActivate(): Observable<boolean> {
          return NEVER;
        }
      }
      @Injectable()
      @Timeout(5)
      class SlowPipe implements PipeTransform {
        async transform(): Promise<unknown> {
          return never();
        }
      }
      @Injectable()
      class SlowInterceptor implements NestInterceptor {
        @Timeout(5)
        intercept(): Observable<unknown> {
          return NEVER;
        }
      }
      @Injectable()
      class SlowAsyncInterceptor implements NestInterceptor {
        @Timeout(5)
        async intercept(): Promise<Observable<unknown>> {
          return never();
        }
      }
      @Controller()
      class Enhanced {
        @Get('slow-guard')
        @UseGuards(SlowGuard)
        slowGuard(): void {}
        @Get('observable-guard')
        @UseGuards(ObservableGuard)
        observableGuard(): void {}
        @Get('open-guard')
        @UseGuards(OpenGuard)
        openGuard(): void {}
        @Get('full-guard')
        @UseGuards(FullGuard)
        fullGuard(): void {}
        @Get('slow-pipe')
        slowPipe(@Query('q', SlowPipe) _q: string): void {}
        @Get('slow-interceptor')
        @UseInterceptors(SlowInterceptor)
        slowInterceptor(): void {}
        @Get('slow-async-interceptor')
        @UseInterceptors(SlowAsyncInterceptor)
        slowAsyncInterceptor(): void {}
      }
      const { call, open } = await boot(Enhanced, [], BREAKER);
      const slow = ['guard', 'pipe', 'interceptor', 'async-interceptor'].map((it) => `/slow-${it}`);
      for (const path of [...slow, '/observable-guard'])
        expect(await call(path)).toMatchObject({ status: 504, body: BODIES.timeout });
      expect(await call('/open-guard')).toMatchObject({ status: 500, body: INTERNAL });
      const rejected = await call('/open-guard');
      expect(rejected).toMatchObject({ status: 503, body: BODIES.open });
      expect(rejected.headers['retry-after']).toMatch(UP_TO_30_SECONDS);
      open('/full-guard');
      open('/full-guard');
      expect(await call('/full-guard')).toMatchObject({ status: 503, body: BODIES.full });
    });

    it('have them answered so also where the application names them', async () => {
      @Injectable()
      class SlowInterceptor implements NestInterceptor {
        @Timeout(5)
        intercept(): Observable<unknown> {
          return NEVER;
        }
      }
      @Controller()
      class Plain extends Routes {}
      const { call } = await listen(platform, {
        controllers: [Plain],
        providers: [{ provide: APP_INTERCEPTOR, useClass: SlowInterceptor }],
      });
      expect(await call('/')).toMatchObject({ status: 504, body: BODIES.timeout });
    });

    it('and middleware too run through their pipelines', async () => {
      let calls = 0;
      @Injectable()
      class Middleware implements NestMiddleware {
        @Retry(TWICE)
        async use(_request: unknown, _response: unknown, next: () => void): Promise<void> {
          if (++calls === 1) throw new Error('down');
          next();
        }
      }
      @Controller()
      class Plain extends Routes {}
      @Module({ controllers: [Plain] })
      class Feature {
        configure(consumer: MiddlewareConsumer): void {
          consumer.apply(Middleware).forRoutes(Plain);
        }
      }
      const { call, app } = await listen(platform, { imports: [Feature] });
      const operations = app.get(ResilienceService).describe();
      expect(operations.map(({ operation }) => operation)).toEqual(['Middleware.use']);
      expect(await call('/?q=x')).toMatchObject({ status: 200, body: 'x' });
      expect(calls).toBe(2);
    });
  });
});

describe.each([EXPRESS, FASTIFY, ...HTTP2])('On $name', (platform) => {
  const boot = (controller: Type, providers: Type[] = [], options?: ResilienceModuleOptions) =>
    listen(platform, { controllers: [controller], providers }, options);

  describe('a client that goes away', () => {
    /** Calls, waits for the signals that the handler hands out, and leaves. */
    async function abandon(
      { open }: Listening,
      path: string,
      started: Promise<AbortSignal[]>,
    ): Promise<AbortSignal[]> {
      const exchange = open(path);
      const signals = await soon(started, 'the call');
      expect(signals.map(({ aborted }) => aborted)).toEqual(signals.map(() => false));
      const aborted = signals.map((signal) => once(signal, 'abort'));
      exchange.leave();
      await soon(Promise.all(aborted), 'the abort');
      return signals;
    }

    it('aborts the signals of a plain handler and of what it calls', async () => {
      const started = latch<AbortSignal[]>();
      const ended = latch<unknown>();
      @Injectable()
      class Gateway {
        @Retry(TWICE)
        async load(handlers: AbortSignal[]): Promise<string> {
          started.open([...handlers, currentSignal()]);
          return never();
        }
      }
      @Controller()
      class Items {
        constructor(private readonly gateway: Gateway) {}
        @Get()
        async get(@Signal() signal: AbortSignal): Promise<string> {
          return this.gateway.load([signal, currentSignal()]).catch((error: unknown) => {
            ended.open(error);
            throw error;
          });
        }
      }
      const listening = await boot(Items, [Gateway]);
      const signals = await abandon(listening, '/', started.opened);
      const error = await soon(ended.opened, 'the end of the call');
      expect(error).toMatchObject({ name: 'AbortError' });
      for (const signal of signals) expect(signal.reason).toBe(error);
      expect(listening.app.get(ErrorTracker).getMetrics().total).toBe(0); // nothing failed
      expect(listening.logger.messages('error')).toEqual([]);
    });

    it.each(['promise', 'observable', 'reply'])(
      'aborts the signals of a resilient handler, which is not repeated (%s)',
      async (path) => {
        const started = latch<AbortSignal[]>();
        let calls = 0;
        @Controller()
        @Retry(TWICE)
        @Fallback(() => {
          calls += 100;
        })
        class Items {
          @Get('promise')
          async get(@Signal() signal: AbortSignal): Promise<string> {
            calls++;
            started.open([signal, currentSignal()]);
            return never();
          }
          @Get('observable')
          observable(@Signal() signal: AbortSignal): Observable<string> {
            calls++;
            started.open([signal, currentSignal()]);
            return NEVER;
          }
          @Get('reply')
          async reply(@Res() _reply: Reply, @Signal() signal: AbortSignal): Promise<void> {
            calls++;
            started.open([signal, currentSignal()]);
            return never();
          }
        }
        const listening = await boot(Items);
        const [signal, current] = await abandon(listening, `/${path}`, started.opened);
        expect(signal).toBe(current);
        await listening.app.close();
        expect(calls).toBe(1);
        expect(listening.app.get(ErrorTracker).getMetrics()).toMatchObject({ total: 0 });
      },
    );

    it.each(['plain', 'resilient'])(
      'while a guard was asked has gone for the handler too (%s)',
      async (path) => {
        const asked = latch<EventEmitter>();
        const allow = latch();
        const called = latch<AbortSignal | undefined>();
        @Injectable()
        class Guard implements CanActivate {
          async canActivate(context: ExecutionContext): Promise<boolean> {
            asked.open(rawOf(context.switchToHttp().getResponse<Reply>()));
            await allow.opened;
            return true;
          }
        }
        @Catch()
        @Injectable()
        class Filter implements ExceptionFilter {
          catch(): void {
            called.open(undefined); // a call that is not begun any more
          }
        }
        @Controller()
        @UseGuards(Guard)
        @UseFilters(Filter)
        class Items {
          @Get('plain')
          async plain(@Signal() signal: AbortSignal): Promise<string> {
            called.open(signal);
            return never();
          }
          @Get('resilient')
          @Retry(TWICE)
          async resilient(): Promise<string> {
            called.open(new AbortController().signal);
            return never();
          }
        }
        const { open } = await boot(Items);
        const exchange = open(`/${path}`);
        const closed = once(await soon(asked.opened, 'the guard'), 'close');
        exchange.leave();
        await soon(closed, 'the end of the request');
        allow.open();
        const signal = await soon(called.opened, 'the handler');
        expect(signal?.aborted).toBe(path === 'plain' ? true : undefined);
      },
    );

    it.each([{}, { mapErrors: false }])(
      'is told by 499 to filters, for the log, unless the handler failed by itself (%p)',
      async (options) => {
        let started = latch();
        let caught = latch<unknown>();
        @Catch()
        @Injectable()
        class Filter implements ExceptionFilter {
          catch(error: unknown): void {
            caught.open(error);
          }
        }
        @Controller()
        @UseFilters(Filter)
        class Items {
          @Get('ended')
          async ended(): Promise<string> {
            const signal = currentSignal();
            started.open();
            await once(signal, 'abort');
            throw signal.reason;
          }
          @Get('failed')
          async failed(): Promise<string> {
            await this.ended().catch(() => undefined);
            throw new Error('failed');
          }
        }
        const { open } = await boot(Items, [], options);
        const errorOf = async (path: string) => {
          started = latch();
          caught = latch();
          const exchange = open(path);
          await soon(started.opened, 'the handler');
          exchange.leave();
          return soon(caught.opened, 'the error');
        };
        const ended = (await errorOf('/ended')) as HttpException;
        expect([ended.getStatus(), ended.message]).toEqual([499, 'Client Closed Request']);
        expect(await errorOf('/failed')).toEqual(new Error('failed'));
      },
    );

    it('ends the call of a decorated interceptor, which is not repeated', async () => {
      const started = latch<AbortSignal[]>();
      let calls = 0;
      @Injectable()
      class Interceptor implements NestInterceptor {
        @Retry(TWICE)
        async intercept(): Promise<Observable<unknown>> {
          calls++;
          started.open([currentSignal()]);
          return never();
        }
      }
      @Controller()
      @UseInterceptors(Interceptor)
      class Items {
        @Get()
        get(): string {
          return 'done';
        }
      }
      const listening = await boot(Items);
      const [signal] = await abandon(listening, '/', started.opened);
      expect(signal?.reason).toMatchObject({ name: 'AbortError' });
      await listening.app.close();
      expect(calls).toBe(1);
    });

    it('leaves the signal alone where it got its answer', async () => {
      const signals: AbortSignal[] = [];
      @Controller()
      class Items {
        @Get('resilient')
        @Retry(TWICE)
        async resilient(@Signal() signal: AbortSignal): Promise<string> {
          signals.push(signal);
          return 'done';
        }
        @Get('plain')
        plain(@Signal() signal: AbortSignal): string {
          signals.push(signal);
          return 'done';
        }
      }
      const { call, app } = await boot(Items);
      for (const path of ['/resilient', '/plain']) expect((await call(path)).body).toBe('done');
      await app.close();
      expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
    });

    it.each(['while', 'before'])('destroys the stream of a file %s it is sent', async (when) => {
      const started = latch<Readable>();
      let calls = 0;
      @Controller()
      class Files {
        @Get()
        @Retry(TWICE)
        async get(@Signal() signal: AbortSignal): Promise<StreamableFile> {
          calls++;
          const stream = new Readable({ read() {} });
          stream.push('chunk');
          started.open(stream);
          if (when === 'before') await once(signal, 'abort'); // it is made for nobody
          return new StreamableFile(stream);
        }
      }
      const { open } = await boot(Files);
      const exchange = open('/');
      const stream = await soon(started.opened, 'the stream');
      if (when === 'while')
        await readUntil((await soon(exchange.response, 'the response')).stream, 'chunk');
      exchange.leave();
      await until(() => stream.destroyed, 'the end of the stream');
      expect(calls).toBe(1);
    });
  });

  describe('a streamed file', () => {
    it('that fails once it has begun is neither repeated nor replaced', async () => {
      let calls = 0;
      @Controller()
      class Files {
        @Get()
        @Retry(TWICE)
        @Fallback(() => new StreamableFile(Buffer.from('instead')))
        async get(): Promise<StreamableFile> {
          if (++calls === 1) throw new Error('not yet');
          const stream = Readable.from(
            (async function* () {
              yield 'first';
              await new Promise((resolve) => setImmediate(resolve));
              throw new Error('broken');
            })(),
          );
          return new StreamableFile(stream);
        }
      }
      const { open, app } = await boot(Files);
      const { status, stream } = await soon(open('/').response, 'the response');
      let text = '';
      const read = (async () => {
        for await (const chunk of stream) text += chunk;
      })().catch(() => undefined); // the connection breaks: the client must not take it for whole
      await soon(read, 'the end of the response');
      expect(status).toBe(200);
      expect('first').toContain(text);
      expect(calls).toBe(2);
      expect(app.get(ErrorTracker).getMetrics()).toMatchObject({ total: 0, requests: 1 });
    });

    it('that came too late, or of a failed attempt, is destroyed', async () => {
      const late: Readable[] = [];
      const go = latch();
      @Controller()
      class Files {
        @Get()
        @Retry(TWICE)
        @Timeout(20)
        async get(): Promise<StreamableFile> {
          if (late.length === 1) return new StreamableFile(Buffer.from('in time'));
          const stream = new Readable({ read() {} });
          late.push(stream);
          await go.opened;
          return new StreamableFile(stream);
        }
      }
      const { call } = await boot(Files);
      expect(String((await call('/')).body)).toBe('in time');
      go.open();
      await until(() => late[0]?.destroyed === true, 'the end of the late stream');
    });
  });

  describe('server-sent events', () => {
    let subscriptions = 0;
    let unsubscribed = 0;
    const counted = (make: (subscription: number) => Observable<{ data: string }>) =>
      new Observable<{ data: string }>((subscriber) => {
        const inner = make(++subscriptions).subscribe(subscriber);
        return () => {
          unsubscribed++;
          inner.unsubscribe();
        };
      });
    const down = throwError(() => new Error('down'));
    const one = of({ data: 'one' });

    @Injectable()
    class Again implements NestInterceptor {
      @Retry(TWICE)
      intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
        return next.handle();
      }
    }

    @Controller()
    class Events {
      @Sse('retried')
      @Retry(TWICE)
      retried(): Observable<{ data: string }> {
        return counted((subscription) => (subscription === 1 ? down : one));
      }
      @Sse('timed')
      @Retry(TWICE)
      @Timeout(30)
      timed(): Observable<{ data: string }> {
        // The first subscription is silent; after its first event the second may be slow.
        return counted((subscription) =>
          subscription === 1 ? NEVER : concat(one, timer(60).pipe(map(() => ({ data: 'two' })))),
        );
      }
      @Sse('replaced')
      @Retry(TWICE)
      @Fallback((_error: unknown) => of({ data: 'instead' }, { data: 'and more' }))
      replaced(): Observable<{ data: string }> {
        return counted(() => down);
      }
      @Sse('begun')
      @Retry(TWICE)
      @Fallback(() => of({ data: 'instead' }))
      begun(): Observable<{ data: string }> {
        return counted(() => concat(one, down));
      }
      @Sse('begun-nice')
      @Retry(TWICE)
      @Critical(false)
      begunNice(): Observable<{ data: string }> {
        return counted(() => concat(one, down));
      }
      @Sse('failed')
      @Timeout(1_000)
      failed(): Observable<{ data: string }> {
        return counted(() => down);
      }
      @Sse('silent')
      @Timeout(30)
      silent(): Observable<{ data: string }> {
        return counted(() => NEVER);
      }
      @Sse('promised')
      @Retry(TWICE)
      async promised(): Promise<Observable<{ data: string }>> {
        await new Promise((resolve) => setTimeout(resolve, 10));
        if (++subscriptions === 1) throw new Error('down');
        return one;
      }
      @Sse('intercepted')
      @UseInterceptors(Again)
      intercepted(): Observable<{ data: string }> {
        return counted((subscription) => (subscription === 1 ? down : one));
      }
      @Sse('never')
      @Retry(TWICE)
      never(): Observable<{ data: string }> {
        return counted(() => NEVER);
      }
      @Sse('open')
      async open(): Promise<Observable<{ data: string }>> {
        await new Promise((resolve) => setTimeout(resolve, 10));
        throw new CircuitBreakerOpenError('secret', 1_000);
      }
      @Sse('opened')
      opened(): Observable<{ data: string }> {
        return concat(
          one,
          throwError(() => new CircuitBreakerOpenError('secret', 1_000)),
        );
      }
      @Sse('long')
      @Bulkhead({ maxConcurrent: 1, queueLimit: 0 })
      long(): Observable<{ data: string }> {
        return counted(() => concat(one, NEVER));
      }
      @Sse('queued')
      @Bulkhead('single')
      queued(): Observable<{ data: string }> {
        return counted(() => concat(one, NEVER));
      }
    }

    beforeEach(() => {
      subscriptions = unsubscribed = 0;
    });

    it.each(['/retried', '/promised', '/intercepted'])(
      'are asked for again before the first one (%s)',
      async (path) => {
        const { call } = await boot(Events, [], SINGLE);
        const { headers, body } = await call(path);
        expect(headers['content-type']).toContain('text/event-stream');
        expect(dataOf(body)).toEqual(['one']);
        expect(subscriptions).toBe(2);
      },
    );

    it('are timed until the first one only', async () => {
      const { call } = await boot(Events, [], SINGLE);
      expect(dataOf((await call('/timed')).body)).toEqual(['one', 'two']);
      expect(subscriptions).toBe(2);
    });

    it('may come from the fallback before the first one', async () => {
      const { call } = await boot(Events, [], SINGLE);
      expect(dataOf((await call('/replaced')).body)).toEqual(['instead', 'and more']);
      expect(subscriptions).toBe(2);
    });

    it.each(['/begun', '/begun-nice'])(
      'are neither retried nor replaced after the first one (%s)',
      async (path) => {
        const { call } = await boot(Events, [], SINGLE);
        const { status, body } = await call(path);
        expect(status).toBe(200);
        expect(dataOf(body)).toEqual(['one', 'Internal server error']); // Nest's event of type error
        expect(body).toContain('event: error');
        expect(subscriptions).toBe(1);
      },
    );

    it('that fail before the response has begun are an error response', async () => {
      const { call } = await boot(Events, [], SINGLE);
      expect(await call('/failed')).toMatchObject({ status: 500, body: INTERNAL });
      const open = await call('/open');
      expect(open).toMatchObject({ status: 503, body: BODIES.open });
      expect(open.headers['retry-after']).toBe('1');
    });

    it.each([
      ['/silent', [BODIES.timeout.message]],
      ['/opened', ['one', BODIES.open.message]],
    ])(
      'that fail after the headers say what a client is told, and no more (%s)',
      async (path, data) => {
        const { call } = await boot(Events, [], SINGLE);
        const { status, body } = await call(path);
        expect(status).toBe(200);
        expect(body).toContain('event: error');
        expect(dataOf(body)).toEqual(data);
      },
    );

    it('end with their client, which frees the slot of the bulkhead', async () => {
      const { open, call, app } = await boot(Events, [], SINGLE);
      const bulkhead = app.get(BulkheadRegistry).get('Events.long');
      const first = open('/long');
      await readUntil((await soon(first.response, 'the response')).stream, 'data: one');
      expect(bulkhead.getSnapshot().running).toBe(1);
      expect(await call('/long')).toMatchObject({ status: 503, body: BODIES.full });
      first.leave();
      await until(() => bulkhead.getSnapshot().running === 0, 'the free slot');
      expect([subscriptions, unsubscribed]).toEqual([1, 1]);
      const third = open('/long');
      await readUntil((await soon(third.response, 'the response')).stream, 'data: one');
    });

    it('end with their client before the first one too', async () => {
      const { open, app } = await boot(Events, [], SINGLE);
      const exchange = open('/never');
      await until(() => subscriptions === 1, 'the subscription');
      exchange.leave();
      await until(() => unsubscribed === 1, 'its end');
      await app.close();
      expect(subscriptions).toBe(1);
    });

    it('that wait for a slot leave the queue with their client, without having begun', async () => {
      const { open, app } = await boot(Events, [], SINGLE);
      const bulkhead = app.get(BulkheadRegistry).get('single');
      const first = open('/queued');
      await readUntil((await soon(first.response, 'the response')).stream, 'data: one');
      const second = open('/queued');
      await until(() => bulkhead.getSnapshot().queued === 1, 'the second call');
      second.leave();
      await until(() => bulkhead.getSnapshot().queued === 0, 'its end');
      first.leave();
      await until(() => bulkhead.getSnapshot().running === 0, 'the free slot');
      expect(subscriptions).toBe(1);
    });
  });
});

const SINGLE: ResilienceModuleOptions = { bulkheads: { single: { maxConcurrent: 1 } } };

/** The data of the events in an answer. */
function dataOf(body: unknown): string[] {
  return [...String(body).matchAll(/^data: (.*)$/gm)].map(([, data]) => data ?? '');
}

describe('A breaker of an error in flight', () => {
  it.each([EXPRESS, FASTIFY])(
    'gives whole seconds in Retry-After, at least one (on $name)',
    async (platform) => {
      @Controller()
      class Items {
        @Get(':ms')
        async get(@Param('ms') ms: string): Promise<string> {
          throw new CircuitBreakerOpenError('secret', Number(ms));
        }
      }
      const { call } = await listen(platform, { controllers: [Items] });
      const seconds: unknown[] = [];
      for (const ms of [0, 1, 1_000, 1_001])
        seconds.push((await call(`/${ms}`)).headers['retry-after']);
      expect(seconds).toEqual(['1', '1', '1', '2']);
    },
  );
});
