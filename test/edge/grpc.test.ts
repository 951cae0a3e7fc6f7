import type { EventEmitter } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientUnaryCall,
  credentials,
  loadPackageDefinition,
  type Metadata,
  type ServerDuplexStream,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  Injectable,
  type Provider,
  type Type,
  UseGuards,
} from '@nestjs/common';
import {
  GrpcMethod,
  GrpcStreamCall,
  GrpcStreamMethod,
  type MicroserviceOptions,
  RpcException,
  Transport,
} from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { concat, EMPTY, map, NEVER, Observable, of, reduce, throwError } from 'rxjs';
import {
  Bulkhead,
  BulkheadRegistry,
  CircuitBreaker,
  currentSignal,
  ErrorTracker,
  Fallback,
  type ResilienceModuleOptions,
  Retry,
  Timeout,
} from '../../lib/index.js';
import {
  boot,
  closeAll,
  RecordingLogger,
  resilienceModule,
  TWICE,
  track,
} from '../binding/support.js';
import { freePort } from '../support/free-port.js';
import { Deferred, never } from '../support/resilience-app.js';

const PROTO = `
syntax = "proto3";
package shop;
service Shop {
  rpc One (Text) returns (Text);
  rpc Many (Text) returns (stream Text);
  rpc Chat (stream Text) returns (stream Text);
  rpc Sum (stream Text) returns (Text);
}
message Text { string value = 1; }
`;
const folder = mkdtempSync(join(tmpdir(), 'bulwark-grpc-'));
const protoPath = join(folder, 'shop.proto');
writeFileSync(protoPath, PROTO);

afterEach(closeAll);
afterAll(() => rmSync(folder, { recursive: true }));

interface Text {
  value: string;
}

type Answered = (error: ServiceError | null, answer?: Text) => void;

/** The client that grpc-js makes of the definition. */
interface ShopClient {
  one(request: Text, answered: Answered): ClientUnaryCall;
  many(request: Text): ClientReadableStream<Text>;
  chat(): ClientDuplexStream<Text, Text>;
  sum(answered: Answered): ClientDuplexStream<Text, Text>;
  close(): void;
}

async function options(): Promise<{ url: string; microservice: MicroserviceOptions }> {
  const url = `127.0.0.1:${await freePort()}`;
  return {
    url,
    microservice: { transport: Transport.GRPC, options: { package: 'shop', protoPath, url } },
  };
}

function connect(url: string): ShopClient {
  const { shop } = loadPackageDefinition(loadSync(protoPath)) as unknown as {
    shop: { Shop: new (...args: unknown[]) => ShopClient };
  };
  const client = new shop.Shop(url, credentials.createInsecure());
  track({ close: async () => client.close() });
  return client;
}

class Caller {
  constructor(
    private readonly client: ShopClient,
    readonly get: <T>(type: Type<T>) => T,
  ) {}

  one(value = ''): Promise<string | undefined> {
    return this.unary((answered) => this.client.one({ value }, answered));
  }

  /** Calls, and cancels when the test says so. */
  cancellableOne(): { cancel(): void; answer: Promise<string | undefined> } {
    let call: ClientUnaryCall | undefined;
    const answer = this.unary((answered) => {
      call = this.client.one({ value: '' }, answered);
    });
    answer.catch(() => undefined);
    return { answer, cancel: () => call?.cancel() };
  }

  sum(...values: string[]): Promise<string | undefined> {
    return this.unary((answered) => {
      const call = this.client.sum(answered);
      for (const value of values) call.write({ value });
      call.end();
    });
  }

  many(value = ''): Stream {
    return new Stream(this.client.many({ value }));
  }

  chat(...values: string[]): Stream {
    const call = this.client.chat();
    for (const value of values) call.write({ value });
    call.end();
    return new Stream(call);
  }

  private unary(call: (answered: Answered) => unknown): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
      call((error, answer) => (error ? reject(error) : resolve(answer?.value)));
    });
  }
}

/** The messages that a client receives. */
class Stream {
  readonly values: string[] = [];
  readonly began = new Deferred<void>();
  /** The error by which it ends, or `undefined`. */
  readonly ended = new Deferred<ServiceError | undefined>();

