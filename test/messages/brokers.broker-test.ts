import { headers as natsHeaders } from '@nats-io/transport-node';
import { Controller } from '@nestjs/common';
import {
  type ClientProxy,
  ClientProxyFactory,
  MessagePattern,
  type NatsContext,
  NatsRecordBuilder,
  type RedisContext,
  type RmqContext,
  RmqRecordBuilder,
  Transport,
} from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { firstValueFrom } from 'rxjs';
import { ResilienceService, resilientClient } from '../../lib/index.js';
import { boot, closeAll, RecordingLogger, resilienceModule, track } from '../binding/support.js';
import { type Nats, startNats } from '../support/nats.js';
import { type RabbitMq, startRabbitMq } from '../support/rabbitmq.js';
import { type Redis, startRedis } from '../support/redis.js';
import { failure } from '../support/resilience-app.js';
import { describeChain } from './chain.support.js';

/** A broker is another process, and that of RabbitMQ takes its time on a loaded machine. */
const START_MS = 120_000;

describe('Over Redis', () => {
  let redis: Redis;
  beforeAll(async () => {
    redis = await startRedis();
  }, START_MS);
  afterAll(() => redis?.stop());

  describeChain(() => ({
    server: () => ({ transport: Transport.REDIS, options: redis.connection }),
    client: () => ({ transport: Transport.REDIS, options: redis.connection }),
    headerOf: (context: RedisContext, name) => context.getMetadata()?.[name],
    withHeader(client, name, value) {
      client.setOnDispatchHook((packet) => {
        packet.metadata = { [name]: value };
      });
      return {};
    },
  }));
});

describe('Over NATS', () => {
  let nats: Nats;
  beforeAll(async () => {
    nats = await startNats();
  }, START_MS);
  afterAll(() => nats?.stop());

  describeChain(() => ({
    server: () => ({ transport: Transport.NATS, options: { servers: nats.url } }),
    client: () => ({ transport: Transport.NATS, options: { servers: nats.url } }),
    headerOf: (context: NatsContext, name) => context.getHeaders()?.get(name),
    withHeader(_client, name, value) {
      const headers = natsHeaders();
      headers.set(name, value);
      return new NatsRecordBuilder({}).setHeaders(headers).build();
    },
  }));
});

describe('Over RabbitMQ', () => {
  let rabbit: RabbitMq;
  beforeAll(async () => {
    rabbit = await startRabbitMq();
  }, START_MS);
  afterAll(() => rabbit?.stop());

  const options = (queue: string) => ({
    urls: [rabbit.url],
    queue,
    queueOptions: { durable: false },
  });

  describeChain(() => ({
    server: (queue) => ({ transport: Transport.RMQ, options: options(queue) }),
    client: (queue) => ({ transport: Transport.RMQ, options: options(queue) }),
    headerOf: (context: RmqContext, name) => context.getMessage().properties.headers?.[name],
    withHeader: (_client, name, value) =>
      new RmqRecordBuilder({}).setOptions({ headers: { [name]: value } }).build(),
  }));

  describe('A request that waits in its queue', () => {
    afterEach(closeAll);

    it('expires there at its deadline, and what has none is answered later', async () => {
      const client: ClientProxy = resilientClient(
        ClientProxyFactory.create({ transport: Transport.RMQ, options: options('waiting') }),
      );
      track({ close: async () => client.close() });
      await client.connect();
      const { app } = await boot({});
      const impatient = app.get(ResilienceService).pipeline({ timeoutMs: 200 });
      const cut = failure(
        impatient.execute(() => firstValueFrom(client.send('get', { what: 'cut' }))),
      );
      expect(await cut).toMatchObject({ code: 'TIMEOUT' });
      const answer = firstValueFrom(client.send('get', { what: 'patient' }));

      const asked: unknown[] = [];
      @Controller()
      class Late {
        @MessagePattern('get')
        get(data: unknown): unknown {
          asked.push(data);
          return data;
        }
      }
      const module = await Test.createTestingModule({
        imports: [resilienceModule()],
        controllers: [Late],
      })
        .setLogger(new RecordingLogger())
        .compile();
      const service = track(
        module.createNestMicroservice({ transport: Transport.RMQ, options: options('waiting') }),
      );
      await service.listen();
      expect(await answer).toEqual({ what: 'patient' });
      expect(asked).toEqual([{ what: 'patient' }]);
    });
  });
});
