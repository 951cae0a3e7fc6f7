import { EventEmitter } from 'node:events';
import type { AddressInfo, Server } from 'node:net';
import { jest } from '@jest/globals';
import {
  type CallHandler,
  Catch,
  Controller,
  type ExceptionFilter,
  Inject,
  Injectable,
  type Type,
  UseFilters,
} from '@nestjs/common';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import {
  ClientGrpcProxy,
  ClientKafka,
  ClientProxy,
  ClientProxyFactory,
  ClientRMQ,
  IncomingRequestDeserializer,
  KafkaContext,
  KafkaRetriableException,
  MessagePattern,
  type MicroserviceOptions,
  type ReadPacket,
  RmqRecordBuilder,
  RpcException,
  Transport,
  type WritePacket,
} from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { defer, firstValueFrom, lastValueFrom, of, throwError } from 'rxjs';
import {
  outboundHeaders,
  ResilienceConfigurationError,
  ResilienceInterceptor,
  type ResilienceModuleOptions,
  Retry,
  resilientClient,
  resilientDeserializer,
  TimeoutError,
} from '../../lib/index.js';
import { closeAll, RecordingLogger, resilienceModule, track } from '../binding/support.js';
import { until } from '../edge/waiting.js';
import { failure, never, ResilienceApp } from '../support/resilience-app.js';

afterEach(closeAll);

async function pipeline(options: object = {}) {
  const app = await ResilienceApp.boot();
  jest.useRealTimers();
  return app.pipeline(options);
}

/** A client whose transport is played. */
function kafka() {
  const client = new ClientKafka({});
  const sent: { topic: string; messages: { headers: Record<string, unknown> }[] }[] = [];
  const producer = {
    send: async (message: (typeof sent)[number]) => {
      sent.push(message);
    },
  };
  Object.assign(client, {
    connect: async () => producer,
    _producer: producer,
    consumerAssignments: { 'orders.reply': 0 },
  });
  return { client: resilientClient(client), sent };
}

function rabbit(serializer?: { serialize(value: unknown): unknown }) {
  const client = new ClientRMQ({
    queue: 'orders',
    headers: { tenant: 'acme', 'x-request-criticality': 'own' },
    ...(serializer && { serializer }),
  });
  const sent: { content: Buffer; options: Record<string, unknown> }[] = [];
  const sendToQueue = async (
    _queue: string,
    content: Buffer,
    options: Record<string, unknown>,
    done?: () => void,
  ) => {
    sent.push({ content, options });
    done?.();
  };
  Object.assign(client, {
    connect: async () => undefined,
    channel: { sendToQueue },
    responseEmitter: new EventEmitter(),
  });
  return { client: resilientClient(client), sent };
}

describe('resilientClient', () => {
  it('is installed once, and returns what it was given', async () => {
    const client = ClientProxyFactory.create({ transport: Transport.TCP });
    expect(resilientClient(client)).toBe(client);
    const { send } = client;
    expect(resilientClient(client)).toBe(client);
    expect(client.send).toBe(send);
  });

  it.each([
    ['nothing', undefined],
    ['something else', { send: () => of(1), emit: () => of(1) }],
    ['a client of gRPC', Object.create(ClientGrpcProxy.prototype)],
  ])('refuses %s', (_what, given) => {
    const install = () => resilientClient(given as ClientProxy);
    expect(install).toThrow(ResilienceConfigurationError);
    expect(install).toThrow(
      /no ClientProxy that serializes messages; with gRPC, pass outboundHeaders/,
    );
  });

  it('leaves what is sent outside of any call as it is', async () => {
    const { client, sent } = rabbit();
    client.send('get', { id: 1 }).subscribe();
    await until(() => sent.length === 1, 'the message');
    expect(sent[0]?.options).toMatchObject({
      headers: { tenant: 'acme', 'x-request-criticality': 'own' },
    });
    expect(sent[0]?.options).not.toHaveProperty('expiration');
    expect(JSON.parse(String(sent[0]?.content))).toEqual({
      pattern: 'get',
      data: { id: 1 },
      id: expect.any(String),
    });
  });
});