  constructor(private readonly call: ClientReadableStream<Text>) {
    call.on('data', ({ value }: Text) => {
      this.values.push(value);
      this.began.resolve();
    });
    call.on('error', (error: ServiceError) => this.ended.resolve(error));
    call.on('end', () => setImmediate(() => this.ended.resolve(undefined))); // an error comes after
  }

  cancel(): void {
    this.call.cancel();
  }
}

/** A server of gRPC on a real socket, and a client of it. */
async function serve(
  controller: Type<object>,
  resilience: ResilienceModuleOptions = {},
  providers: Provider[] = [],
): Promise<Caller & { logger: RecordingLogger }> {
  const logger = new RecordingLogger();
  const { url, microservice } = await options();
  const module = await Test.createTestingModule({
    imports: [resilienceModule(resilience)],
    controllers: [controller],
    providers,
  })
    .setLogger(logger)
    .compile();
  const app = track(
    module.createNestMicroservice<MicroserviceOptions>({ ...microservice, logger }),
  );
  await app.listen();
  return Object.assign(new Caller(connect(url), (type) => app.get(type)), { logger });
}

/** What the client gets to see of an error. */
async function errorOf(call: Promise<unknown>): Promise<ServiceError> {
  return call.then(
    () => {
      throw new Error('It was expected to fail');
    },
    (error) => error as ServiceError,
  );
}

function resilienceCode({ metadata }: ServiceError): unknown {
  return (metadata as Metadata).get('resilience-code')[0];
}

@Injectable()
class SecretGateway {
  @Timeout(5)
  async slow(): Promise<Text> {
    return never();
  }
  @CircuitBreaker({ failureThreshold: 1 })
  async guarded(): Promise<Text> {
    throw new Error('password=hunter2');
  }
  @Bulkhead({ maxConcurrent: 1, queueLimit: 0 })
  async crowded(): Promise<Text> {
    return never();
  }
  async fail(code: string): Promise<Text> {
    if (code === 'TIMEOUT') return this.slow();
    if (code === 'CIRCUIT_OPEN') {
      await this.guarded().catch(() => undefined);
      return this.guarded();
    }
    void this.crowded().catch(() => undefined);
    return this.crowded();
  }
}

/** Its handlers are undecorated; the services that they call fail. */
@Controller()
class Plain {
  constructor(private readonly gateway: SecretGateway) {}
  @GrpcMethod('Shop', 'One')
  one({ value }: Text): Promise<Text> {
    return this.gateway.fail(value);
  }
  @GrpcMethod('Shop', 'Many')
  many({ value }: Text): Observable<Text> {
    return new Observable((subscriber) => {
      this.gateway.fail(value).catch((error) => subscriber.error(error));
    });
  }
  @GrpcStreamMethod('Shop', 'Chat')
  chat(messages: Observable<Text>): Observable<Text> {
    return new Observable((subscriber) =>
      messages.subscribe(({ value }) => {
        this.gateway.fail(value).catch((error) => subscriber.error(error));
      }),
    );
  }
}

@Controller()
@Timeout(5)
class Slow {
  @GrpcMethod('Shop', 'One')
  async one(): Promise<Text> {
    return never();
  }
  @GrpcMethod('Shop', 'Many')
  many(): Observable<Text> {
    return NEVER;
  }
  @GrpcStreamMethod('Shop', 'Chat')
  chat(_messages: Observable<Text>): Observable<Text> {
    return NEVER;
  }
  @GrpcStreamMethod('Shop', 'Sum')
  async sum(_messages: Observable<Text>): Promise<Text> {
    return never();
  }
}

@Controller()
@CircuitBreaker({ failureThreshold: 1 })
class Broken {
  @GrpcMethod('Shop', 'One')
  async one(): Promise<Text> {
    throw new Error('password=hunter2');
  }
  @GrpcMethod('Shop', 'Many')
  many(): Observable<Text> {
    return throwError(() => new Error('password=hunter2'));
  }
}

@Controller()
@Bulkhead({ maxConcurrent: 1, queueLimit: 0 })
class Crowded {
  readonly started = new Deferred<void>();
  @GrpcMethod('Shop', 'One')
  async one(): Promise<Text> {
    this.started.resolve();
    return never();
  }
  @GrpcMethod('Shop', 'Many')
  many(): Observable<Text> {
    this.started.resolve();
    return NEVER;
  }
}

