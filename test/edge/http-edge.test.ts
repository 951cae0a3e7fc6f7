import { AsyncResource } from 'node:async_hooks';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import { Readable } from 'node:stream';
import { jest } from '@jest/globals';
import {
  Body,
  type CallHandler,
  type CanActivate,
  Controller,
  Get,
  type INestApplication,
  type INestMicroservice,
  Injectable,
  type MiddlewareConsumer,
  Module,
  type NestInterceptor,
  type NestMiddleware,
  Next,
  Param,
  type PipeTransform,
  Post,
  RequestMethod,
  Res,
  Scope,
  StreamableFile,
  type Type,
  UseGuards,
  UseInterceptors,
  Version,
  VersioningType,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientProxyFactory,
  MessagePattern,
  type MicroserviceOptions,
  Transport,
} from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { catchError, lastValueFrom, map, type Observable } from 'rxjs';
import {
  currentSignal,
  outboundHeaders,
  ResilienceInterceptor,
  ResilienceModule,
  type ResilienceModuleOptions,
  Retry,
  Timeout,
  TimeoutError,
} from '../../lib/index.js';
import { closeAll, TWICE, track } from '../binding/support.js';
import { EXPRESS, FASTIFY, listen, type Platform } from './adapters.support.js';
import { latch, never, soon, until } from './waiting.js';

afterEach(closeAll);
afterEach(() => jest.restoreAllMocks());

type Make = (root: Type, platform: Platform) => Promise<INestApplication>;

const byFactory: Make = (root, platform) =>
  NestFactory.create(root, platform.adapter(), { logger: false });

const byTestingModule: Make = async (root, platform) => {
  const module = await Test.createTestingModule({ imports: [root] }).compile();
  return module.createNestApplication(platform.adapter(), { logger: false });
};

/** What `imports` are to have in common with an application of a user's. */
function rootOf(imports: Type[], options: ResilienceModuleOptions = {}): Type {
  @Module({ imports: [ResilienceModule.forRoot({ bootLog: 'none', ...options }), ...imports] })
  class Root {}
  return Root;
}

