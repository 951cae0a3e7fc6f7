import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Metadata, type ServerUnaryCall, type ServiceError, status } from '@grpc/grpc-js';
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
  type ClientGrpc,
  ClientProxyFactory,
  GrpcMethod,
  type GrpcOptions,
  type MicroserviceOptions,
  RpcException,
  Transport,
} from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { concat, firstValueFrom, lastValueFrom, map, Observable, of, timer, toArray } from 'rxjs';
import { optionalPeer } from '../../lib/edge/optional-peer.js';
import {
  CircuitBreaker,
  CircuitBreakerOpenError,
  CircuitBreakerRegistry,
  currentSignal,
  outboundCallOptions,
  outboundHeaders,
  type ResilienceModuleOptions,
  Retry,
  TimeoutError,
} from '../../lib/index.js';
import { closeAll, RecordingLogger, resilienceModule, TWICE, track } from '../binding/support.js';
import { freePort } from '../support/free-port.js';
import { latch, never, soon } from './waiting.js';

const PROTO = `
syntax = "proto3";
package shop;
service Shop {
  rpc One (Text) returns (Text);
  rpc Many (Text) returns (stream Text);
}
message Text { string value = 1; }
`;
const folder = mkdtempSync(join(tmpdir(), 'bulwark-inbound-grpc-'));
const protoPath = join(folder, 'shop.proto');
writeFileSync(protoPath, PROTO);

// A client at its deadline does not wait for the server, and Jest refuses imports between tests.
beforeAll(() => Promise.all(['@grpc/grpc-js', '@nestjs/microservices'].map(optionalPeer)));
afterEach(closeAll);
afterAll(() => rmSync(folder, { recursive: true }));

interface Text {
  value: string;
}

/** What Nest's client makes of the definition. */
interface Shop {
  one(request: object, metadata?: Metadata, options?: object): Observable<Text>;
  many(request: object, metadata?: Metadata, options?: object): Observable<Text>;
}

/** A server of gRPC on a real socket, and Nest's client of it. */
async function serve(
  controller: Type<object>,
  resilience: ResilienceModuleOptions = {},
  providers: Provider[] = [],
) {
  const url = `127.0.0.1:${await freePort()}`;
  const grpc: GrpcOptions = {
    transport: Transport.GRPC,
    options: { package: 'shop', protoPath, url },
  };
  const logger = new RecordingLogger();
  const module = await Test.createTestingModule({
    imports: [resilienceModule(resilience)],
    controllers: [controller],
    providers,
  })
    .setLogger(logger)
    .compile();
  const app = track(module.createNestMicroservice<MicroserviceOptions>({ ...grpc, logger }));
  await app.listen();
  const client = ClientProxyFactory.create(grpc) as unknown as ClientGrpc & { close(): void };
  track({ close: async () => client.close() });
  return { app, shop: client.getService<Shop>('Shop') };
}

const within = (ms: number) => ({ deadline: new Date(Date.now() + ms) });

async function errorOf(answer: Observable<unknown>): Promise<ServiceError> {
  return firstValueFrom(answer).then(
    () => {
      throw new Error('It was expected to fail');
    },
    (error) => error as ServiceError,
  );
}

const pushbackOf = ({ metadata }: ServiceError) => metadata.get('grpc-retry-pushback-ms');

/** Answers with what calls made inside would send on. */
@Controller()
class Mirror {
  @GrpcMethod('Shop', 'One')
  one(): Text {
    return { value: JSON.stringify({ ...outboundHeaders(), ...outboundCallOptions() }) };
  }
}

const seenBy = async (answer: Observable<Text>) =>
  JSON.parse((await firstValueFrom(answer)).value) as Record<string, string>;