describe('A message of RMQ', () => {
  it('has headers, of which its own and those of the client win, and expires at the deadline', async () => {
    const { client, sent } = rabbit();
    const calls = await pipeline({ timeoutMs: 50_000, critical: true });
    const record = new RmqRecordBuilder({ id: 1 })
      .setOptions({ headers: { 'x-request-attempt': 'own' }, priority: 3 })
      .build();
    await calls.execute(async () => {
      client.send('get', record).subscribe();
      await until(() => sent.length === 1, 'the message');
    });
    const { headers, expiration, priority } = (sent[0] as (typeof sent)[number]).options as {
      headers: Record<string, string>;
      expiration: string;
      priority: number;
    };
    expect(headers).toEqual({
      tenant: 'acme',
      'x-request-attempt': 'own',
      'x-request-criticality': 'own',
      'x-request-timeout-ms': expect.stringMatching(/^\d{5}$/),
    });
    expect(Number(expiration)).toBeGreaterThan(20_000);
    expect(Number(expiration)).toBeLessThanOrEqual(50_000);
    expect(priority).toBe(3);
    expect(JSON.parse(String(sent[0]?.content)).data).toEqual({ id: 1 });
  });

  it('expires when its own record says, and as an event never', async () => {
    const { client, sent } = rabbit();
    const calls = await pipeline({ timeoutMs: 50_000 });
    const record = new RmqRecordBuilder({}).setOptions({ expiration: 7 }).build();
    await calls.execute(async () => {
      client.send('get', record).subscribe();
      client.emit('happened', {});
      await until(() => sent.length === 2, 'the messages');
    });
    expect(sent.map(({ options }) => options.expiration)).toEqual([7, undefined]);
    expect(sent[1]?.options.headers).not.toHaveProperty(['x-request-timeout-ms']);
    expect(sent[1]?.options.headers).toHaveProperty(['x-request-attempt'], '1');
  });

  it('is made by the serializer that the client was given', async () => {
    const { client, sent } = rabbit({ serialize: (packet) => ({ ...(packet as object), own: 1 }) });
    const calls = await pipeline({ timeoutMs: 50_000 });
    await calls.execute(async () => {
      client.send('get', {}).subscribe();
      await until(() => sent.length === 1, 'the message');
    });
    expect(JSON.parse(String(sent[0]?.content))).toMatchObject({ own: 1 });
    expect(sent[0]?.options).toHaveProperty('expiration');
  });
});

describe('A message of Kafka', () => {
  it('has headers, of which its own win', async () => {
    const { client, sent } = kafka();
    const calls = await pipeline({ timeoutMs: 50_000, critical: true });
    await calls.execute(async () => {
      client
        .send('orders', { value: 'given', headers: { 'x-request-attempt': 'own' } })
        .subscribe({ error: () => undefined });
      await until(() => sent.length === 1, 'the message');
    });
    const [message] = sent[0]?.messages ?? [];
    expect(message).toMatchObject({
      value: 'given',
      headers: {
        'x-request-attempt': 'own',
        'x-request-criticality': 'critical',
        'x-request-timeout-ms': expect.stringMatching(/^\d{5}$/),
        kafka_correlationId: expect.any(String),
      },
    });
  });

  it('has no deadline as an event, be it one of a batch', async () => {
    const { client, sent } = kafka();
    const calls = await pipeline({ timeoutMs: 50_000 });
    await calls.execute(async () => {
      await lastValueFrom(client.emit('orders', 'given'), { defaultValue: undefined });
    });
    expect(sent[0]?.messages).toEqual([{ value: 'given', headers: { 'x-request-attempt': '1' } }]);
  });

  it('is made by a serializer that answers later', async () => {
    const { client, sent } = kafka();
    const late = new ClientKafka({
      serializer: { serialize: async (value: unknown) => ({ value, headers: { schema: '1' } }) },
    });
    Object.assign(late, {
      connect: async () => undefined,
      _producer: (client as unknown as { _producer: unknown })._producer,
    });
    const calls = await pipeline({ timeoutMs: 50_000 });
    await calls.execute(async () => {
      await lastValueFrom(resilientClient(late).emit('orders', 'given'), {
        defaultValue: undefined,
      });
    });
    expect(sent[0]?.messages[0]?.headers).toEqual({ schema: '1', 'x-request-attempt': '1' });
  });

  it('bounds its handler by the deadline in its headers', async () => {
    const message = { headers: { 'x-request-timeout-ms': '0' }, value: {} };
    const context = new KafkaContext([message] as never);
    const { error, calls } = await handled(context, {}, async () => 'done');
    expect(error).toMatchObject({ error: { status: 'error', code: 'TIMEOUT' } });
    expect(calls).toBe(0);
  });

  it('is delivered again where its handler asks for it, though it was retried', async () => {
    const again = new KafkaRetriableException('later');
    Object.assign(again, { headers: { 'x-should-retry': 'false' } });
    const { error } = await handled(new KafkaContext([{}] as never), {}, async () => {
      throw again;
    });
    expect(error).toBe(again);
    expect((error as KafkaRetriableException).getError()).toBe(again);
  });
});

