import type { AddressInfo, Server } from 'node:net';
import {
  type ArgumentsHost,
  type CanActivate,
  Catch,
  Controller,
  Get,
  Inject,
  Injectable,
  Param,
  type Provider,
  Scope,
  type Type,
  UseFilters,
  UseGuards,
} from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import {
  BaseRpcExceptionFilter,
  type ClientProxy,
  ClientProxyFactory,
  Ctx,
  EventPattern,
  MessagePattern,
  type MicroserviceOptions,
  Payload,
  RpcException,
  TcpContext,
  Transport,
} from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { concat, firstValueFrom, lastValueFrom, Observable, of, throwError, toArray } from 'rxjs';
import {
  Bulkhead,
  CircuitBreaker,
  currentSignal,
  ErrorTracker,
  Fallback,
  ResilienceInterceptor,
  type ResilienceModuleOptions,
  ResilienceService,
  Retry,
  Timeout,
  TimeoutError,
} from '../../lib/index.js';
import {
  type Booted,
  boot,
  closeAll,
  RecordingLogger,
  resilienceModule,
  TWICE,
  track,
} from '../binding/support.js';
import { failure, never } from '../support/resilience-app.js';

afterEach(closeAll);

const TCP: MicroserviceOptions = {
  transport: Transport.TCP,
  options: { host: '127.0.0.1', port: 0 },
};

type Controllers = Type<object>[];

interface Serving {
  get<T>(type: Type<T>): T;
  logger: RecordingLogger;
  client: ClientProxy;
  /** The last value of the answer. */
  ask(pattern: string, data?: unknown): Promise<unknown>;
  /** What the client gets to see of an error. */
  errorOf(pattern: string, data?: unknown): Promise<unknown>;
}

async function serving(
  get: Serving['get'],
  logger: RecordingLogger,
  server: Server,
): Promise<Serving> {
  const { port } = server.address() as AddressInfo;
  const client = ClientProxyFactory.create({
    transport: Transport.TCP,
    options: { host: '127.0.0.1', port },
  });
  track({ close: async () => client.close() });
  await client.connect();
  const ask = (pattern: string, data: unknown = {}) => lastValueFrom(client.send(pattern, data));
  return {
    get,
    logger,
    client,
    ask,
    errorOf: (pattern, data) => failure(ask(pattern, data)),
  };
}

/** A microservice that listens on a real socket, and a client that is connected to it. */
async function serve(
  controllers: Controllers,
  options: ResilienceModuleOptions = {},
  providers: Provider[] = [],
): Promise<Serving> {
  const logger = new RecordingLogger();
  const module = await Test.createTestingModule({
    imports: [resilienceModule(options)],
    controllers,
    providers,
  })
    .setLogger(logger)
    .compile();
  const app = track(module.createNestMicroservice<MicroserviceOptions>({ ...TCP, logger }));
  await app.listen();
  return serving((type) => app.get(type), logger, app.unwrap<Server>());
}

interface Hybrid extends Serving, Booted {
  http(path: string): Promise<{ status: number; body: Record<string, unknown> }>;
}

/** An application that listens to HTTP and to messages. */
async function serveHybrid(
  controllers: Controllers,
  inheritAppConfig: boolean,
  providers: Provider[] = [],
  options: ResilienceModuleOptions = {},
  isGivenInterceptor = false,
): Promise<Hybrid> {
  const booted = await boot({ controllers, providers }, options);
  const microservice = booted.app.connectMicroservice<MicroserviceOptions>(TCP, {
    inheritAppConfig,
    deferInitialization: isGivenInterceptor,
  });
  if (isGivenInterceptor) microservice.useGlobalInterceptors(booted.app.get(ResilienceInterceptor));
  await booted.app.startAllMicroservices();
  await booted.app.listen(0, '127.0.0.1');
  const { port } = booted.app.getHttpServer().address() as AddressInfo;
  const service = await serving(
    (type) => booted.app.get(type),
    booted.logger,
    microservice.unwrap<Server>(),
  );
  return {
    ...booted,
    ...service,
    async http(path) {
      const response = await fetch(`http://127.0.0.1:${port}${path}`);
      return {
        status: response.status,
        body: (await response.json()) as Record<string, unknown>,
      };
    },
  };
}