describe('Chaos that a call by gRPC brings along in its metadata', () => {
  @Injectable()
  class Stock {
    @Retry({ maxAttempts: 1 })
    async count(): Promise<string> {
      return '7';
    }
  }

  @Controller()
  class Counting {
    constructor(private readonly stock: Stock) {}

    @GrpcMethod('Shop', 'One')
    async one(): Promise<Text> {
      return { value: await this.stock.count() };
    }
  }

  it('comes to the operations of that call, where it is allowed', async () => {
    const allow = (context: ExecutionContext): boolean =>
      (context.getArgByIndex(1) as Metadata).get('x-tester').length > 0;
    const header = { name: 'x-chaos', allow };
    const { shop } = await serve(Counting, { chaos: { header } }, [Stock]);
    const metadata = new Metadata();
    metadata.set('x-chaos', 'Stock.count=error');
    expect(await firstValueFrom(shop.one({}, metadata))).toEqual({ value: '7' });
    metadata.set('x-tester', 'yes');
    expect((await errorOf(shop.one({}, metadata))).code).toBe(status.UNKNOWN);
    expect(await firstValueFrom(shop.one({}))).toEqual({ value: '7' });
  });
});

describe('The deadline of a call by gRPC', () => {
  it('is that of the calls made inside', async () => {
    const { shop } = await serve(Mirror);
    const deadline = within(20_000);
    const seen = await seenBy(shop.one({}, new Metadata(), deadline));
    expect(Number(seen['x-request-timeout-ms'])).toBeLessThanOrEqual(20_000);
    expect(Number(seen['x-request-timeout-ms'])).toBeGreaterThan(10_000);
    const apart = Date.parse(seen.deadline as string) - deadline.deadline.getTime();
    expect(Math.abs(apart)).toBeLessThan(5_000);
  });

  it('is none where the call brings none', async () => {
    const { shop } = await serve(Mirror);
    expect(await seenBy(shop.one({}))).toEqual({ 'x-request-attempt': '1' });
  });

  it('is cut to the upper limit', async () => {
    const { shop } = await serve(Mirror, { inbound: { maxTimeoutMs: 5_000 } });
    const seen = await seenBy(shop.one({}, new Metadata(), within(20_000)));
    expect(Number(seen['x-request-timeout-ms'])).toBeLessThanOrEqual(5_000);
  });

  it('ends the handler and what runs inside, as DEADLINE_EXCEEDED', async () => {
    let ended = latch<unknown>();
    @Injectable()
    class Gateway {
      @CircuitBreaker('remote')
      async load(): Promise<Text> {
        return never();
      }
    }
    @Controller()
    class Hanging {
      constructor(private readonly gateway: Gateway) {}
      @GrpcMethod('Shop', 'One')
      async one(): Promise<Text> {
        const signal = currentSignal();
        signal.addEventListener('abort', () => ended.open(signal.reason));
        return this.gateway.load();
      }
    }
    for (const [inbound, failures] of [
      [{}, 0], // it is the client's impatience
      [{ trustDeadline: true }, 1],
    ] as const) {
      ended = latch();
      const { shop, app } = await serve(Hanging, { breakers: { remote: {} }, inbound }, [Gateway]);
      const error = await errorOf(shop.one({}, new Metadata(), within(400)));
      expect(error.code).toBe(status.DEADLINE_EXCEEDED);
      expect(await soon(ended.opened, 'the end')).toBeInstanceOf(TimeoutError);
      expect(app.get(CircuitBreakerRegistry).get('remote').getSnapshot().failures).toBe(failures);
    }
  });

  it('answers DEADLINE_EXCEEDED at the upper limit, while the client still waits', async () => {
    @Controller()
    class Hanging {
      @GrpcMethod('Shop', 'One')
      async one(): Promise<Text> {
        return never();
      }
    }
    const { shop } = await serve(Hanging, { inbound: { maxTimeoutMs: 20 } });
    const error = await errorOf(shop.one({}, new Metadata(), within(50_000)));
    expect(error).toMatchObject({
      code: status.DEADLINE_EXCEEDED,
      details: 'TIMEOUT: The request took too long',
    });
    expect(error.metadata.get('resilience-code')).toEqual(['TIMEOUT']);
  });

  it('does not cut a stream that has begun at the upper limit', async () => {
    @Controller()
    class Streaming {
      @GrpcMethod('Shop', 'Many')
      many({ value }: Text): Observable<Text> {
        const first = value === 'late' ? timer(50_000) : of(0);
        return concat(first, timer(260)).pipe(map(() => ({ value: 'more' })));
      }
    }
    const { shop } = await serve(Streaming, { inbound: { maxTimeoutMs: 200 } });
    const call = (value: string) => shop.many({ value }, new Metadata(), within(50_000));
    expect(await lastValueFrom(call('at once').pipe(toArray()))).toHaveLength(2);
    expect((await errorOf(call('late'))).code).toBe(status.DEADLINE_EXCEEDED);
  });
});

