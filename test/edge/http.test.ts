import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import { type ClientRequest, request as httpRequest, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type ArgumentsHost,
  BadRequestException,
  Body,
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  Injectable,
  InternalServerErrorException,
  Param,
  Post,
  Put,
  Query,
  Req,
  Res,
  Scope,
  Sse,
  UseFilters,
  UseGuards,
} from '@nestjs/common';
import { Observable, of, throwError } from 'rxjs';
import {
  Bulkhead,
  CircuitBreaker,
  CircuitBreakerOpenError,
  CircuitBreakerPolicy,
  CircuitBreakerRegistry,
  Critical,
  currentSignal,
  ErrorTracker,
  Fallback,
  type ResilienceModuleOptions,
  ResilienceService,
  Retry,
  Signal,
  Timeout,
  TimeoutError,
} from '../../lib/index.js';
import { boot, closeAll, TWICE } from '../binding/support.js';
import { soon } from './waiting.js';

afterEach(closeAll);

interface Listening extends Awaited<ReturnType<typeof boot>> {
  url: string;
  fetch(
    path: string,
    init?: RequestInit,
  ): Promise<{ status: number; headers: Headers; body: unknown }>;
}

/** Boots an application that listens on a real socket. */
async function listen(
  controller: new (...args: never[]) => object,
  options?: ResilienceModuleOptions,
  providers: (new (...args: never[]) => object)[] = [],
): Promise<Listening> {
  const booted = await boot({ controllers: [controller], providers }, options);
  await booted.app.listen(0, '127.0.0.1');
  const { port } = booted.app.getHttpServer().address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  return {
    ...booted,
    url,
    async fetch(path, init) {
      const response = await fetch(url + path, init);
      const text = await response.text();
      const isJson = response.headers.get('content-type')?.includes('json');
      const body: unknown = isJson ? JSON.parse(text) : text;
      return { status: response.status, headers: response.headers, body };
    },
  };
}

const never = () => new Promise<never>(() => undefined);