@Injectable()
class SecretGateway {
  @Timeout(5)
  async slow(): Promise<string> {
    return never();
  }
  @CircuitBreaker({ failureThreshold: 1 })
  async guarded(): Promise<string> {
    throw new Error('password=hunter2');
  }
  @Bulkhead({ maxConcurrent: 1, queueLimit: 0 })
  async crowded(): Promise<string> {
    return never();
  }
  /** Leaves the breaker open and the bulkhead full. */
  async exhaust(): Promise<void> {
    await this.guarded().catch(() => undefined);
    void this.crowded().catch(() => undefined);
  }
}

/** Handlers of ours only by the services that they call. */
@Controller()
class Plain {
  constructor(private readonly gateway: SecretGateway) {}
  @MessagePattern('plain.TIMEOUT')
  slow(): Promise<string> {
    return this.gateway.slow();
  }
  @MessagePattern('plain.CIRCUIT_OPEN')
  async open(): Promise<string> {
    await this.gateway.exhaust();
    return this.gateway.guarded();
  }
  @MessagePattern('plain.BULKHEAD_FULL')
  async full(): Promise<string> {
    await this.gateway.exhaust();
    return this.gateway.crowded();
  }
}

@Controller()
class Decorated {
  @MessagePattern('decorated.TIMEOUT')
  @Timeout(5)
  async slow(): Promise<string> {
    return never();
  }
  @CircuitBreaker({ failureThreshold: 1 })
  @MessagePattern('decorated.CIRCUIT_OPEN')
  async open(): Promise<string> {
    throw new Error('password=hunter2');
  }
  @MessagePattern('decorated.BULKHEAD_FULL')
  @Bulkhead({ maxConcurrent: 1, queueLimit: 0 })
  async full(): Promise<string> {
    return never();
  }
  @MessagePattern('observable.TIMEOUT')
  @Timeout(5)
  slow$(): Observable<string> {
    return new Observable(() => undefined);
  }
  @MessagePattern('observable.CIRCUIT_OPEN')
  @CircuitBreaker({ failureThreshold: 1 })
  open$(): Observable<string> {
    return throwError(() => new Error('password=hunter2'));
  }
  @MessagePattern('observable.BULKHEAD_FULL')
  @Bulkhead({ maxConcurrent: 1, queueLimit: 0 })
  full$(): Observable<string> {
    return new Observable(() => undefined);
  }
}

const CODES = ['TIMEOUT', 'CIRCUIT_OPEN', 'BULKHEAD_FULL'];
const UNKNOWN = { status: 'error', message: 'Internal server error' };

/** Asks twice where the first call is what opens the breaker or fills the bulkhead. */
async function rejection({ client, errorOf }: Serving, kind: string, code: string) {
  const pattern = `${kind}.${code}`;
  if (kind !== 'plain' && code === 'CIRCUIT_OPEN') expect(await errorOf(pattern)).toEqual(UNKNOWN);
  if (kind !== 'plain' && code === 'BULKHEAD_FULL')
    client.send(pattern, {}).subscribe({ error: () => undefined }); // ends when the client closes
  return errorOf(pattern);
}

describe('Resilience errors that leave a message handler', () => {
  it.each(
    ['plain', 'decorated', 'observable'].flatMap((kind) => CODES.map((code) => [kind, code])),
  )('reach the client as { status, code, message } (%s, %s)', async (kind, code) => {
    const service = await serve([Plain, Decorated], {}, [SecretGateway]);
    const error = await rejection(service, kind as string, code as string);
    expect(error).toEqual({ status: 'error', code, message: expect.any(String) });
    expect(JSON.stringify(error)).not.toMatch(/secret|Gateway|Plain|Decorated|hunter2|\d ?ms/i);
  });

  it('pass through with mapErrors: false, and Nest hides what they say', async () => {
    const service = await serve([Plain, Decorated], { mapErrors: false }, [SecretGateway]);
    for (const kind of ['plain', 'decorated', 'observable'])
      expect(await service.errorOf(`${kind}.TIMEOUT`)).toEqual(UNKNOWN);
  });
});

describe('Other errors of a message handler', () => {
  it("are Nest's to answer, and the handler's own RpcException arrives as it is", async () => {
    @Controller()
    class Errors {
      @MessagePattern('own')
      @Timeout(1_000)
      async own(): Promise<string> {
        throw new RpcException({ status: 'error', code: 'SOLD_OUT', message: 'nothing left' });
      }
      @MessagePattern('unknown')
      @Timeout(1_000)
      async unknown(): Promise<string> {
        throw new Error('password=hunter2');
      }
    }
    const { errorOf, get } = await serve([Errors]);
    expect(await errorOf('own')).toEqual({
      status: 'error',
      code: 'SOLD_OUT',
      message: 'nothing left',
    });
    expect(await errorOf('unknown')).toEqual(UNKNOWN);
    expect(get(ErrorTracker).getMetrics()).toMatchObject({ total: 2, requests: 2 });
  });
});