describe('The criticality of a call by gRPC', () => {
  it.each([
    [true, 'critical', 'critical'],
    [true, 'sheddable', 'sheddable'],
    [true, 'very', undefined],
    [false, 'critical', undefined],
  ])('with trustCriticality: %p, %p is %p inside', async (trustCriticality, said, inside) => {
    const { shop } = await serve(Mirror, { inbound: { trustCriticality } });
    const metadata = Metadata.fromHttp2Headers({ 'x-request-criticality': said });
    const seen = await seenBy(shop.one({}, metadata));
    expect(seen['x-request-criticality']).toBe(inside);
  });
});

describe('A failure that was retried to the end, by gRPC', () => {
  @Injectable()
  class Gateway {
    @Retry(TWICE)
    async retried(error: Error): Promise<Text> {
      throw error;
    }
  }
  const SOLD_OUT = { code: status.UNAVAILABLE, message: 'sold out' };
  const CLOSED = {
    ...SOLD_OUT,
    metadata: Metadata.fromHttp2Headers({ shop: 'closed' }),
  };
  const CONSTANT = new RpcException(SOLD_OUT);
  @Controller()
  class Shops {
    constructor(private readonly gateway: Gateway) {}
    @GrpcMethod('Shop', 'One')
    async one({ value }: Text): Promise<Text> {
      if (value === 'plain') return this.gateway.retried(new Error('password=hunter2'));
      if (value === 'text') return this.gateway.retried(new RpcException('sold out'));
      if (value === 'constant') return this.gateway.retried(CONSTANT);
      if (value === 'not retried') throw new RpcException(CLOSED);
      return this.gateway.retried(new RpcException(CLOSED));
    }
    @GrpcMethod('Shop', 'Many')
    many(): Observable<Text> {
      return new Observable((subscriber) => {
        this.gateway.retried(new RpcException(SOLD_OUT)).catch((error) => subscriber.error(error));
      });
    }
  }

  it('tells the client not to retry, besides what it says anyway', async () => {
    const { shop } = await serve(Shops, {}, [Gateway]);
    const plain = await errorOf(shop.one({ value: 'plain' }));
    expect(plain).toMatchObject({ code: status.UNKNOWN, details: 'Internal server error' });
    const text = await errorOf(shop.one({ value: 'text' }));
    expect(text).toMatchObject({ code: status.UNKNOWN, details: 'sold out' });
    const own = await errorOf(shop.one({ value: 'own' }));
    expect(own).toMatchObject({ code: status.UNAVAILABLE, details: 'sold out' });
    expect(own.metadata.get('shop')).toEqual(['closed']);
    const stream = await errorOf(shop.many({}));
    expect(stream).toMatchObject({ code: status.UNAVAILABLE, details: 'sold out' });
    for (const error of [plain, text, own, stream]) expect(pushbackOf(error)).toEqual(['-1']);
    // What one answer was made of is not marked for the next one.
    expect(pushbackOf(await errorOf(shop.one({ value: 'not retried' })))).toEqual([]);
  });

  it('is told so where a guard passes it on', async () => {
    @Injectable()
    class Forwarding implements CanActivate {
      async canActivate(context: ExecutionContext): Promise<boolean> {
        const { value } = context.switchToRpc().getData<Text>();
        const headers = new Headers(value === 'final' ? { 'x-should-retry': 'false' } : {});
        throw Object.assign(new CircuitBreakerOpenError('far', 1_000), { headers });
      }
    }
    @Controller()
    @UseGuards(Forwarding)
    class Guarded {
      @GrpcMethod('Shop', 'One')
      async one(text: Text): Promise<Text> {
        return text;
      }
    }
    const { shop } = await serve(Guarded);
    const [final, other] = [
      await errorOf(shop.one({ value: 'final' })),
      await errorOf(shop.one({})),
    ];
    expect([final.code, other.code]).toEqual([status.UNAVAILABLE, status.UNAVAILABLE]);
    expect([pushbackOf(final), pushbackOf(other)]).toEqual([['-1'], []]);
  });

  it('tells so each time that the same error object is thrown', async () => {
    const { shop } = await serve(Shops, {}, [Gateway]);
    for (let call = 0; call < 2; call++) {
      const error = await errorOf(shop.one({ value: 'constant' }));
      expect(error).toMatchObject({ code: status.UNAVAILABLE, details: 'sold out' });
      expect(pushbackOf(error)).toEqual(['-1']);
    }
  });

  it('tells so with mapErrors: false by an RpcException, and leaves other errors alone', async () => {
    const { shop } = await serve(Shops, { mapErrors: false }, [Gateway]);
    expect(pushbackOf(await errorOf(shop.one({ value: 'own' })))).toEqual(['-1']);
    const plain = await errorOf(shop.one({ value: 'plain' }));
    expect(plain).toMatchObject({ code: status.UNKNOWN, details: 'Internal server error' });
    expect(pushbackOf(plain)).toEqual([]);
  });
});