const EXPECTED: [string, number][] = [
  ['TIMEOUT', status.DEADLINE_EXCEEDED],
  ['CIRCUIT_OPEN', status.UNAVAILABLE],
  ['BULKHEAD_FULL', status.RESOURCE_EXHAUSTED],
];

function expectMapped(error: ServiceError | undefined, code: string): void {
  expect(error?.code).toBe(new Map(EXPECTED).get(code));
  expect(resilienceCode(error as ServiceError)).toBe(code);
  expect(error?.details).toMatch(new RegExp(`^${code}: `));
  expect(error?.details).not.toMatch(/secret|gateway|plain|slow|broken|crowded|hunter2|\d ?ms/i);
}

describe('Resilience errors that leave a handler of gRPC', () => {
  it('have the status codes 4, 14 and 8', () => {
    expect(EXPECTED.map(([, code]) => code)).toEqual([4, 14, 8]);
  });

  it.each(EXPECTED)('tell of %s where an undecorated one calls a service', async (code) => {
    const shop = await serve(Plain, {}, [SecretGateway]);
    expectMapped(await errorOf(shop.one(code)), code);
    expectMapped(await shop.many(code).ended.promise, code);
    expectMapped(await shop.chat(code).ended.promise, code);
  });

  it('tell of TIMEOUT where a decorated one takes too long', async () => {
    const shop = await serve(Slow);
    expectMapped(await errorOf(shop.one()), 'TIMEOUT');
    expectMapped(await errorOf(shop.sum('a')), 'TIMEOUT');
    expectMapped(await shop.many().ended.promise, 'TIMEOUT');
    expectMapped(await shop.chat('a').ended.promise, 'TIMEOUT');
  });

  it("tell of CIRCUIT_OPEN where a decorated one's breaker is open", async () => {
    const shop = await serve(Broken);
    expect(await errorOf(shop.one())).toMatchObject({
      code: status.UNKNOWN,
      details: 'Internal server error',
    });
    expect((await shop.many().ended.promise)?.details).toBe('Internal server error');
    expectMapped(await errorOf(shop.one()), 'CIRCUIT_OPEN');
    expectMapped(await shop.many().ended.promise, 'CIRCUIT_OPEN');
  });

  it.each(['one', 'many'] as const)(
    "tell of BULKHEAD_FULL where a decorated one's bulkhead is full (%s)",
    async (method) => {
      const shop = await serve(Crowded);
      const holder = method === 'one' ? shop.cancellableOne() : shop.many();
      await shop.get(Crowded).started.promise;
      const error = method === 'one' ? errorOf(shop.one()) : shop.many().ended.promise;
      expectMapped(await error, 'BULKHEAD_FULL');
      holder.cancel();
    },
  );

  it('pass through with mapErrors: false, and Nest hides what they say', async () => {
    const shop = await serve(Slow, { mapErrors: false });
    for (const error of [await errorOf(shop.one()), await shop.many().ended.promise]) {
      expect(error).toMatchObject({ code: status.UNKNOWN, details: 'Internal server error' });
      expect(resilienceCode(error as ServiceError)).toBeUndefined();
    }
  });

  it('leave an RpcException of the handler alone', async () => {
    @Controller()
    class Own {
      @GrpcMethod('Shop', 'One')
      @Timeout(1_000)
      async one(): Promise<Text> {
        throw new RpcException({ code: status.NOT_FOUND, message: 'sold out' });
      }
    }
    const shop = await serve(Own);
    expect(await errorOf(shop.one())).toMatchObject({
      code: status.NOT_FOUND,
      details: 'sold out',
    });
  });

  it('are mapped in a hybrid application too, which does not share its interceptors', async () => {
    const booted = await boot({ controllers: [Slow] });
    const { url, microservice } = await options();
    booted.app.connectMicroservice<MicroserviceOptions>(microservice);
    await booted.app.startAllMicroservices();
    const shop = new Caller(connect(url), (type) => booted.app.get(type));
    expectMapped(await errorOf(shop.one()), 'TIMEOUT');
    expectMapped(await shop.many().ended.promise, 'TIMEOUT');
  });

  it('are mapped where a decorated guard throws them', async () => {
    @Injectable()
    class SlowGuard implements CanActivate {
      @Timeout(5)
      async canActivate(): Promise<boolean> {
        return never();
      }
    }
    @Controller()
    class Guarded {
      @GrpcMethod('Shop', 'One')
      @UseGuards(SlowGuard)
      one(): Text {
        return { value: 'nobody gets here' };
      }
      @GrpcMethod('Shop', 'Many')
      @UseGuards(SlowGuard)
      many(): Observable<Text> {
        return of({ value: 'nobody gets here' });
      }
    }
    const shop = await serve(Guarded);
    expectMapped(await errorOf(shop.one()), 'TIMEOUT');
    expectMapped(await shop.many().ended.promise, 'TIMEOUT');
  });

  it('are mapped where they leave an undecorated guard', async () => {
    @Injectable()
    class Asking implements CanActivate {
      constructor(private readonly gateway: SecretGateway) {}
      async canActivate(context: ExecutionContext): Promise<boolean> {
        const [{ value }] = context.getArgs<[Text]>();
        return Boolean(await this.gateway.fail(value));
      }
    }
    @Controller()
    @UseGuards(Asking)
    class Guarded {
      @GrpcMethod('Shop', 'One')
      one(): Text {
        return { value: 'nobody gets here' };
      }
    }
    const shop = await serve(Guarded, {}, [SecretGateway]);
    for (const code of ['TIMEOUT', 'CIRCUIT_OPEN', 'BULKHEAD_FULL'])
      expectMapped(await errorOf(shop.one(code)), code);
  });
});