describe('@Retry on a message handler', () => {
  @Controller()
  class Orders {
    readonly calls: Record<string, number> = {};
    onEvent: () => void = () => undefined;
    @MessagePattern('create')
    @Retry(TWICE)
    @Timeout(1_000)
    async create(): Promise<string> {
      return this.attempt('create');
    }
    @MessagePattern('create$')
    @Retry(TWICE)
    create$(): Observable<string> {
      return of(this.attempt('create$'));
    }
    @MessagePattern('replace')
    @Retry({ ...TWICE, idempotent: true })
    async replace(): Promise<string> {
      return this.attempt('replace');
    }
    @Retry({ ...TWICE, idempotent: true })
    @MessagePattern('replace$')
    replace$(): Observable<string> {
      return of(this.attempt('replace$'));
    }
    @EventPattern('created')
    @Retry(TWICE)
    async created(_data: unknown): Promise<void> {
      this.attempt('created');
    }
    @EventPattern('replaced')
    @Retry({ ...TWICE, idempotent: true })
    async replaced(_data: unknown): Promise<void> {
      this.attempt('replaced');
      this.onEvent();
    }
    private attempt(what: string): string {
      this.calls[what] = (this.calls[what] ?? 0) + 1;
      if (this.calls[what] === 1) throw new Error('down');
      return `${what}: attempt ${this.calls[what]}`;
    }
  }

  it('is inactive, which boot warns of once each, naming the way out', async () => {
    const { errorOf, get, logger } = await serve([Orders]);
    expect(await errorOf('create')).toEqual(UNKNOWN);
    expect(await errorOf('create$')).toEqual(UNKNOWN);
    expect(get(Orders).calls).toEqual({ create: 1, create$: 1 });
    const warnings = logger.messages('warn', 'ResilienceModule');
    expect(warnings.map((warning) => String(warning).split(':')[0])).toEqual([
      'Orders.create',
      'Orders.create$',
      'Orders.created',
    ]);
    for (const warning of warnings)
      expect(warning).toMatch(/@Retry\(\) is inactive.*idempotent: true/);
    const create = get(ResilienceService)
      .describe()
      .find(({ operation }) => operation === 'Orders.create');
    expect(create).toMatchObject({ kind: 'handler' });
    expect(create?.stages).toEqual({ timeout: { timeoutMs: 1_000 } });
  });

  it('repeats with idempotent: true, Promises and Observables alike', async () => {
    const { ask } = await serve([Orders]);
    expect(await ask('replace')).toBe('replace: attempt 2');
    expect(await ask('replace$')).toBe('replace$: attempt 2');
  });

  it('means the same on event handlers, whose errors stay inside', async () => {
    const { ask, client, get } = await serve([Orders]);
    const replaced = new Promise<void>((resolve) => {
      get(Orders).onEvent = resolve;
    });
    // `emit` is through when the event is sent; messages of a connection arrive in their order.
    await firstValueFrom(client.emit('created', {}), { defaultValue: undefined });
    await firstValueFrom(client.emit('replaced', {}), { defaultValue: undefined });
    await replaced;
    expect(await ask('replace')).toBe('replace: attempt 2'); // it still answers
    expect(get(Orders).calls).toMatchObject({ created: 1, replaced: 2 });
    expect(get(ErrorTracker).getMetrics().byOperation).toEqual(new Map([['Orders.created', 1]]));
  });

  it('repeats the calls of services from any handler: they are no entrypoints', async () => {
    let calls = 0;
    @Injectable()
    class Payments {
      @Retry(TWICE)
      async charge(): Promise<string> {
        if (++calls === 1) throw new Error('down');
        return 'charged';
      }
    }
    @Controller()
    class Checkout {
      constructor(private readonly payments: Payments) {}
      @MessagePattern('pay')
      pay(): Promise<string> {
        return this.payments.charge();
      }
    }
    const { ask } = await serve([Checkout], {}, [Payments]);
    expect(await ask('pay')).toBe('charged');
  });
});