describe('Three services by gRPC, each of which makes 4 attempts', () => {
  it('make 4 calls of a dead leaf, and hand deadline and attempt on', async () => {
    const calls: { attempt: unknown; leftMs: number }[][] = [];
    async function tier(next?: Shop): Promise<Shop> {
      const mine: (typeof calls)[number] = [];
      calls.unshift(mine);
      @Injectable()
      class Client {
        @Retry({ maxAttempts: 4, baseDelayMs: 1 })
        async one(): Promise<Text> {
          const metadata = Metadata.fromHttp2Headers(outboundHeaders());
          return firstValueFrom((next as Shop).one({}, metadata, outboundCallOptions()));
        }
      }
      @Controller()
      class Tier {
        constructor(private readonly client: Client) {}
        @GrpcMethod('Shop', 'One')
        async one(_: Text, metadata: Metadata, call: ServerUnaryCall<Text, Text>): Promise<Text> {
          const leftMs = Number(call.getDeadline()) - Date.now();
          mine.push({ attempt: metadata.get('x-request-attempt')[0], leftMs });
          if (next === undefined) throw new RpcException('down');
          return this.client.one();
        }
      }
      return (await serve(Tier, {}, [Client])).shop;
    }
    const entry = await tier(await tier(await tier(await tier())));
    const error = await errorOf(entry.one({}, new Metadata(), within(40_000)));
    expect(pushbackOf(error)).toEqual(['-1']);
    expect(calls.map(({ length }) => length)).toEqual([1, 1, 1, 4]);
    expect(calls[3]?.map(({ attempt }) => attempt)).toEqual(['1', '2', '3', '4']);
    for (const { leftMs } of calls.flat()) {
      expect(leftMs).toBeGreaterThan(20_000);
      expect(leftMs).toBeLessThanOrEqual(40_000);
    }
  });
});