describe('@Retry and @Fallback on a handler of gRPC', () => {
  class Flaky {
    calls = 0;
    protected attempt(value: string): Text {
      if (++this.calls === 1) throw new Error('down');
      return { value: `${value}, attempt ${this.calls}` };
    }
  }

  it('do not repeat, which boot warns of, naming the way out', async () => {
    @Controller()
    class Orders extends Flaky {
      @GrpcMethod('Shop', 'One')
      @Retry(TWICE)
      async one({ value }: Text): Promise<Text> {
        return this.attempt(value);
      }
      @Retry(TWICE)
      @GrpcMethod('Shop', 'Many')
      many({ value }: Text): Observable<Text> {
        return of(this.attempt(value));
      }
    }
    const shop = await serve(Orders);
    expect((await errorOf(shop.one())).details).toBe('Internal server error');
    expect(shop.get(Orders).calls).toBe(1);
    shop.get(Orders).calls = 0;
    expect((await shop.many().ended.promise)?.details).toBe('Internal server error');
    expect(shop.get(Orders).calls).toBe(1);
    const warnings = shop.logger.messages('warn', 'ResilienceModule');
    expect(warnings).toHaveLength(2);
    for (const [index, name] of ['Orders.one', 'Orders.many'].entries())
      expect(warnings[index]).toMatch(
        new RegExp(`^${name}: @Retry\\(\\) is inactive.*idempotent: true`),
      );
  });

  it('repeat with idempotent: true, a stream as long as it has sent nothing', async () => {
    @Controller()
    @Retry({ ...TWICE, idempotent: true })
    class Items extends Flaky {
      @GrpcMethod('Shop', 'One')
      async one({ value }: Text): Promise<Text> {
        return this.attempt(value);
      }
      @GrpcMethod('Shop', 'Many')
      many({ value }: Text): Observable<Text> {
        return concat(
          EMPTY,
          new Observable<Text>((subscriber) => {
            subscriber.next(this.attempt(value));
            subscriber.next({ value: 'more' });
            subscriber.complete();
          }),
        );
      }
    }
    const shop = await serve(Items);
    expect(await shop.one('x')).toBe('x, attempt 2');
    shop.get(Items).calls = 0;
    const stream = shop.many('x');
    expect(await stream.ended.promise).toBeUndefined();
    expect(stream.values).toEqual(['x, attempt 2', 'more']);
  });

  it('leave a stream alone that has sent its first message', async () => {
    @Controller()
    class Items {
      subscriptions = 0;
      fallbacks = 0;
      @GrpcMethod('Shop', 'Many')
      @Retry({ ...TWICE, idempotent: true })
      @Fallback('instead')
      @Timeout(1_000)
      many(): Observable<Text> {
        this.subscriptions++;
        return concat(
          of({ value: 'first' }),
          throwError(() => new RpcException({ code: status.DATA_LOSS, message: 'broken' })),
        );
      }
      instead(): Observable<Text> {
        this.fallbacks++;
        return of({ value: 'instead' });
      }
    }
    const shop = await serve(Items);
    const stream = shop.many();
    expect(await stream.ended.promise).toMatchObject({ code: status.DATA_LOSS, details: 'broken' });
    expect(stream.values).toEqual(['first']);
    expect(shop.get(Items)).toMatchObject({ subscriptions: 1, fallbacks: 0 });
  });

  it('answer instead, with the real arguments, then the error', async () => {
    @Controller()
    @Fallback('instead')
    class Items {
      @GrpcMethod('Shop', 'One')
      async one(_request: Text, _metadata: Metadata): Promise<Text> {
        throw new Error('down');
      }
      @GrpcMethod('Shop', 'Many')
      many(_request: Text): Observable<Text> {
        return throwError(() => new Error('down'));
      }
      instead({ value }: Text, metadata: Metadata, call: { getPath(): string }, error: Error) {
        const agent = metadata.get('user-agent')[0];
        return { value: `${value}, ${call.getPath()}, ${error.message}, ${typeof agent}` };
      }
    }
    const shop = await serve(Items);
    expect(await shop.one('x')).toBe('x, /shop.Shop/One, down, string');
    const stream = shop.many('x');
    expect(await stream.ended.promise).toBeUndefined();
    expect(stream.values).toEqual(['x, /shop.Shop/Many, down, string']);
  });

  it('hand the messages of the client on to a handler of a stream', async () => {
    @Controller()
    @Timeout(1_000)
    class Chats {
      @GrpcStreamMethod('Shop', 'Chat')
      chat(messages: Observable<Text>): Observable<Text> {
        return messages.pipe(map(({ value }) => ({ value: `re: ${value}` })));
      }
      @GrpcStreamMethod('Shop', 'Sum')
      sum(messages: Observable<Text>): Observable<Text> {
        return messages.pipe(reduce((all, { value }) => ({ value: all.value + value })));
      }
    }
    const shop = await serve(Chats);
    const stream = shop.chat('a', 'b');
    expect(await stream.ended.promise).toBeUndefined();
    expect(stream.values).toEqual(['re: a', 're: b']);
    expect(await shop.sum('a', 'b', 'c')).toBe('abc');
  });
});