describe('A message handler that answers by a stream', () => {
  @Controller()
  class Streams {
    subscriptions = 0;
    @MessagePattern('long')
    @Timeout(1_000)
    long(): Observable<number> {
      return of(1, 2, 3);
    }
    @MessagePattern('broken')
    @Fallback(() => of('instead'))
    @Retry({ ...TWICE, idempotent: true })
    broken(): Observable<string> {
      this.subscriptions++;
      return concat(
        of('first'),
        throwError(() => new RpcException('broken')),
      );
    }
  }

  it('sends all values', async () => {
    const { client } = await serve([Streams]);
    expect(await firstValueFrom(client.send('long', {}).pipe(toArray()))).toEqual([1, 2, 3]);
  });

  it('is neither repeated nor replaced once it has sent one', async () => {
    const { client, get } = await serve([Streams]);
    const seen: unknown[] = [];
    const ended = new Promise<unknown>((resolve) => {
      client.send('broken', {}).subscribe({
        next: (value) => seen.push(value),
        error: resolve,
        complete: () => resolve('complete'),
      });
    });
    expect(await ended).toEqual({ status: 'error', message: 'broken' });
    expect(seen).toEqual(['first']);
    expect(get(Streams).subscriptions).toBe(1);
  });
});

describe("A message handler's fallback", () => {
  class Handlers {
    name = 'the controller';
    @MessagePattern('parameters')
    @Fallback('insteadParameters')
    async parameters(@Ctx() _context: TcpContext, @Payload('id') id: string): Promise<unknown> {
      throw new Error(`down: ${id}`);
    }
    @MessagePattern('bare')
    @Fallback('insteadBare')
    async bare(data: unknown): Promise<unknown> {
      throw new Error(`down: ${JSON.stringify(data)}`);
    }
    @MessagePattern('function')
    @Fallback((error, id: string) => ({ error: (error as Error).message, id }))
    async function(@Payload('id') _id: string): Promise<unknown> {
      throw new Error('down');
    }
    @MessagePattern('stream')
    @Fallback('insteadStream')
    stream(@Payload('id') _id: string): Observable<unknown> {
      return throwError(() => new Error('down'));
    }
    insteadParameters(context: TcpContext, id: string, error: Error) {
      const isContext = context instanceof TcpContext;
      return { id, isContext, error: error.message, this: this.name };
    }
    insteadBare(data: unknown, error: Error) {
      return { data, error: error.message }; // without decorators, Nest hands the data alone
    }
    insteadStream(id: string, error: Error) {
      return of({ id, error: error.message });
    }
  }
  @Controller()
  class Singleton extends Handlers {}
  @Controller({ scope: Scope.REQUEST })
  class PerRequest extends Handlers {}

  it.each([
    ['singleton', Singleton],
    ['request-scoped', PerRequest],
  ])('gets the real arguments, then the error, on a %s controller', async (_scope, controller) => {
    const { ask } = await serve([controller]);
    expect(await ask('parameters', { id: '7' })).toEqual({
      id: '7',
      isContext: true,
      error: 'down: 7',
      this: 'the controller',
    });
    expect(await ask('bare', { id: '7' })).toEqual({
      data: { id: '7' },
      error: 'down: {"id":"7"}',
    });
    expect(await ask('function', { id: '7' })).toEqual({ error: 'down', id: '7' });
    expect(await ask('stream', { id: '7' })).toEqual({ id: '7', error: 'down' });
  });
});

/** Lets nobody in, because what it asks is too slow. */
@Injectable()
class SlowGuard implements CanActivate {
  @Timeout(5)
  async canActivate(): Promise<boolean> {
    return never();
  }
}

/** Handlers of HTTP and of messages, by which something times out. */
@Controller()
class Mixed {
  constructor(private readonly gateway: SecretGateway) {}
  @Get('decorated')
  @Timeout(5)
  async httpDecorated(): Promise<string> {
    return never();
  }
  @Get('plain')
  async httpPlain(): Promise<string> {
    return this.gateway.slow();
  }
  @Get('guarded')
  @UseGuards(SlowGuard)
  httpGuarded(): string {
    return 'nobody gets here';
  }
  @MessagePattern('guarded')
  @UseGuards(SlowGuard)
  guarded(): string {
    return 'nobody gets here';
  }
  @Get('both/:id')
  @MessagePattern('both')
  @Timeout(5)
  async both(): Promise<string> {
    return never();
  }
  @Get('both-ways/:id')
  @MessagePattern('both-ways')
  async bothPlain(): Promise<string> {
    return this.gateway.slow();
  }
}