async function listening(app: INestApplication): Promise<string> {
  await app.listen(0, '127.0.0.1');
  track({
    async close() {
      app.getHttpServer().closeAllConnections();
      await app.close();
    },
  });
  return `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
}

const within = (ms: number) => ({ headers: { 'x-request-timeout-ms': String(ms) } });

const TIMEOUT = { statusCode: 504, code: 'TIMEOUT' };

/** What is seen at each place that a request comes by, in that order. */
const seen: { where: string; hasDeadline: boolean; signal: AbortSignal }[] = [];
beforeEach(() => {
  seen.length = 0;
});

function see(where: string): void {
  const hasDeadline = Number(outboundHeaders()['x-request-timeout-ms']) > 0;
  seen.push({ where, hasDeadline, signal: currentSignal() });
}

@Injectable()
class Middleware implements NestMiddleware {
  use(_request: unknown, _response: unknown, next: () => void): void {
    see('middleware');
    next();
  }
}
@Injectable()
class Guard implements CanActivate {
  async canActivate(): Promise<boolean> {
    see('guard');
    return true;
  }
}
@Injectable()
class Interceptor implements NestInterceptor {
  intercept(_context: unknown, next: CallHandler): Observable<unknown> {
    see('interceptor');
    return next.handle();
  }
}
@Injectable()
class Pipe implements PipeTransform {
  transform(value: unknown): unknown {
    see('pipe');
    return value;
  }
}

@Controller()
class Places {
  @Get('all/:id')
  @UseGuards(Guard)
  @UseInterceptors(Interceptor)
  async all(@Param('id', Pipe) id: string): Promise<string> {
    see('handler');
    return id === 'hanging' ? never() : id;
  }
}

@Module({ controllers: [Places] })
class PlacesModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(Middleware).forRoutes('*');
  }
}

const PLACES = ['function', 'middleware', 'guard', 'interceptor', 'pipe', 'handler'];

describe.each([
  ['NestFactory', byFactory],
  ['a testing module', byTestingModule],
] as const)('A request of an application that %s has made', (_by, make) => {
  describe.each([EXPRESS, FASTIFY])('on $name', (platform) => {
    async function serve(): Promise<string> {
      const app = await make(rootOf([PlacesModule]), platform);
      app.use((_request: unknown, _response: unknown, next: () => void) => {
        see('function');
        next();
      });
      return listening(app);
    }

    it('has its deadline in middleware, guards, interceptors, pipes and the handler', async () => {
      const url = await serve();
      expect(await (await fetch(`${url}/all/7`, within(50_000))).text()).toBe('7');
      expect(seen.map(({ where, hasDeadline }) => [where, hasDeadline])).toEqual(
        PLACES.map((where) => [where, true]),
      );
    });

    it('aborts the signals of all of them with its client', async () => {
      const url = await serve();
      const leaving = new AbortController();
      const answer = fetch(`${url}/all/hanging`, { signal: leaving.signal }).catch(() => undefined);
      await until(() => seen.length === PLACES.length, 'the handler');
      expect(new Set(seen.map(({ signal }) => signal)).size).toBe(1);
      const [first] = seen;
      expect(first?.signal.aborted).toBe(false);
      const aborted = once(first?.signal as AbortSignal, 'abort');
      leaving.abort();
      await soon(aborted, 'the abort');
      await answer;
    });
  });
});

describe.each([EXPRESS, FASTIFY])('On $name', (platform) => {
  async function serve(
    controllers: Type[],
    options: ResilienceModuleOptions = {},
    prepare: (app: INestApplication) => void = () => undefined,
    providers: Type[] = [],
  ) {
    @Module({ controllers, providers })
    class Feature {}
    const app = await byFactory(rootOf([Feature], options), platform);
    prepare(app);
    return { app, url: await listening(app) };
  }

  it('no route goes through an interceptor of the library, decorated or not; other handlers do', async () => {
    @Controller()
    class Shop {
      @Get('plain')
      plain(): string {
        return 'plain';
      }
      @Get('decorated')
      @Retry(TWICE)
      async decorated(): Promise<string> {
        return 'decorated';
      }
      @MessagePattern('message')
      message(): string {
        return 'message';
      }
    }
    const intercept = jest.spyOn(ResilienceInterceptor.prototype, 'intercept');
    const options = { host: '127.0.0.1', port: 0 };
    const { app, url } = await serve([Shop], {}, (it) => {
      it.connectMicroservice<MicroserviceOptions>(
        { transport: Transport.TCP, options },
        { inheritAppConfig: true },
      );
    });
    for (const path of ['plain', 'decorated'])
      expect(await (await fetch(`${url}/${path}`)).text()).toBe(path);
    expect(intercept).not.toHaveBeenCalled();
    await app.startAllMicroservices();
    const [microservice] = app.getMicroservices() as [INestMicroservice];
    const { port } = microservice.unwrap<Server>().address() as AddressInfo;
    const client = ClientProxyFactory.create({
      transport: Transport.TCP,
      options: { ...options, port },
    });
    track({ close: async () => client.close() });
    expect(await lastValueFrom(client.send('message', {}))).toBe('message');
    expect(intercept).toHaveBeenCalledTimes(1);
  });

  it('a route has its edge where it is under a prefix, excluded from it, versioned, or made for each request', async () => {
    let runs = 0;
    @Controller()
    class Shop {
      @Get('plain')
      plain(): string {
        return `plain ${++runs}`;
      }
      @Get('health')
      health(): string {
        return `health ${++runs}`;
      }
      @Get('versioned')
      @Version('2')
      versioned(): string {
        return `versioned ${++runs}`;
      }
    }
    @Controller({ path: 'scoped', scope: Scope.REQUEST })
    class PerRequest {
      @Get()
      get(): string {
        return `scoped ${++runs}`;
      }
    }
    const { url } = await serve([Shop, PerRequest], {}, (app) => {
      app.setGlobalPrefix('api', { exclude: [{ path: 'health', method: RequestMethod.GET }] });
      app.enableVersioning({ type: VersioningType.URI });
    });
    for (const path of ['api/plain', 'health', 'api/v2/versioned', 'api/scoped']) {
      const response = await fetch(`${url}/${path}`, within(0));
      expect(await response.json()).toMatchObject(TIMEOUT);
      expect((await fetch(`${url}/${path}`, within(50_000))).status).toBe(200);
    }
    expect(runs).toBe(4);
  });

  it('a handler finds the scope also behind middleware that loses the async context', async () => {
    const elsewhere = new AsyncResource('Elsewhere');
    @Controller()
    class Shop {
      @Post('orders')
      async order(@Body() order: { id: number }): Promise<unknown> {
        see('handler');
        return order;
      }
    }
    const { url } = await serve([Shop], {}, (app) => {
      app.use((_request: unknown, _response: unknown, next: () => void) => {
        elsewhere.runInAsyncScope(next);
      });
    });
    const response = await fetch(`${url}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-request-timeout-ms': '50000' },
      body: JSON.stringify({ id: 7 }),
    });
    expect(await response.json()).toEqual({ id: 7 });
    expect(seen).toMatchObject([{ where: 'handler', hasDeadline: true }]);
  });

  it('what a middleware leaves behind that has answered is on its own', async () => {
    const answered = latch();
    const left = latch<Record<string, string>>();
    const { url } = await serve([], {}, (app) => {
      app.use((_request: unknown, response: ServerResponse) => {
        void answered.opened.then(() => left.open(outboundHeaders()));
        response.end('by itself');
      });
    });
    expect(await (await fetch(`${url}/any`, within(50_000))).text()).toBe('by itself');
    answered.open();
    expect(await left.opened).toEqual({});
  });

  it('a client that leaves while a guard works ends what the guard calls, and is no error of the server', async () => {
    const asked = latch();
    const ended = latch<unknown>();
    @Injectable()
    class Users {
      @Retry(TWICE)
      async find(): Promise<boolean> {
        asked.open();
        return never();
      }
    }
    @Injectable()
    class Asking implements CanActivate {
      constructor(private readonly users: Users) {}
      canActivate(): Promise<boolean> {
        return this.users.find().catch((error: unknown) => {
          ended.open(error);
          throw error;
        });
      }
    }
    @Controller()
    @UseGuards(Asking)
    class Shop {
      @Get()
      get(): string {
        return 'unreachable';
      }
    }
    const { open, app, logger } = await listen(platform, {
      controllers: [Shop],
      providers: [Users],
    });
    const exchange = open('/');
    await soon(asked.opened, 'the guard');
    exchange.leave();
    expect(await soon(ended.opened, 'the end')).toMatchObject({ name: 'AbortError' });
    await app.close();
    expect(logger.messages('error')).toEqual([]);
  });

  it('a deadline that comes while a pipe works answers 504, and what comes too late is not sent', async () => {
    const asked = latch();
    const go = latch();
    const done = latch();
    @Injectable()
    class Slow implements PipeTransform {
      async transform(value: unknown): Promise<unknown> {
        asked.open();
        await go.opened;
        return value;
      }
    }
    @Controller()
    class Shop {
      @Get(':id')
      get(@Param('id', Slow) id: string): string {
        done.open();
        return id;
      }
    }
    const { url } = await serve([Shop]);
    const response = await fetch(`${url}/7`, within(100));
    expect(await response.json()).toMatchObject(TIMEOUT);
    await soon(asked.opened, 'the pipe');
    go.open();
    await soon(done.opened, 'the handler');
    expect((await fetch(`${url}/8`)).status).toBe(200);
  });

  it('a file that comes after the deadline is closed', async () => {
    const go = latch();
    const file = new Readable({ read() {} });
    @Controller()
    class Files {
      @Get()
      async get(): Promise<StreamableFile> {
        await go.opened;
        return new StreamableFile(file);
      }
    }
    const { url } = await serve([Files]);
    expect((await fetch(url, within(20))).status).toBe(504);
    go.open();
    await until(() => file.destroyed, 'the end of the file');
  });

  it('an Observable goes through the interceptors of the application in its scope', async () => {
    const errors: unknown[] = [];
    class Looking implements NestInterceptor {
      intercept(_context: unknown, next: CallHandler): Observable<unknown> {
        return next.handle().pipe(
          map((value) => [value, Number(outboundHeaders()['x-request-timeout-ms']) > 0]),
          catchError((error: unknown) => {
            errors.push(error);
            throw error;
          }),
        );
      }
    }
    @Controller()
    @UseInterceptors(Looking)
    class Shop {
      @Get('fine')
      async fine(): Promise<string> {
        return 'fine';
      }
      @Get('slow')
      @Timeout(5)
      async slow(): Promise<string> {
        return never();
      }
    }
    const { url } = await serve([Shop]);
    expect(await (await fetch(`${url}/fine`, within(50_000))).json()).toEqual(['fine', true]);
    expect(await (await fetch(`${url}/slow`)).json()).toMatchObject(TIMEOUT);
    expect(errors).toEqual([expect.any(TimeoutError)]);
  });

  it('each application of a process has its own edge, and one without the module has none', async () => {
    @Controller()
    class Shop {
      @Get()
      get(): Record<string, string> {
        return outboundHeaders();
      }
      @Get('slow')
      async slow(): Promise<string> {
        throw new TimeoutError(5);
      }
    }
    const generous = await serve([Shop], { inbound: { maxTimeoutMs: 50_000 } });
    const strict = await serve([Shop], { inbound: { maxTimeoutMs: 5_000 }, mapErrors: false });
    @Module({ controllers: [Shop] })
    class Bare {}
    const bare = await listening(await byFactory(Bare, platform));
    const left = async (url: string) => {
      const headers = (await (await fetch(url, within(90_000))).json()) as Record<string, string>;
      return Number(headers['x-request-timeout-ms']);
    };
    expect(await left(generous.url)).toBeGreaterThan(5_000);
    expect(await left(strict.url)).toBeLessThanOrEqual(5_000);
    expect(await left(bare)).toBeNaN();
    const statuses = [generous.url, strict.url, bare].map(
      async (url) => (await fetch(`${url}/slow`)).status,
    );
    expect(await Promise.all(statuses)).toEqual([504, 500, 500]);
  });
});

it('On Express, a handler that passes a request on leaves its deadline to the next one', async () => {
  @Controller()
  class Shop {
    @Get('any')
    first(@Next() next: () => void): void {
      setImmediate(next);
    }
    @Get('any')
    async second(@Res() _response: unknown): Promise<void> {
      return never();
    }
  }
  @Module({ controllers: [Shop] })
  class Feature {}
  const url = await listening(await byFactory(rootOf([Feature]), EXPRESS));
  expect(await (await fetch(`${url}/any`, within(100))).json()).toMatchObject(TIMEOUT);
});