/** A promise, and what resolves it. */
function latch<T = void>() {
  let open!: (value: T) => void;
  const opened = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

const BODIES = {
  timeout: {
    statusCode: 504,
    error: 'Gateway Timeout',
    message: expect.any(String),
    code: 'TIMEOUT',
  },
  open: {
    statusCode: 503,
    error: 'Service Unavailable',
    message: expect.any(String),
    code: 'CIRCUIT_OPEN',
  },
  full: {
    statusCode: 503,
    error: 'Service Unavailable',
    message: expect.any(String),
    code: 'BULKHEAD_FULL',
  },
};

@Injectable()
class SecretGateway {
  @Timeout(5)
  async slow(): Promise<string> {
    return never();
  }
  @CircuitBreaker('secret-breaker')
  async guarded(): Promise<string> {
    throw new Error('password=hunter2');
  }
  @Bulkhead({ maxConcurrent: 1, queueLimit: 0 })
  async crowded(): Promise<string> {
    return never();
  }
}

@Controller()
class Shop {
  constructor(private readonly gateway: SecretGateway) {}
  @Get('slow')
  async slow(): Promise<string> {
    return this.gateway.slow();
  }
  @Get('slow-handler')
  @Timeout(5)
  async slowHandler(): Promise<string> {
    return never();
  }
  @Get('open')
  open(): Promise<string> {
    return this.gateway.guarded();
  }
  @Get('full')
  async full(): Promise<string> {
    void this.gateway.crowded();
    return this.gateway.crowded();
  }
  @Get('retry-after/:ms')
  async retryAfter(@Param('ms') ms: string): Promise<string> {
    throw new CircuitBreakerOpenError('secret-breaker', Number(ms));
  }
  @Get('observable')
  @Timeout(5)
  observable(): Observable<string> {
    return new Observable(() => undefined);
  }
  @Get('bad')
  @Retry(TWICE)
  async bad(): Promise<string> {
    throw new BadRequestException('your fault');
  }
  @Get('broken')
  @Retry(TWICE)
  async broken(): Promise<string> {
    throw new InternalServerErrorException('our fault');
  }
}

const SHOP: ResilienceModuleOptions = {
  breakers: { 'secret-breaker': { failureThreshold: 1, timeoutMs: 30_000 } },
};

describe('Resilience errors that leave a handler', () => {
  it.each(['/slow', '/slow-handler', '/observable'])(
    'become 504 where something timed out (%s)',
    async (path) => {
      const app = await listen(Shop, SHOP, [SecretGateway]);
      const { status, body, headers } = await app.fetch(path);
      expect(status).toBe(504);
      expect(body).toEqual(BODIES.timeout);
      expect(headers.has('retry-after')).toBe(false);
    },
  );

  it('become 503 with Retry-After where a breaker is open', async () => {
    const app = await listen(Shop, SHOP, [SecretGateway]);
    expect((await app.fetch('/open')).status).toBe(500); // the failure that opens it
    const { status, body, headers } = await app.fetch('/open');
    expect(status).toBe(503);
    expect(body).toEqual(BODIES.open);
    expect(headers.get('retry-after')).toMatch(/^(30|[12]\d)$/); // however long it has taken so far
  });

  it('become 503 where a bulkhead is full', async () => {
    const app = await listen(Shop, SHOP, [SecretGateway]);
    const { status, body, headers } = await app.fetch('/full');
    expect(status).toBe(503);
    expect(body).toEqual(BODIES.full);
    expect(headers.has('retry-after')).toBe(false);
  });

  it.each([
    [30_000, '30'],
    [30_001, '31'],
    [29_000.5, '30'],
    [999, '1'],
    [1, '1'],
  ])('carry Retry-After in whole seconds, rounded up: %d ms', async (ms, seconds) => {
    const app = await listen(Shop, SHOP, [SecretGateway]);
    expect((await app.fetch(`/retry-after/${ms}`)).headers.get('retry-after')).toBe(seconds);
  });

  it('tell nothing of the inside', async () => {
    const app = await listen(Shop, SHOP, [SecretGateway]);
    await app.fetch('/open');
    for (const path of ['/slow', '/slow-handler', '/open', '/full']) {
      const text = JSON.stringify((await app.fetch(path)).body);
      expect(text).not.toMatch(/secret|Gateway\.|Shop|hunter2|\d ms|stack|node_modules/i);
    }
  });

  it('pass through untouched with mapErrors: false', async () => {
    const app = await listen(Shop, { ...SHOP, mapErrors: false }, [SecretGateway]);
    for (const path of ['/slow', '/slow-handler', '/full']) {
      const { status, body } = await app.fetch(path);
      expect(status).toBe(500);
      expect(body).toEqual({ statusCode: 500, message: 'Internal server error' });
    }
  });
});

describe('Other errors', () => {
  it('of the client pass through unchanged and are not retried or tracked', async () => {
    const app = await listen(Shop, SHOP, [SecretGateway]);
    expect((await app.fetch('/bad')).body).toEqual({
      statusCode: 400,
      error: 'Bad Request',
      message: 'your fault',
    });
    expect(app.app.get(ErrorTracker).getMetrics()).toMatchObject({ total: 0, requests: 1 });
  });

  it('of the server pass through unchanged after the last attempt', async () => {
    const app = await listen(Shop, SHOP, [SecretGateway]);
    expect((await app.fetch('/broken')).body).toEqual({
      statusCode: 500,
      error: 'Internal Server Error',
      message: 'our fault',
    });
    expect(app.app.get(ErrorTracker).getMetrics()).toMatchObject({ total: 1, requests: 1 });
  });

  it('after the headers were sent pass through without a second answer', async () => {
    const filtered: unknown[] = [];
    const filter = {
      catch(error: unknown, host: ArgumentsHost) {
        filtered.push(error);
        host.switchToHttp().getResponse<ServerResponse>().end();
      },
    };
    @Controller()
    @UseFilters(filter)
    class Streams {
      @Get()
      @Timeout(5)
      async get(@Res({ passthrough: true }) response: ServerResponse): Promise<string> {
        response.setHeader('content-type', 'text/plain');
        response.write('begun');
        return never();
      }
    }
    const app = await listen(Streams);
    const response = await fetch(app.url);
    expect(response.status).toBe(200);
    expect(response.headers.has('retry-after')).toBe(false);
    expect(await response.text()).toBe('begun');
    expect(filtered).toEqual([expect.any(TimeoutError)]);
  });
});

describe('A client that disconnects', () => {
  /** Sends a request, and leaves when told. */
  function caller(url: string): ClientRequest {
    const request = httpRequest(url);
    request.on('error', () => undefined);
    request.end();
    return request;
  }

  it("aborts the signal of the service's attempt, and of everything around it", async () => {
    const started = latch();
    const signals: AbortSignal[] = [];
    const ended = latch<unknown>();
    @Injectable()
    class Gateway {
      @Retry({ maxAttempts: 3, baseDelayMs: 0 })
      @Timeout(60_000)
      async load(): Promise<string> {
        signals.push(currentSignal());
        started.open();
        return never();
      }
    }
    @Controller()
    class Items {
      constructor(private readonly gateway: Gateway) {}
      @Get()
      async get(): Promise<string> {
        signals.push(currentSignal());
        return this.gateway.load().catch((error: unknown) => {
          ended.open(error);
          throw error;
        });
      }
    }
    const app = await listen(Items, {}, [Gateway]);
    const request = caller(app.url);
    await soon(started.opened, 'the call');
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
    request.destroy();
    const error = await soon(ended.opened, 'the end of the call');
    expect((error as Error).name).toBe('AbortError');
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
    expect(signals[1]?.reason).toBe(error);
    expect(app.app.get(ErrorTracker).getMetrics().total).toBe(0); // nothing failed
  });

  it.each([
    ['a resilient handler', Retry(TWICE) as MethodDecorator],
    ['a plain handler', (() => undefined) as MethodDecorator],
  ])('aborts the @Signal() parameter of %s', async (_what, decorator) => {
    const started = latch<AbortSignal>();
    @Controller()
    class Items {
      @Get(':id')
      @decorator
      async get(@Param('id') id: string, @Signal() signal: AbortSignal): Promise<string> {
        expect(id).toBe('7');
        started.open(signal);
        return never();
      }
    }
    const app = await listen(Items);
    const request = caller(`${app.url}/7`);
    const signal = await soon(started.opened, 'the signal');
    expect(signal.aborted).toBe(false);
    const aborted = once(signal, 'abort');
    request.destroy();
    await soon(aborted, 'the abort');
    expect(signal.reason).toBeInstanceOf(DOMException);
  });

  it('is heard of in the async context of the request, where somebody keeps one', async () => {
    const storage = new AsyncLocalStorage<string>();
    const started = latch();
    const heard = latch<string | undefined>();
    @Controller()
    class Items {
      @Get()
      async get(): Promise<string> {
        return storage.run('of this request', async () => {
          currentSignal().addEventListener('abort', () => heard.open(storage.getStore()));
          started.open();
          return never();
        });
      }
    }
    const app = await listen(Items);
    const request = caller(app.url);
    await soon(started.opened, 'the call');
    request.destroy();
    expect(await soon(heard.opened, 'the abort')).toBe('of this request');
  });

  it('gives back its slot in the queue of a bulkhead', async () => {
    const started = latch();
    const release = latch<string>();
    let calls = 0;
    @Injectable()
    class Gateway {
      @Bulkhead('narrow')
      async load(): Promise<string> {
        calls++;
        started.open();
        return release.opened;
      }
    }
    @Controller()
    class Items {
      constructor(private readonly gateway: Gateway) {}
      @Get()
      async get(): Promise<string> {
        return this.gateway.load();
      }
    }
    const app = await listen(Items, { bulkheads: { narrow: { maxConcurrent: 1 } } }, [Gateway]);
    const { BulkheadRegistry } = await import('../../lib/index.js');
    const bulkhead = app.app.get(BulkheadRegistry).get('narrow');
    const first = app.fetch('/');
    await soon(started.opened, 'the first call');
    const second = caller(app.url);
    const until = async (queued: number) => {
      while (bulkhead.getSnapshot().queued !== queued)
        await new Promise((resolve) => setImmediate(resolve));
    };
    await soon(until(1), 'the second call');
    second.destroy();
    await soon(until(0), 'the end of the second call');
    release.open('done');
    expect((await first).body).toBe('done');
    expect(calls).toBe(1);
  });

  it.each([
    ['a resilient handler', Retry(TWICE) as MethodDecorator],
    ['a plain handler', (() => undefined) as MethodDecorator],
  ])('aborts currentSignal() in the Observable that %s returns', async (_what, decorator) => {
    const started = latch<AbortSignal>();
    @Controller()
    class Items {
      @Get()
      @decorator
      get(): Observable<string> {
        return new Observable(() => started.open(currentSignal()));
      }
    }
    const app = await listen(Items);
    const request = caller(app.url);
    const signal = await soon(started.opened, 'the signal');
    expect(signal.aborted).toBe(false);
    const aborted = once(signal, 'abort');
    request.destroy();
    await soon(aborted, 'the abort');
  });

  it('aborts the signal also where it left while a guard was asked', async () => {
    const asked = latch();
    const signals = latch<AbortSignal>();
    class Patient implements CanActivate {
      async canActivate(context: ExecutionContext): Promise<boolean> {
        const left = once(context.switchToHttp().getResponse<ServerResponse>(), 'close');
        asked.open();
        await left;
        return true;
      }
    }
    @Controller()
    class Items {
      @Get()
      @UseGuards(Patient)
      get(): string {
        signals.open(currentSignal());
        return 'nobody reads it';
      }
    }
    const app = await listen(Items);
    const request = caller(app.url);
    await soon(asked.opened, 'the guard');
    request.destroy();
    expect((await soon(signals.opened, 'the signal')).aborted).toBe(true);
  });

  it('has a breaker of its own start nothing for a client that left while a guard was asked', async () => {
    const asked = latch();
    const outcome = latch<unknown>();
    const breaker = new CircuitBreakerPolicy('of its own');
    class Patient implements CanActivate {
      async canActivate(context: ExecutionContext): Promise<boolean> {
        const left = once(context.switchToHttp().getResponse<ServerResponse>(), 'close');
        asked.open();
        await left;
        return true;
      }
    }
    @Controller()
    class Items {
      @Get()
      @UseGuards(Patient)
      async get(): Promise<void> {
        outcome.open(await breaker.execute(async () => 'ran').catch((error: unknown) => error));
      }
    }
    const app = await listen(Items);
    const request = caller(app.url);
    await soon(asked.opened, 'the guard');
    request.destroy();
    expect(await soon(outcome.opened, 'the outcome')).toMatchObject({ name: 'AbortError' });
  });

  it('does not abort the signal when the answer was sent in full', async () => {
    let signal: AbortSignal | undefined;
    @Controller()
    class Items {
      @Get()
      @Retry(TWICE)
      async get(): Promise<string> {
        signal = currentSignal();
        return 'done';
      }
    }
    const app = await listen(Items);
    expect((await app.fetch('/')).body).toBe('done');
    await app.app.close();
    expect(signal?.aborted).toBe(false);
  });
});

describe('@Retry on a handler', () => {
  class Counting {
    readonly calls: Record<string, number> = {};
    protected attempt(what: string): string {
      this.calls[what] = (this.calls[what] ?? 0) + 1;
      if (this.calls[what] === 1) throw new Error('down');
      return `${what}: attempt ${this.calls[what]}`;
    }
  }
  @Controller()
  class Orders extends Counting {
    @Get()
    @Retry(TWICE)
    async list(): Promise<string> {
      return this.attempt('list');
    }
    @Post()
    @Retry(TWICE)
    @Timeout(1_000)
    async create(@Body() _order: unknown): Promise<string> {
      return this.attempt('create');
    }
    @Put()
    @Retry({ ...TWICE, idempotent: true })
    async replace(@Body() _order: unknown): Promise<string> {
      return this.attempt('replace');
    }
    @Post('observable')
    @Retry(TWICE)
    stream(): Observable<string> {
      return throwError(() => new Error(this.attempt('stream')));
    }
  }

  it('repeats a GET', async () => {
    const app = await listen(Orders);
    expect((await app.fetch('/')).body).toBe('list: attempt 2');
  });

  it('is inactive on a POST, which boot warns of, naming the way out', async () => {
    const app = await listen(Orders);
    expect((await app.fetch('/', { method: 'POST' })).status).toBe(500);
    expect((await app.fetch('/observable', { method: 'POST' })).status).toBe(500);
    expect(app.app.get(Orders).calls).toEqual({ create: 1, stream: 1 });
    const warnings = app.logger.messages('warn', 'ResilienceModule');
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toMatch(/Orders\.create.*@Retry\(\) is inactive.*idempotent: true/);
    const operations = app.app.get(ResilienceService).describe();
    const create = operations.find(({ operation }) => operation === 'Orders.create');
    expect(create?.stages).toEqual({ timeout: { timeoutMs: 1_000 } });
  });

  it('repeats a PUT with idempotent: true', async () => {
    const app = await listen(Orders);
    expect((await app.fetch('/', { method: 'PUT' })).body).toBe('replace: attempt 2');
  });

  it('repeats calls of services from a POST: they are no entrypoints', async () => {
    @Injectable()
    class Payments extends Counting {
      @Retry(TWICE)
      async charge(): Promise<string> {
        return this.attempt('charge');
      }
    }
    @Controller()
    class Checkout {
      constructor(private readonly payments: Payments) {}
      @Post()
      async pay(): Promise<string> {
        return this.payments.charge();
      }
    }
    const app = await listen(Checkout, {}, [Payments]);
    expect((await app.fetch('/', { method: 'POST' })).body).toBe('charge: attempt 2');
  });
});

describe("A handler's fallback", () => {
  class Handlers {
    prefix = 'instead';
    @Get('method/:id')
    @Fallback('instead')
    async method(@Param('id') id: string, @Query('q') q: string, @Req() req: object) {
      return this.fail(id, q, req);
    }
    @Get('function/:id')
    @Fallback((error, id: string, q: string) => ({ error: (error as Error).message, id, q }))
    async function(@Param('id') id: string, @Query('q') q: string): Promise<unknown> {
      return this.fail(id, q);
    }
    @Get('observable/:id')
    @Fallback('insteadObservable')
    observable(@Param('id') _id: string): Observable<unknown> {
      return throwError(() => new Error('down'));
    }
    @Get('null')
    @Critical(false)
    async nice(): Promise<unknown> {
      return this.fail();
    }
    @Get('client')
    @Fallback(() => 'instead')
    async client(): Promise<unknown> {
      throw new BadRequestException();
    }
    instead(id: string, q: string, req: { url: string }, error: Error) {
      return { id, q, url: req.url, error: error.message, this: this.prefix };
    }
    insteadObservable(id: string, error: Error) {
      return of({ id, error: error.message });
    }
    private async fail(..._args: unknown[]): Promise<never> {
      throw new Error('down');
    }
  }
  @Controller()
  class Singleton extends Handlers {}
  @Controller({ path: '/', scope: Scope.REQUEST })
  class PerRequest extends Handlers {}

  it.each([
    ['singleton', Singleton],
    ['request-scoped', PerRequest],
  ])('gets the real arguments, then the error, on a %s controller', async (_scope, controller) => {
    const app = await listen(controller);
    expect((await app.fetch('/method/7?q=x')).body).toEqual({
      id: '7',
      q: 'x',
      url: '/method/7?q=x',
      error: 'down',
      this: 'instead',
    });
    expect((await app.fetch('/function/7?q=x')).body).toEqual({ id: '7', q: 'x', error: 'down' });
    expect((await app.fetch('/observable/7')).body).toEqual({ id: '7', error: 'down' });
  });

  it('leaves client errors alone, and null is an empty answer', async () => {
    const app = await listen(Singleton);
    expect((await app.fetch('/client')).status).toBe(400);
    const { status, body } = await app.fetch('/null');
    expect([status, body]).toEqual([200, '']);
  });
});

describe('Handlers of every kind', () => {
  it('a synchronous one under a class decorator works, and retries', async () => {
    let calls = 0;
    @Controller()
    @Retry(TWICE)
    class Sync {
      @Get()
      get(@Query('q') q: string): { q: string; calls: number } {
        if (++calls % 2 === 1) throw new Error('down');
        return { q, calls };
      }
    }
    const app = await listen(Sync);
    expect((await app.fetch('/?q=x')).body).toEqual({ q: 'x', calls: 2 });
  });

  it('one that returns an Observable answers with its last value', async () => {
    let calls = 0;
    @Controller()
    class Streams {
      @Get()
      @Retry(TWICE)
      @Timeout(1_000)
      get(): Observable<number> {
        return ++calls === 1 ? throwError(() => new Error('down')) : of(1, 2, 3);
      }
    }
    const app = await listen(Streams);
    expect((await app.fetch('/')).body).toBe('3');
    expect(calls).toBe(2);
  });

  it('one that sends server-sent events passes on what follows the first', async () => {
    @Controller()
    class Streams {
      @Sse()
      @Timeout(1_000)
      @Retry(TWICE)
      events(): Observable<{ data: string }> {
        return of({ data: 'one' }, { data: 'two' });
      }
    }
    const app = await listen(Streams);
    const response = await fetch(app.url);
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    const text = await response.text();
    expect(text).toContain('data: one');
    expect(text).toContain('data: two');
  });

  it('a request-scoped one with @Signal() gets a signal of each attempt', async () => {
    const signals: AbortSignal[] = [];
    @Controller({ path: '/', scope: Scope.REQUEST })
    class PerRequest {
      @Get()
      @Retry(TWICE)
      async get(@Signal() signal: AbortSignal): Promise<string> {
        expect(signal).toBe(currentSignal());
        signals.push(signal);
        if (signals.length === 1) throw new Error('down');
        return 'done';
      }
    }
    const app = await listen(PerRequest);
    expect((await app.fetch('/')).body).toBe('done');
    expect(new Set(signals).size).toBe(2);
  });

  it('a handler with an open breaker is not called', async () => {
    let calls = 0;
    @Controller()
    class Guarded {
      @Get()
      @CircuitBreaker({ failureThreshold: 1 })
      async get(): Promise<string> {
        calls++;
        throw new Error('down');
      }
    }
    const app = await listen(Guarded);
    const statuses = [(await app.fetch('/')).status, (await app.fetch('/')).status];
    expect(statuses).toEqual([500, 503]);
    expect(calls).toBe(1);
    expect(app.app.get(CircuitBreakerRegistry).has('Guarded.get')).toBe(true);
  });
});