/** What becomes of a message behind the interceptor. */
async function handled(context: unknown, data: unknown, answer: () => Promise<unknown>) {
  class Handlers {
    async handle() {}
  }
  const host = new ExecutionContextHost([data, context], Handlers, Handlers.prototype.handle);
  host.setType('rpc');
  let calls = 0;
  const next: CallHandler = {
    handle: () =>
      defer(() => {
        calls++;
        return answer();
      }),
  };
  const values = new ResilienceInterceptor(true).intercept(host, next);
  const result = await firstValueFrom(values).then(
    (value) => ({ value, error: undefined }),
    (error: unknown) => ({ value: undefined, error }),
  );
  return { ...result, calls };
}

describe('resilientDeserializer', () => {
  const deserializer = resilientDeserializer();
  const metadata = { 'x-request-timeout-ms': '0' };
  /** That of Nest 11 tells of no metadata. */
  const context = { getPattern: () => 'get' };

  it('hands on the metadata of a packet where its server does not', async () => {
    const { data } = deserializer.deserialize({ pattern: 'get', data: { id: 1 }, metadata });
    expect(data).toEqual({ id: 1 });
    const { error, calls } = await handled(context, data, async () => 'done');
    expect(error).toMatchObject({ error: { code: 'TIMEOUT' } });
    expect(calls).toBe(0);
  });

  it.each([
    [{ pattern: 'get', data: 1 }, undefined],
    [{ pattern: 'get' }, undefined],
    [{ data: 1 }, { channel: 'get' }],
    [{ id: 1 }, { channel: 'get' }],
    ['raw', { channel: 'get' }],
    [undefined, { channel: 'get' }],
    [{ id: 1 }, undefined],
    [null, undefined],
  ])("reads packets as Nest's does (%j, %j)", (value, options) => {
    expect(deserializer.deserialize(value, options)).toEqual(
      new IncomingRequestDeserializer().deserialize(value, options),
    );
  });

  it('does what the deserializer does that it was given, be it later', async () => {
    const late = resilientDeserializer({ deserialize: async (value) => ({ data: value }) });
    expect(await late.deserialize('raw')).toEqual({ data: 'raw' });
    expect(resilientDeserializer({ deserialize: () => undefined }).deserialize(1)).toBeUndefined();
  });

  it('takes data that is no object, which then has no deadline', async () => {
    const { data } = deserializer.deserialize({ pattern: 'get', data: 'text', metadata });
    expect(await handled(context, data, async () => data)).toMatchObject({ value: 'text' });
  });
});

const HOST = '127.0.0.1';
const TCP: MicroserviceOptions = { transport: Transport.TCP, options: { host: HOST, port: 0 } };

/** A service over TCP. @param options of its module; without, it does not have the library */
async function serve(
  controller: Type,
  options?: ResilienceModuleOptions,
  providers: Type[] = [],
  logger = new RecordingLogger(),
) {
  const module = await Test.createTestingModule({
    imports: options === undefined ? [] : [resilienceModule(options)],
    controllers: [controller],
    providers,
  })
    .setLogger(logger)
    .compile();
  const service = track(module.createNestMicroservice<MicroserviceOptions>({ ...TCP, logger }));
  await service.listen();
  const { port } = service.unwrap<Server>().address() as AddressInfo;
  const client = ClientProxyFactory.create({
    transport: Transport.TCP,
    options: { host: HOST, port },
  });
  track({ close: async () => client.close() });
  return resilientClient(client);
}

describe('A message that is serialized only when its broker has answered, as the first of MQTT', () => {
  it('tells what its own call says, and an event no deadline', async () => {
    const sent: { data: unknown; metadata: Record<string, string> }[] = [];
    const answers: (() => void)[] = [];
    class Late extends ClientProxy {
      protected override serializer = { serialize: (packet: unknown) => packet };
      connect = async () => undefined;
      close = () => undefined;
      unwrap = <T>() => undefined as T;
      protected publish(packet: ReadPacket, answer: (packet: WritePacket) => void) {
        answers.push(() => {
          sent.push(this.serializer.serialize(packet) as (typeof sent)[number]);
          answer({ response: 'done', isDisposed: true });
        });
        return () => undefined;
      }
      protected async dispatchEvent<T>(packet: ReadPacket): Promise<T> {
        sent.push(this.serializer.serialize(packet) as (typeof sent)[number]);
        return undefined as T;
      }
    }
    const client = resilientClient(new Late());
    const calls = await pipeline({ timeoutMs: 50_000, critical: true });
    const asked = calls.execute(() => firstValueFrom(client.send('get', 'asked')));
    await until(() => answers.length === 1, 'the message');
    answers[0]?.();
    expect(await asked).toBe('done');
    await calls.execute(() => lastValueFrom(client.emit('did', 'told')));
    expect(sent).toEqual([
      {
        pattern: 'get',
        data: 'asked',
        metadata: {
          'x-request-attempt': '1',
          'x-request-criticality': 'critical',
          'x-request-timeout-ms': expect.stringMatching(/^\d+$/),
        },
      },
      {
        pattern: 'did',
        data: 'told',
        metadata: { 'x-request-attempt': '1', 'x-request-criticality': 'critical' },
      },
    ]);
  });
});