const GATEWAY_TIMEOUT = { statusCode: 504, code: 'TIMEOUT' };
const RPC_TIMEOUT = { status: 'error', code: 'TIMEOUT', message: expect.any(String) };

describe('A guard of a message handler', () => {
  it('that has our decorators tells the client in the terms of its transport', async () => {
    const { errorOf } = await serve([Mixed], {}, [SecretGateway]);
    expect(await errorOf('guarded')).toEqual(RPC_TIMEOUT);
  });

  @Injectable()
  class Asking implements CanActivate {
    constructor(private readonly gateway: SecretGateway) {}
    async canActivate(): Promise<boolean> {
      return Boolean(await this.gateway.slow());
    }
  }
  @Catch(TimeoutError)
  class CatchTimeout {
    catch(error: Error) {
      return throwError(() => ({ caught: error.name }));
    }
  }
  @Catch(RpcException)
  class CatchRpc {
    catch(error: RpcException) {
      return throwError(() => ({ caught: error.getError() }));
    }
  }
  @Controller()
  @UseGuards(Asking)
  class Asked {
    @MessagePattern('asked')
    asked(): string {
      return 'nobody gets here';
    }
    @MessagePattern('filtered')
    @UseFilters(CatchTimeout)
    filtered(): string {
      return 'nobody gets here';
    }
  }

  it('that calls one with our decorators does so too, and leaves it to the filters of the application', async () => {
    const { errorOf } = await serve([Asked], {}, [SecretGateway]);
    expect(await errorOf('asked')).toEqual(RPC_TIMEOUT);
    expect(await errorOf('filtered')).toEqual({ caught: 'TimeoutError' });
  });

  it('that calls one is told by a global filter for what its error becomes', async () => {
    const filter = { provide: APP_FILTER, useClass: CatchRpc };
    const { errorOf } = await serve([Asked], {}, [SecretGateway, filter]);
    expect(await errorOf('asked')).toEqual({ caught: RPC_TIMEOUT });
  });

  it('that calls one is as it is with mapErrors: false', async () => {
    const { errorOf } = await serve([Asked], { mapErrors: false }, [SecretGateway]);
    expect(await errorOf('asked')).toEqual({ status: 'error', message: 'Internal server error' });
  });

  it('still refuses where it says no, without a call of the handler', async () => {
    let calls = 0;
    class Denied implements CanActivate {
      canActivate = () => false;
    }
    @Controller()
    class Guarded {
      @Retry({ ...TWICE, idempotent: true })
      @UseGuards(Denied)
      @MessagePattern('denied')
      async denied(): Promise<number> {
        return ++calls;
      }
    }
    const { errorOf } = await serve([Guarded]);
    expect(await errorOf('denied')).toEqual({ status: 'error', message: 'Forbidden resource' });
    expect(calls).toBe(0);
  });
});

it('A microservice of a hybrid application maps the errors of all its handlers where it is given the interceptor', async () => {
  const app = await serveHybrid([Plain], false, [SecretGateway], {}, true);
  expect(await app.errorOf('plain.TIMEOUT')).toEqual(RPC_TIMEOUT);
});

it('A microservice of a hybrid application with inheritAppConfig says what was retried to the end', async () => {
  @Injectable()
  class Upstream {
    @Retry(TWICE)
    async get(): Promise<never> {
      throw new Error('down');
    }
  }
  @Controller()
  class Service {
    constructor(@Inject(Upstream) private readonly upstream: Upstream) {}
    @MessagePattern('retried')
    get(): Promise<never> {
      return this.upstream.get();
    }
  }
  const app = await serveHybrid([Service], true, [Upstream]);
  expect(await app.errorOf('retried')).toEqual({
    ...UNKNOWN,
    headers: { 'x-should-retry': 'false' },
  });
});

it('A filter of the application that leaves the answer to Nest says so as well', async () => {
  const seen: unknown[] = [];
  @Catch()
  class DeadLetters extends BaseRpcExceptionFilter {
    override catch(error: unknown, host: ArgumentsHost) {
      seen.push(error);
      return super.catch(error, host);
    }
  }
  const down = new Error('down');
  @Injectable()
  class Upstream {
    @Retry(TWICE)
    async get(): Promise<never> {
      throw down;
    }
  }
  @Controller()
  @UseFilters(DeadLetters)
  class Service {
    constructor(@Inject(Upstream) private readonly upstream: Upstream) {}
    @MessagePattern('retried')
    get(): Promise<never> {
      return this.upstream.get();
    }
    @MessagePattern('tried')
    async once(): Promise<never> {
      throw down;
    }
  }
  const app = await serveHybrid([Service], true, [Upstream]);
  const told = { ...UNKNOWN, headers: { 'x-should-retry': 'false' } };
  expect(await app.errorOf('retried')).toEqual(told);
  expect(await app.errorOf('tried')).toEqual(UNKNOWN);
  expect(seen).toEqual([down, down]);
});

