import { Controller, Injectable, type Type } from '@nestjs/common';
import {
  type ClientOptions,
  type ClientProxy,
  ClientProxyFactory,
  Ctx,
  EventPattern,
  MessagePattern,
  type MicroserviceOptions,
} from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { firstValueFrom } from 'rxjs';
import {
  currentSignal,
  type ResilienceModuleOptions,
  ResilienceService,
  Retry,
  resilientClient,
  TimeoutError,
} from '../../lib/index.js';
import { boot, closeAll, RecordingLogger, resilienceModule, track } from '../binding/support.js';
import { until } from '../edge/waiting.js';
import { failure, never } from '../support/resilience-app.js';

/** What services send each other messages by. */
export interface Messaging {
  /** Of the service of that name. */
  server(service: string): MicroserviceOptions;
  /** Once that service listens. @param port where it does, if it has one */
  client(service: string, port: number | undefined): ClientOptions;
  /** What a handler is told beside its data. */
  headerOf(context: never, name: string): unknown;
  /** Data that is sent by a client without the library, with a header. */
  withHeader(client: ClientProxy, name: string, value: string): unknown;
}

type Headers = Record<string, unknown>;

const NAMES = [
  'x-request-timeout-ms',
  'x-request-attempt',
  'x-request-criticality',
  'x-request-timeout-origin',
];

let services = 0;