describe('A message of TCP', () => {
  it('is the same for a service without the library', async () => {
    @Controller()
    class Plain {
      @MessagePattern('get')
      get(data: unknown): unknown {
        return { data, headers: outboundHeaders() };
      }
    }
    const client = await serve(Plain);
    const calls = await pipeline({ timeoutMs: 50_000 });
    const answer = await calls.execute(() => firstValueFrom(client.send('get', { id: 1 })));
    expect(answer).toEqual({ data: { id: 1 }, headers: {} });
  });

  it('is not waited for any more once its attempt has ended', async () => {
    @Controller()
    class Hanging {
      @MessagePattern('get')
      get(): Promise<never> {
        return never();
      }
    }
    const client = await serve(Hanging);
    const calls = await pipeline({ timeoutMs: 100 });
    let asked: Promise<unknown> | undefined;
    const call = calls.execute(() => {
      asked = firstValueFrom(client.send('get', {}));
      asked.catch(() => undefined);
      return asked;
    });
    await expect(call).rejects.toBeInstanceOf(TimeoutError);
    await expect(asked).rejects.toBeInstanceOf(TimeoutError);
    expect((client as unknown as { routingMap: Map<string, unknown> }).routingMap.size).toBe(0);
  });
});

describe('The answer of a message whose failure was retried to the end', () => {
  @Injectable()
  class Upstream {
    @Retry({ maxAttempts: 2, baseDelayMs: 0 })
    async get(error: unknown): Promise<never> {
      throw error;
    }
  }

  async function answerOf(error: () => unknown, options: ResilienceModuleOptions = {}) {
    @Controller()
    class Service {
      constructor(@Inject(Upstream) private readonly upstream: Upstream) {}
      @MessagePattern('get')
      get(): Promise<never> {
        return this.upstream.get(error());
      }
    }
    const client = await serve(Service, options, [Upstream]);
    return failure(firstValueFrom(client.send('get', {})));
  }
  const headers = { 'x-should-retry': 'false' };

  it.each([
    ['any error', () => new Error('down'), { status: 'error', message: 'Internal server error' }],
    ['text', () => new RpcException('sold out'), { status: 'error', message: 'sold out' }],
    [
      'an object',
      () => new RpcException({ code: 'SOLD_OUT', headers: { own: 1 } }),
      { code: 'SOLD_OUT', headers: { own: 1 } },
    ],
  ])('says so, by %s', async (_what, error, expected) => {
    const answer = await answerOf(error);
    expect(answer).toEqual({
      ...expected,
      headers: { ...(expected as { headers?: object }).headers, ...headers },
    });
  });

  it('leaves the error to a filter of the application, and to the log of Nest, as it is', async () => {
    class Declined extends Error {}
    @Catch(Declined)
    class Filter implements ExceptionFilter {
      catch(error: Declined) {
        return throwError(() => ({ code: 'DECLINED', message: error.message }));
      }
    }
    @Controller()
    @UseFilters(Filter)
    class Service {
      constructor(@Inject(Upstream) private readonly upstream: Upstream) {}
      @MessagePattern('declined')
      declined(): Promise<never> {
        return this.upstream.get(new Declined('no'));
      }
      @MessagePattern('get')
      get(): Promise<never> {
        return this.upstream.get(new Error('down'));
      }
    }
    const logger = new RecordingLogger();
    const client = await serve(Service, {}, [Upstream], logger);
    expect(await failure(firstValueFrom(client.send('declined', {})))).toEqual({
      code: 'DECLINED',
      message: 'no',
    });
    expect(await failure(firstValueFrom(client.send('get', {})))).toMatchObject({ headers });
    expect(logger.messages('error', 'RpcExceptionsHandler').map(String)).toEqual(['Error: down']);
  });

  it('says so with mapErrors: false only by an RpcException, which it is already', async () => {
    const options = { mapErrors: false };
    expect(await answerOf(() => new Error('down'), options)).toEqual({
      status: 'error',
      message: 'Internal server error',
    });
    expect(await answerOf(() => new RpcException('sold out'), options)).toEqual({
      status: 'error',
      message: 'sold out',
      headers,
    });
  });
});