describe('A client of gRPC that cancels', () => {
  const aborted = (signal: AbortSignal) =>
    signal.aborted
      ? Promise.resolve()
      : new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));

  it.each([
    ['a resilient handler', Timeout(60_000) as MethodDecorator],
    ['a plain handler', (() => undefined) as MethodDecorator],
  ])('aborts currentSignal() of %s', async (_what, decorator) => {
    const started = new Deferred<AbortSignal>();
    @Controller()
    class Items {
      @GrpcMethod('Shop', 'One')
      @decorator
      async one(): Promise<Text> {
        started.resolve(currentSignal());
        return never();
      }
    }
    const shop = await serve(Items);
    const call = shop.cancellableOne();
    const signal = await started.promise;
    expect(signal.aborted).toBe(false);
    call.cancel();
    await aborted(signal);
    expect((await errorOf(call.answer)).code).toBe(status.CANCELLED);
    expect((signal.reason as Error).name).toBe('AbortError');
    expect(shop.get(ErrorTracker).getMetrics().total).toBe(0); // nothing failed
  });

  it('gives back its place in the queue of a bulkhead, and its attempt is not repeated', async () => {
    let calls = 0;
    const started = new Deferred<AbortSignal>();
    @Injectable()
    class Gateway {
      @Bulkhead('narrow')
      @Retry({ maxAttempts: 3, baseDelayMs: 0 })
      async load(): Promise<Text> {
        calls++;
        const signal = currentSignal();
        started.resolve(signal);
        await aborted(signal);
        throw signal.reason;
      }
    }
    @Controller()
    class Items {
      constructor(private readonly gateway: Gateway) {}
      @GrpcMethod('Shop', 'One')
      one(): Promise<Text> {
        return this.gateway.load();
      }
    }
    const shop = await serve(Items, { bulkheads: { narrow: { maxConcurrent: 1 } } }, [Gateway]);
    const narrow = shop.get(BulkheadRegistry).get('narrow');
    const until = async (queued: number, running: number) => {
      const at = () => narrow.getSnapshot();
      while (at().queued !== queued || at().running !== running)
        await new Promise((resolve) => setImmediate(resolve));
    };
    const first = shop.cancellableOne();
    await until(0, 1);
    const second = shop.cancellableOne();
    await until(1, 1);
    second.cancel();
    await until(0, 1);
    first.cancel();
    await until(0, 0);
    expect(calls).toBe(1);
  });

  it.each([
    ['a resilient stream', Bulkhead('narrow') as MethodDecorator],
    ['a plain stream', (() => undefined) as MethodDecorator],
  ])('unsubscribes %s, before and after its first message', async (_what, decorator) => {
    const started: Deferred<AbortSignal>[] = [new Deferred(), new Deferred()];
    const unsubscribed = [new Deferred<void>(), new Deferred<void>()];
    let calls = 0;
    @Controller()
    class Items {
      @GrpcMethod('Shop', 'Many')
      @decorator
      many({ value }: Text): Observable<Text> {
        return new Observable((subscriber) => {
          const call = calls++;
          if (value !== '') subscriber.next({ value });
          started[call]?.resolve(currentSignal());
          return () => unsubscribed[call]?.resolve();
        });
      }
    }
    const shop = await serve(Items, { bulkheads: { narrow: { maxConcurrent: 1, queueLimit: 0 } } });
    const narrow = shop.get(BulkheadRegistry).get('narrow');

    const silent = shop.many();
    const silentSignal = await started[0]?.promise;
    silent.cancel();
    await unsubscribed[0]?.promise;
    await aborted(silentSignal as AbortSignal);
    expect(narrow.getSnapshot().running).toBe(0);

    const begun = shop.many('first');
    const begunSignal = await started[1]?.promise;
    await begun.began.promise;
    begun.cancel();
    await unsubscribed[1]?.promise;
    await aborted(begunSignal as AbortSignal);
    expect(narrow.getSnapshot().running).toBe(0);
    expect((await begun.ended.promise)?.code).toBe(status.CANCELLED);
    expect(shop.get(ErrorTracker).getMetrics().total).toBe(0);
  });

  it('aborts the signal also where it left while a guard was asked', async () => {
    const asked = new Deferred<void>();
    const left = new Deferred<void>();
    const signals = new Deferred<AbortSignal>();
    class Patient implements CanActivate {
      async canActivate(context: ExecutionContext): Promise<boolean> {
        context.getArgByIndex<EventEmitter>(2).once('cancelled', () => left.resolve());
        asked.resolve();
        await left.promise;
        return true;
      }
    }
    @Controller()
    @UseGuards(Patient)
    class Items {
      @GrpcMethod('Shop', 'One')
      async one({ value }: Text): Promise<Text> {
        signals.resolve(currentSignal());
        return { value };
      }
    }
    const shop = await serve(Items);
    const call = shop.cancellableOne();
    await asked.promise;
    call.cancel();
    expect((await signals.promise).aborted).toBe(true);
  });

  it('does not abort the signal of a call that was answered', async () => {
    let signal: AbortSignal | undefined;
    @Controller()
    class Items {
      @GrpcMethod('Shop', 'One')
      async one({ value }: Text): Promise<Text> {
        signal = currentSignal();
        return { value };
      }
    }
    const shop = await serve(Items);
    expect(await shop.one('x')).toBe('x');
    await closeAll();
    expect(signal?.aborted).toBe(false);
  });

  it('aborts the signal of a handler that reads and writes the call itself', async () => {
    const started = new Deferred<AbortSignal>();
    @Controller()
    class Chats {
      @GrpcStreamCall('Shop', 'Chat')
      async chat(call: ServerDuplexStream<Text, Text>): Promise<void> {
        call.on('data', ({ value }: Text) => call.write({ value: `re: ${value}` }));
        const signal = currentSignal();
        started.resolve(signal);
        await aborted(signal);
      }
    }
    const shop = await serve(Chats);
    const stream = shop.chat('a');
    const signal = await started.promise;
    await stream.began.promise;
    expect(stream.values).toEqual(['re: a']);
    stream.cancel();
    await aborted(signal);
  });
});