describe('Of a microservice of a hybrid application that is connected without its interceptors', () => {
  const WARNING =
    'Plain.slow: ServerTCP of this hybrid application does not have its interceptors, so no deadline of a message is read, and errors are mapped for decorated handlers only; connect it by app.connectMicroservice(…, { inheritAppConfig: true })';

  it('boot warns, once for all its handlers', async () => {
    const { logger } = await serveHybrid([Plain, Decorated], false, [SecretGateway]);
    expect(logger.warnings().split('\n')).toEqual([WARNING]);
  });

  it('but not where it inherits them, is given ours, or has no handler', async () => {
    const quiet = [
      await serveHybrid([Plain], true, [SecretGateway]),
      await serveHybrid([Plain], false, [SecretGateway], {}, true),
      await serveHybrid([], false),
    ];
    expect(quiet.map(({ logger }) => logger.warnings())).toEqual(['', '', '']);
    const { logger } = await serve([Plain], {}, [SecretGateway]);
    expect(logger.warnings()).toBe('');
  });
});

describe.each([
  ['with inheritAppConfig', true],
  ['without inheritAppConfig', false],
])('A hybrid application %s', (_what, inherits) => {
  it.each(['decorated', 'observable'].flatMap((kind) => CODES.map((code) => [kind, code])))(
    'maps errors of decorated message handlers (%s, %s)',
    async (kind, code) => {
      const app = await serveHybrid([Decorated], inherits);
      const error = await rejection(app, kind as string, code as string);
      expect(error).toEqual({ status: 'error', code, message: expect.any(String) });
    },
  );

  it("maps HTTP handlers' errors, and guards' on either side", async () => {
    const app = await serveHybrid([Mixed], inherits, [SecretGateway]);
    for (const path of ['/decorated', '/plain', '/guarded']) {
      const { status, body } = await app.http(path);
      expect([path, status]).toEqual([path, 504]);
      expect(body).toMatchObject(GATEWAY_TIMEOUT);
    }
    expect(await app.errorOf('guarded')).toEqual(RPC_TIMEOUT);
  });

  it('maps errors of a handler that is both a route and a message handler, to each its own', async () => {
    const app = await serveHybrid([Mixed], inherits, [SecretGateway]);
    for (const path of ['/both/7', '/both-ways/7']) {
      const { status, body } = await app.http(path);
      expect([path, status]).toEqual([path, 504]);
      expect(body).toMatchObject(GATEWAY_TIMEOUT);
    }
    expect(await app.errorOf('both')).toEqual(RPC_TIMEOUT);
  });

  it(`${inherits ? 'maps' : 'leaves to Nest'} errors of message handlers without our decorators`, async () => {
    const app = await serveHybrid([Plain], inherits, [SecretGateway]);
    expect(await app.errorOf('plain.TIMEOUT')).toEqual(inherits ? RPC_TIMEOUT : UNKNOWN);
  });

  it('retries, and falls back with the real arguments, on both sides', async () => {
    @Controller()
    class Items {
      calls = 0;
      @Get('items/:id')
      @Retry(TWICE)
      @Fallback('instead')
      async get(@Param('id') id: string): Promise<unknown> {
        this.calls++;
        throw new Error(`down: ${id}`);
      }
      @MessagePattern('item')
      @Retry({ ...TWICE, idempotent: true })
      @Fallback('instead')
      async message(@Payload('id') id: string): Promise<unknown> {
        this.calls++;
        expect(currentSignal().aborted).toBe(false);
        throw new Error(`down: ${id}`);
      }
      instead(id: string, error: Error) {
        return { id, error: error.message, calls: this.calls };
      }
    }
    const app = await serveHybrid([Items], inherits);
    expect((await app.http('/items/7')).body).toEqual({ id: '7', error: 'down: 7', calls: 2 });
    expect(await app.ask('item', { id: '8' })).toEqual({ id: '8', error: 'down: 8', calls: 4 });
  });
});