/** Tests of services that tell each other about their calls by messages. */
export function describeChain(messaging: () => Messaging): void {
  /** What each service saw of the messages that reached it, the leaf's last. */
  const seen: Headers[][] = [];
  afterEach(async () => {
    await closeAll();
    seen.splice(0);
  });

  const headersOf = (context: unknown): Headers => {
    const { headerOf } = messaging();
    const all = NAMES.map((name) => [name, headerOf(context as never, name) || undefined]);
    return Object.fromEntries(all.filter(([, value]) => value !== undefined));
  };

  /** @returns a client of the service, which is connected */
  async function serve(
    name: string,
    controller: Type,
    providers: Type[] = [],
    options?: ResilienceModuleOptions,
  ): Promise<ClientProxy> {
    const logger = new RecordingLogger();
    const module = await Test.createTestingModule({
      imports: [resilienceModule(options)],
      controllers: [controller],
      providers,
    })
      .setLogger(logger)
      .compile();
    const { server, client } = messaging();
    const app = track(
      module.createNestMicroservice<MicroserviceOptions>({ ...server(name), logger }),
    );
    await app.listen();
    const address = (app.unwrap() as { address?: () => { port: number } }).address?.();
    return connect(client(name, address?.port));
  }

  async function connect(options: ClientOptions): Promise<ClientProxy> {
    const client = ClientProxyFactory.create(options);
    track({ close: async () => client.close() });
    await client.connect();
    return client;
  }

  async function serveLeaf(answer: () => Promise<string>): Promise<ClientProxy> {
    const name = `service-${++services}`;
    const calls: Headers[] = [];
    seen.unshift(calls);
    @Controller()
    class Leaf {
      @MessagePattern(`${name}.get`)
      async get(@Ctx() context: unknown): Promise<string> {
        calls.push(headersOf(context));
        return answer();
      }
      @EventPattern(`${name}.happened`)
      async happened(@Ctx() context: unknown): Promise<void> {
        calls.push(headersOf(context));
      }
    }
    return Object.assign(await serve(name, Leaf), { service: name });
  }

  async function serveTier(next: ClientProxy, options?: ResilienceModuleOptions) {
    const name = `service-${++services}`;
    const calls: Headers[] = [];
    seen.unshift(calls);
    const upstream = resilientClient(next);
    @Injectable()
    class Client {
      @Retry({ maxAttempts: 4, baseDelayMs: 1 })
      async get(): Promise<string> {
        return firstValueFrom(upstream.send<string>(`${nameOf(next)}.get`, {}));
      }
    }
    @Controller()
    class Tier {
      constructor(private readonly client: Client) {}
      @MessagePattern(`${name}.get`)
      async get(@Ctx() context: unknown): Promise<string> {
        calls.push(headersOf(context));
        await new Promise((resolve) => setTimeout(resolve, 5)); // so that there is less time left
        return this.client.get();
      }
    }
    Reflect.defineMetadata('design:paramtypes', [Client], Tier); // a local class has no name for it
    return Object.assign(await serve(name, Tier, [Client], options), { service: name });
  }

  const nameOf = (client: ClientProxy) => (client as unknown as { service: string }).service;

  /** @returns how the outermost of three tiers in front of a leaf is called */
  async function chain(answer: () => Promise<string>, options?: ResilienceModuleOptions) {
    let client = await serveLeaf(answer);
    for (let tier = 0; tier < 3; tier++) client = await serveTier(client, options);
    const outermost = resilientClient(client);
    const { app } = await boot({});
    const resilience = app.get(ResilienceService);
    return (call: object = {}) =>
      resilience
        .pipeline(call)
        .execute(() => firstValueFrom(outermost.send<string>(`${nameOf(client)}.get`, {})));
  }

  const callsSeen = () => seen.map(({ length }) => length);
  const said = (name: string) => seen.map(([headers]) => headers?.[name]);

  describe('Three services, each of which makes 4 attempts', () => {
    it('make 4 calls of a dead leaf, not 64, and say not to retry', async () => {
      const ask = await chain(async () => {
        throw new Error('down');
      });
      const error = await failure(ask({ retry: { maxAttempts: 4, baseDelayMs: 0 } }));
      expect(error).toEqual({
        status: 'error',
        message: 'Internal server error',
        headers: { 'x-should-retry': 'false' },
      });
      expect(callsSeen()).toEqual([1, 1, 1, 4]);
      expect(seen[3]?.map((headers) => headers['x-request-attempt'])).toEqual(['1', '2', '3', '4']);
    });

    it('make as many calls as it takes of a leaf that comes back', async () => {
      let calls = 0;
      const ask = await chain(async () => {
        if (++calls < 4) throw new Error('down');
        return 'done';
      });
      expect(await ask()).toBe('done');
      expect(callsSeen()).toEqual([1, 1, 1, 4]);
    });

    it('hand the deadline on, and it shrinks', async () => {
      const ask = await chain(async () => 'done');
      expect(await ask({ timeoutMs: 50_000 })).toBe('done');
      const left = said('x-request-timeout-ms').map(Number);
      expect(left[0]).toBeLessThanOrEqual(50_000);
      for (let tier = 1; tier < 4; tier++)
        expect(left[tier]).toBeLessThan(left[tier - 1] as number);
      expect(left[3]).toBeGreaterThan(20_000);
    });

    it('all end at the deadline of the outermost, without another attempt', async () => {
      let reason: unknown;
      const ask = await chain(() => {
        currentSignal().addEventListener('abort', function (this: AbortSignal) {
          reason = this.reason;
        });
        return never();
      });
      await expect(ask({ timeoutMs: 1_000 })).rejects.toMatchObject({ code: 'TIMEOUT' });
      await until(() => reason !== undefined, 'the end of the leaf');
      expect(reason).toBeInstanceOf(TimeoutError);
      expect(callsSeen()).toEqual([1, 1, 1, 1]);
    });

    it('hand criticality on where they trust each other', async () => {
      const ask = await chain(async () => 'done', { inbound: { trustCriticality: true } });
      await ask({ critical: true, timeoutMs: 50_000 });
      expect(said('x-request-criticality')).toEqual(Array(4).fill('critical'));
    });
  });

  describe('A message', () => {
    it('says nothing outside of any call, and of no deadline where there is none', async () => {
      const ask = await chain(async () => 'done');
      await ask();
      for (const [headers] of seen.slice(1)) expect(headers).toEqual({ 'x-request-attempt': '1' });
    });

    it('is not begun where no time is left for it', async () => {
      const leaf = await serveLeaf(async () => 'done');
      const late = messaging().withHeader(leaf, 'x-request-timeout-ms', '0');
      const error = await failure(firstValueFrom(leaf.send(`${nameOf(leaf)}.get`, late)));
      expect(error).toMatchObject({ status: 'error', code: 'TIMEOUT' });
      expect(callsSeen()).toEqual([0]);
    });

    it('is not sent where nobody waits for it any more', async () => {
      const leaf = resilientClient(await serveLeaf(async () => 'done'));
      const { app } = await boot({});
      const pipeline = app.get(ResilienceService).pipeline({ timeoutMs: 50_000 });
      const controller = new AbortController();
      let asked: Promise<unknown> | undefined;
      const call = pipeline.execute(
        async () => {
          controller.abort(new Error('changed my mind'));
          asked = firstValueFrom(leaf.send(`${nameOf(leaf)}.get`, {}));
          asked.catch(() => undefined);
          return asked;
        },
        { signal: controller.signal },
      );
      await expect(call).rejects.toThrow('changed my mind');
      await expect(asked).rejects.toThrow('changed my mind');
      await firstValueFrom(leaf.send(`${nameOf(leaf)}.get`, {}));
      expect(callsSeen()).toEqual([1]);
    });

    it('by emit() says what it is, and has no deadline: nobody waits for it', async () => {
      const leaf = resilientClient(await serveLeaf(async () => 'done'));
      const { app } = await boot({});
      const pipeline = app.get(ResilienceService).pipeline({ timeoutMs: 50_000, critical: true });
      await pipeline.execute(() =>
        firstValueFrom(leaf.emit(`${nameOf(leaf)}.happened`, {}), { defaultValue: undefined }),
      );
      await until(() => callsSeen()[0] === 1, 'the event');
      expect(seen[0]).toEqual([{ 'x-request-attempt': '1', 'x-request-criticality': 'critical' }]);
    });
  });
}
