import { AsyncResource } from 'node:async_hooks';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { runInThisContext } from 'node:vm';
import {
  type ArgumentsHost,
  type CanActivate,
  Catch,
  type ExceptionFilter,
  type ExecutionContext,
  type INestApplication,
  Injectable,
  type Provider,
  Scope,
  UseFilters,
  UseGuards,
} from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { Test } from '@nestjs/testing';
import {
  BaseWsExceptionFilter,
  ConnectedSocket,
  MessageBody,
  SubscribeMessage,
  WebSocketGateway,
  WsException,
  type WsResponse,
} from '@nestjs/websockets';
import { from, Observable, of, throwError } from 'rxjs';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import {
  Bulkhead,
  BulkheadRegistry,
  CircuitBreaker,
  CircuitBreakerOpenError,
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
} from '../../lib/index.js';
import { closeAll, RecordingLogger, resilienceModule, TWICE, track } from '../binding/support.js';
import { gathering, latch, never, soon, until } from './waiting.js';

afterEach(closeAll);

/** What both kinds of server-side sockets have. */
interface ServerSocket {
  listenerCount(event: string): number;
  once(event: string, listener: () => void): void;
}

/** A client at the other end of a real socket. */
abstract class Client {
  private readonly received: { event: string; data: unknown }[] = [];
  private hear: () => void = () => undefined;

  abstract send(event: string, data?: unknown): void;
  abstract leave(): void;

  protected receive(event: string, data: unknown): void {
    this.received.push({ event, data });
    this.hear();
  }

  /** The next message that the server sent. */
  async next(): Promise<{ event: string; data: unknown }> {
    if (this.received.length === 0) {
      await soon(
        new Promise<void>((resolve) => {
          this.hear = resolve;
        }),
        'a message',
      );
    }
    return this.received.shift() as { event: string; data: unknown };
  }

  async ask(event: string, data?: unknown): Promise<{ event: string; data: unknown }> {
    this.send(event, data);
    return this.next();
  }
}

class NativeClient extends Client {
  private constructor(private readonly socket: WebSocket) {
    super();
    socket.on('message', (raw: Buffer) => {
      const { event, data } = JSON.parse(raw.toString()) as { event: string; data: unknown };
      this.receive(event, data);
    });
  }

  static async connect(port: number): Promise<Client> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}`);
    await once(socket, 'open');
    return new NativeClient(socket);
  }

  send(event: string, data: unknown): void {
    this.socket.send(JSON.stringify({ event, data }));
  }
  leave(): void {
    this.socket.terminate();
  }
}

class SocketIoClient extends Client {
  private constructor(private readonly socket: ReturnType<typeof io>) {
    super();
    socket.onAny((event: string, data: unknown) => this.receive(event, data));
  }

  static async connect(port: number): Promise<Client> {
    const settings = { transports: ['websocket'], forceNew: true, reconnection: false };
    const socket = io(`http://127.0.0.1:${port}`, settings);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', () => resolve());
      socket.once('connect_error', reject);
    });
    return new SocketIoClient(socket);
  }

  send(event: string, data: unknown): void {
    this.socket.emit(event, data);
  }
  leave(): void {
    this.socket.disconnect();
  }
}

type Refusal = 'timeout' | 'open' | 'full';
const CODES: Record<Refusal, string> = {
  timeout: 'TIMEOUT',
  open: 'CIRCUIT_OPEN',
  full: 'BULKHEAD_FULL',
};
const REFUSALS = Object.keys(CODES) as Refusal[];
const INSIDE = /secret|vault|timeout|\d|ms|breaker|circuit|bulkhead/i;

function expectRefusal(message: unknown, refusal: Refusal): void {
  expect(message).toEqual({
    event: 'exception',
    data: { status: 'error', code: CODES[refusal], message: expect.stringMatching(/\w+ \w+/) },
  });
  const { data } = message as { data: { message: string } };
  expect(data.message).not.toMatch(INSIDE);
}

const SECRETS: ResilienceModuleOptions = {
  breakers: { secret: {} },
  bulkheads: { secret: { maxConcurrent: 1, queueLimit: 0 } },
};

/** Makes the breaker and the bulkhead of `SECRETS` refuse. */
function refuse(app: INestApplication): void {
  app.get(CircuitBreakerRegistry).get('secret').forceOpen();
  void app.get(BulkheadRegistry).get('secret').execute(never);
}

@Injectable()
class Vault {
  @Timeout(5)
  async timeout(): Promise<string> {
    return never();
  }
  @CircuitBreaker('secret')
  async open(): Promise<string> {
    return 'unreachable';
  }
  @Bulkhead('secret')
  async full(): Promise<string> {
    return 'unreachable';
  }
}

const answer = <T>(data: T): WsResponse<T> => ({ event: 'answer', data });

/** Not `undefined`, which means no answer, nor an acknowledgement, which only one of the two has. */
type Answer = WsResponse<unknown>;

describe.each([
  ['ws', (app: INestApplication) => new WsAdapter(app), NativeClient.connect, 'close'],
  [
    'socket.io',
    (app: INestApplication) => new IoAdapter(app),
    SocketIoClient.connect,
    'disconnect',
  ],
] as const)('A gateway on %s', (_, adapter, connect, goneEvent) => {
  const clients: Client[] = [];
  afterEach(() => {
    for (const client of clients.splice(0)) client.leave();
  });

  /** Boots an application with these gateways, with a client that is connected. */
  async function serve(providers: Provider[], options: ResilienceModuleOptions = {}) {
    const logger = new RecordingLogger();
    const module = await Test.createTestingModule({
      imports: [resilienceModule(options)],
      providers,
    })
      .setLogger(logger)
      .compile();
    const app: INestApplication = track(module.createNestApplication({ logger }));
    app.useWebSocketAdapter(adapter(app));
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address() as AddressInfo;
    const client = await connect(port);
    clients.push(client);
    return { app, logger, client };
  }

  describe('tells resilience errors as an exception with a code', () => {
    @WebSocketGateway()
    class Gateway {
      constructor(private readonly vault: Vault) {}

      @SubscribeMessage('service')
      async ofService(@MessageBody() refusal: Refusal): Promise<Answer> {
        return answer(await this.vault[refusal]());
      }
      @SubscribeMessage('stream')
      ofStream(@MessageBody() refusal: Refusal): Observable<Answer> {
        return from(this.vault[refusal]().then(answer));
      }
      @SubscribeMessage('timeout')
      @Timeout(5)
      async timeout(): Promise<Answer> {
        return never();
      }
      @SubscribeMessage('open')
      @CircuitBreaker('secret')
      async open(): Promise<Answer> {
        return answer('unreachable');
      }
      @Bulkhead('secret')
      @SubscribeMessage('full') // in whatever order
      async full(): Promise<Answer> {
        return answer('unreachable');
      }
      @SubscribeMessage('timeout-stream')
      @Timeout(5)
      timeoutStream(): Observable<Answer> {
        return new Observable(() => undefined);
      }
    }

    it.each([
      ['of a decorated handler', (client: Client, refusal: Refusal) => client.ask(refusal)],
      [
        'of a handler whose service fails',
        (client: Client, refusal: Refusal) => client.ask('service', refusal),
      ],
      [
        'of an Observable whose service fails',
        (client: Client, refusal: Refusal) => client.ask('stream', refusal),
      ],
    ])('%s', async (_what, ask) => {
      const { app, client } = await serve([Gateway, Vault], SECRETS);
      refuse(app);
      for (const refusal of REFUSALS) expectRefusal(await ask(client, refusal), refusal);
    });

    it('of a decorated Observable', async () => {
      const { client } = await serve([Gateway, Vault], SECRETS);
      expectRefusal(await client.ask('timeout-stream'), 'timeout');
    });

    it('unless mapErrors is false', async () => {
      const { client } = await serve([Gateway, Vault], { ...SECRETS, mapErrors: false });
      for (const message of ['timeout', 'timeout-stream']) {
        const { event, data } = await client.ask(message);
        expect(event).toBe('exception');
        expect(data).toMatchObject({ status: 'error', message: 'Internal server error' });
        expect(data).not.toHaveProperty('code');
      }
      expect(await client.ask('service', 'timeout')).toMatchObject({ event: 'exception' });
    });

    it('and goes on listening to the client', async () => {
      const { client } = await serve([Gateway, Vault], SECRETS);
      expectRefusal(await client.ask('timeout'), 'timeout');
      expectRefusal(await client.ask('timeout'), 'timeout');
      expect(await client.ask('open')).toEqual(answer('unreachable'));
    });
  });

  it('tells other errors as if undecorated', async () => {
    @WebSocketGateway()
    class Gateway {
      @SubscribeMessage('own')
      @Timeout(60_000)
      async own(): Promise<Answer> {
        throw new WsException('of the gateway');
      }
      @SubscribeMessage('stream')
      @Timeout(60_000)
      stream(): Observable<Answer> {
        return throwError(() => new WsException('of the gateway'));
      }
      @SubscribeMessage('unknown')
      @Timeout(60_000)
      async unknown(): Promise<Answer> {
        throw new Error('hidden');
      }
    }
    const { client } = await serve([Gateway]);
    const own = { event: 'exception', data: { status: 'error', message: 'of the gateway' } };
    expect(await client.ask('own')).toMatchObject(own);
    expect(await client.ask('stream')).toMatchObject(own);
    expect(JSON.stringify(await client.ask('unknown'))).not.toMatch(/hidden|TIMEOUT/);
  });

  describe('with @Retry()', () => {
    const calls: string[] = [];
    const fail = (what: string): never => {
      calls.push(what);
      throw new WsException(what);
    };
    beforeEach(() => {
      calls.length = 0;
    });

    @WebSocketGateway()
    class Gateway {
      @SubscribeMessage('once')
      @Retry(TWICE)
      async once(): Promise<Answer> {
        return fail('once');
      }
      @SubscribeMessage('twice')
      @Retry({ ...TWICE, idempotent: true })
      async twice(): Promise<Answer> {
        return fail('twice');
      }
      @SubscribeMessage('stream')
      @Retry({ ...TWICE, idempotent: true })
      stream(): Observable<Answer> {
        calls.push('stream');
        return calls.length === 1 ? throwError(() => new Error('down')) : of(answer('second'));
      }
    }

    it('does not repeat a message, unless idempotent says that it may', async () => {
      const { client } = await serve([Gateway]);
      expect(await client.ask('once')).toMatchObject({ data: { message: 'once' } });
      expect(calls).toEqual(['once']);
      expect(await client.ask('twice')).toMatchObject({ data: { message: 'twice' } });
      expect(calls).toEqual(['once', 'twice', 'twice']);
    });

    it('subscribes again to an Observable', async () => {
      const { client } = await serve([Gateway]);
      expect(await client.ask('stream')).toEqual(answer('second'));
      expect(calls).toEqual(['stream', 'stream']);
    });

    it('warns at boot where it is inactive, and only there', async () => {
      const { app, logger } = await serve([Gateway]);
      expect(logger.messages('warn', 'ResilienceModule')).toEqual([
        expect.stringMatching(/^Gateway\.once: .*@Retry.*inactive.*idempotent/),
      ]);
      const operations = app.get(ResilienceService).describe();
      expect(operations.map(({ kind }) => kind)).toEqual(['handler', 'handler', 'handler']);
      const retried = operations.filter(({ stages }) => stages.retry !== undefined);
      expect(retried.map(({ operation }) => operation).sort()).toEqual([
        'Gateway.stream',
        'Gateway.twice',
      ]);
    });

    it('repeats on a request-scoped gateway', async () => {
      @Injectable({ scope: Scope.REQUEST })
      class PerMessage {
        attempts = 0;
      }
      @WebSocketGateway()
      class Scoped {
        constructor(private readonly counter: PerMessage) {}
        @SubscribeMessage('scoped')
        @Retry({ ...TWICE, idempotent: true })
        async scoped(): Promise<Answer> {
          if (++this.counter.attempts % 2 === 1) throw new Error('down');
          return answer('well');
        }
      }
      const { client } = await serve([Scoped, PerMessage]);
      expect(await client.ask('scoped')).toEqual(answer('well'));
      expect(await client.ask('scoped')).toEqual(answer('well'));
    });
  });

  it('answers by fallbacks, with the arguments of the handler and the error', async () => {
    const seen: unknown[][] = [];
    @WebSocketGateway()
    class Gateway {
      @SubscribeMessage('method')
      @Fallback('instead')
      async method(@MessageBody() body: { id: string }): Promise<Answer> {
        throw new Error(`no ${body.id}`);
      }
      @SubscribeMessage('function')
      @Timeout(5)
      @Fallback((error: unknown, body: string) => answer(`${body}: ${(error as Error).name}`))
      async function(@MessageBody() _body: string): Promise<Answer> {
        return never();
      }
      @SubscribeMessage('stream')
      @Fallback(() => from([answer('one'), answer('two')]))
      stream(): Observable<Answer> {
        return throwError(() => new Error('down'));
      }
      @SubscribeMessage('nice')
      @Critical(false)
      async nice(): Promise<Answer> {
        throw new Error('down');
      }
      async instead(...args: unknown[]): Promise<Answer> {
        seen.push(args);
        return answer('instead');
      }
    }
    const { app, client } = await serve([Gateway]);
    expect(await client.ask('method', { id: 'x' })).toEqual(answer('instead'));
    expect(seen).toEqual([[{ id: 'x' }, expect.objectContaining({ message: 'no x' })]]);
    expect(await client.ask('function', 'y')).toEqual(answer('y: TimeoutError'));
    expect(await client.ask('stream')).toEqual(answer('one'));
    expect(await client.next()).toEqual(answer('two'));
    client.send('nice'); // null is no answer
    expect(await client.ask('function', 'z')).toEqual(answer('z: TimeoutError'));
    expect(app.get(ErrorTracker).getMetrics().total).toBe(5);
  });

  it('sends every value of a decorated Observable', async () => {
    @WebSocketGateway()
    class Gateway {
      @SubscribeMessage('stream')
      @Timeout(60_000)
      stream(): Observable<Answer> {
        return from([1, 2, 3].map(answer));
      }
    }
    const { client } = await serve([Gateway]);
    client.send('stream');
    expect([await client.next(), await client.next(), await client.next()]).toEqual(
      [1, 2, 3].map(answer),
    );
  });

  describe('with an undecorated guard', () => {
    @Injectable()
    class Asking implements CanActivate {
      constructor(private readonly vault: Vault) {}
      async canActivate(context: ExecutionContext): Promise<boolean> {
        return Boolean(await this.vault[context.switchToWs().getData<Refusal>()]());
      }
    }
    @Catch(CircuitBreakerOpenError)
    class CatchOpen implements ExceptionFilter {
      catch(error: Error, host: ArgumentsHost): void {
        const filter = new BaseWsExceptionFilter();
        filter.catch(new WsException({ caught: error.name }), host);
      }
    }
    @WebSocketGateway()
    @UseGuards(Asking)
    class Gateway {
      @SubscribeMessage('guarded')
      guarded(): Answer {
        return answer('unreachable');
      }
      @SubscribeMessage('filtered')
      @UseFilters(CatchOpen)
      filtered(): Answer {
        return answer('unreachable');
      }
    }

    it('tells its resilience errors with a code, and leaves them to the filters of the application', async () => {
      const { app, client } = await serve([Gateway, Vault], SECRETS);
      refuse(app);
      for (const refusal of REFUSALS) expectRefusal(await client.ask('guarded', refusal), refusal);
      const caught = { event: 'exception', data: { caught: 'CircuitBreakerOpenError' } };
      expect(await client.ask('filtered', 'open')).toEqual(caught);
    });

    it('leaves them as they are with mapErrors: false, also after another application', async () => {
      await serve([Gateway, Vault], SECRETS);
      const { app, client } = await serve([Gateway, Vault], { ...SECRETS, mapErrors: false });
      refuse(app);
      expect(await client.ask('guarded', 'open')).toMatchObject({
        event: 'exception',
        data: { status: 'error', message: 'Internal server error' },
      });
    });
  });

  describe('with a decorated guard', () => {
    const calls: string[] = [];
    beforeEach(() => {
      calls.length = 0;
    });

    @Injectable()
    class SlowGuard implements CanActivate {
      @Timeout(5)
      async canActivate(): Promise<boolean> {
        return never();
      }
    }
    @Injectable()
    class UnsureGuard implements CanActivate {
      @Retry(TWICE)
      async canActivate(): Promise<boolean> {
        calls.push('guard');
        if (calls.length === 1) throw new Error('down');
        return true;
      }
    }
    @Injectable()
    class StrictGuard implements CanActivate {
      @Fallback(() => false)
      async canActivate(): Promise<boolean> {
        throw new Error('down');
      }
    }
    @WebSocketGateway()
    class Gateway {
      @SubscribeMessage('slow')
      @UseGuards(SlowGuard)
      async slow(): Promise<Answer> {
        return answer('unreachable');
      }
      @SubscribeMessage('unsure')
      @UseGuards(UnsureGuard)
      @Retry(TWICE)
      async unsure(): Promise<Answer> {
        calls.push('handler');
        return answer('let in');
      }
      @SubscribeMessage('strict')
      @UseGuards(StrictGuard)
      async strict(): Promise<Answer> {
        return answer('unreachable');
      }
    }

    it('tells its resilience errors with a code', async () => {
      const { client } = await serve([Gateway]);
      expectRefusal(await client.ask('slow'), 'timeout');
    });

    it('retries it, which is not repeating the message', async () => {
      const { client } = await serve([Gateway]);
      expect(await client.ask('unsure')).toEqual(answer('let in'));
      expect(calls).toEqual(['guard', 'guard', 'handler']);
    });

    it('is closed where its fallback says so', async () => {
      const { client } = await serve([Gateway]);
      expect(await client.ask('strict')).toMatchObject({
        event: 'exception',
        data: { status: 'error', message: 'Forbidden resource' },
      });
    });
  });

  it('gives its decorators to its handlers, and to nothing else', async () => {
    const connected = latch<string>();
    @Timeout(5)
    @Retry(TWICE)
    @WebSocketGateway()
    class Gateway {
      async handleConnection(): Promise<void> {
        await this.helper();
        connected.open(
          currentSignal().aborted ? 'under a pipeline' : await Promise.resolve('as it is'),
        );
      }
      @SubscribeMessage('slow')
      async slow(): Promise<Answer> {
        return never();
      }
      @SubscribeMessage('patient')
      @Timeout(60_000)
      async patient(): Promise<Answer> {
        return new Promise((resolve) => setTimeout(() => resolve(answer('late')), 10));
      }
      @SubscribeMessage('sync')
      sync(): Answer {
        return answer('sync');
      }
      async helper(): Promise<void> {}
    }
    const { app, logger, client } = await serve([Gateway]);
    const operations = app.get(ResilienceService).describe();
    expect(operations.map(({ operation }) => operation).sort()).toEqual(
      ['patient', 'slow', 'sync'].map((key) => `Gateway.${key}`),
    );
    expect(await soon(connected.opened, 'the connection')).toBe('as it is');
    expectRefusal(await client.ask('slow'), 'timeout');
    expect(await client.ask('patient')).toEqual(answer('late'));
    expect(await client.ask('sync')).toEqual(answer('sync'));
    expect(logger.messages('warn', 'ResilienceModule')).toHaveLength(3); // @Retry() on messages
  });

  describe('whose client disconnects', () => {
    let started = latch<AbortSignal>();
    beforeEach(() => {
      started = latch();
    });
    const wait = (signal: AbortSignal): Promise<never> => {
      started.open(signal);
      return never();
    };

    @Injectable()
    class Remote {
      @Retry(TWICE)
      async load(): Promise<string> {
        return wait(currentSignal());
      }
    }

    @WebSocketGateway()
    class Gateway {
      constructor(private readonly remote: Remote) {}
      @SubscribeMessage('plain')
      async plain(): Promise<Answer> {
        return wait(currentSignal());
      }
      @SubscribeMessage('service')
      async ofService(): Promise<Answer> {
        return answer(await this.remote.load());
      }
      @SubscribeMessage('decorated')
      @Timeout(60_000)
      async decorated(): Promise<Answer> {
        return wait(currentSignal());
      }
      @SubscribeMessage('parameter')
      async parameter(@MessageBody() body: string, @Signal() signal: AbortSignal): Promise<Answer> {
        expect(body).toBe('body');
        return wait(signal);
      }
      @SubscribeMessage('decorated-parameter')
      @Timeout(60_000)
      async decoratedParameter(
        @MessageBody() body: string,
        @Signal() signal: AbortSignal,
      ): Promise<Answer> {
        expect(body).toBe('body');
        expect(signal).toBe(currentSignal());
        return wait(signal);
      }
      @SubscribeMessage('stream')
      @Timeout(60_000)
      stream(): Observable<Answer> {
        return new Observable(() => started.open(currentSignal()));
      }
    }

    it.each(['plain', 'service', 'decorated', 'parameter', 'decorated-parameter', 'stream'])(
      'aborts the signal (%s)',
      async (message) => {
        const { app, client } = await serve([Gateway, Remote]);
        client.send(message, 'body');
        const signal = await soon(started.opened, 'the call');
        expect(signal.aborted).toBe(false);
        const aborted = once(signal, 'abort');
        client.leave();
        await soon(aborted, 'the abort');
        expect((signal.reason as Error).name).toBe('AbortError');
        expect(app.get(ErrorTracker).getMetrics().total).toBe(0); // nothing failed
      },
    );

    it('unsubscribes from the Observable that answers', async () => {
      const unsubscribed = latch();
      @WebSocketGateway()
      class Streams {
        @SubscribeMessage('stream')
        @Timeout(60_000)
        stream(): Observable<Answer> {
          return new Observable((subscriber) => {
            subscriber.next(answer('first'));
            return () => unsubscribed.open();
          });
        }
      }
      const { client } = await serve([Streams]);
      expect(await client.ask('stream')).toEqual(answer('first'));
      client.leave();
      await soon(unsubscribed.opened, 'the end of the stream');
    });

    it('starts no calls for it any more', async () => {
      let calls = 0;
      const gone = latch();
      const ended = latch<unknown>();
      @Injectable()
      class Late {
        @Retry(TWICE)
        async load(): Promise<void> {
          calls++;
        }
      }
      @WebSocketGateway()
      class Slow {
        constructor(private readonly late: Late) {}
        @SubscribeMessage('slow')
        async slow(@ConnectedSocket() socket: ServerSocket): Promise<void> {
          socket.once(goneEvent, () => gone.open());
          started.open(new AbortController().signal);
          await gone.opened; // nobody has asked for a signal so far
          const error = await this.late.load().catch((reason: unknown) => reason);
          ended.open({
            name: (error as Error | undefined)?.name,
            aborted: currentSignal().aborted,
          });
        }
      }
      const { client } = await serve([Slow, Late]);
      client.send('slow');
      await soon(started.opened, 'the call');
      client.leave();
      const end = await soon(ended.opened, 'the end');
      expect({ calls, end }).toEqual({ calls: 0, end: { name: 'AbortError', aborted: true } });
    });

    it('starts none as long as the handler runs, and leaves what it opened to other clients', async () => {
      const tries: unknown[] = [];
      const go = latch();
      const settled = latch();
      let ask: (() => Promise<unknown>) | undefined;
      @Injectable()
      class Late {
        @Retry(TWICE)
        async load(): Promise<string> {
          return currentSignal().aborted ? 'aborted' : 'loaded';
        }
      }
      @WebSocketGateway()
      class Slow {
        constructor(private readonly late: Late) {}
        @SubscribeMessage('slow')
        async slow(): Promise<void> {
          ask ??= AsyncResource.bind(() => this.late.load());
          const signal = currentSignal();
          started.open(signal);
          await once(signal, 'abort');
          for (let turn = 0; turn < 5; turn++) {
            await new Promise((resolve) => setTimeout(resolve, 1));
            tries.push(await this.late.load().catch(({ name }: Error) => name));
          }
          await go.opened;
          settled.open();
        }
        @SubscribeMessage('other')
        async other(): Promise<Answer> {
          return answer(await ask?.());
        }
      }
      const { app, client } = await serve([Slow, Late]);
      const other = await connect((app.getHttpServer().address() as AddressInfo).port);
      clients.push(other);
      client.send('slow');
      await soon(started.opened, 'the call');
      client.leave();
      while (tries.length < 5) await new Promise((resolve) => setTimeout(resolve, 1));
      expect(tries).toEqual(Array(5).fill('AbortError'));
      go.open();
      await soon(settled.opened, 'the end of the handler');
      await new Promise((resolve) => setImmediate(resolve));
      expect(await other.ask('other')).toEqual(answer('loaded'));
    });

    it('does not abort the signals of messages that were answered, or of other clients', async () => {
      const signals: AbortSignal[] = [];
      const left = latch();
      @WebSocketGateway()
      class Quick {
        @SubscribeMessage('quick')
        @Timeout(60_000)
        async quick(): Promise<Answer> {
          signals.push(currentSignal());
          return answer('done');
        }
        @SubscribeMessage('plain')
        async plain(): Promise<Answer> {
          signals.push(currentSignal());
          return answer('done');
        }
        @SubscribeMessage('wait')
        async wait(): Promise<Answer> {
          return wait(currentSignal());
        }
        handleDisconnect(): void {
          left.open();
        }
      }
      const { app, client } = await serve([Quick]);
      const other = await connect((app.getHttpServer().address() as AddressInfo).port);
      clients.push(other);
      other.send('wait');
      signals.push(await soon(started.opened, 'the call of the other'));
      await client.ask('quick');
      await client.ask('plain');
      client.leave();
      await soon(left.opened, 'the end of the connection');
      expect(signals.map(({ aborted }) => aborted)).toEqual([false, false, false]);
    });
  });

  it('has one listener on the socket for 50 messages at once, and none when they are done', async () => {
    const warnings: string[] = [];
    const host = runInThisContext('process') as NodeJS.Process; // Jest's is a copy that hears nothing
    const onWarning = ({ name }: Error) => warnings.push(name);
    host.on('warning', onWarning);
    const arrive = gathering(50);
    const counts = new Set<number>();
    const signals = new Set<AbortSignal>();
    let sockets: ServerSocket[] = [];
    @Injectable()
    class Remote {
      @Timeout(60_000)
      async load(): Promise<void> {
        signals.add(currentSignal());
        await arrive();
      }
    }
    @WebSocketGateway()
    class Gateway {
      constructor(private readonly remote: Remote) {}
      handleConnection(socket: ServerSocket): void {
        sockets.push(socket);
      }
      @SubscribeMessage('none')
      none(@ConnectedSocket() socket: ServerSocket): Answer {
        return answer(socket.listenerCount(goneEvent));
      }
      @SubscribeMessage('plain')
      async plain(@ConnectedSocket() socket: ServerSocket): Promise<Answer> {
        return this.load(socket);
      }
      @SubscribeMessage('decorated')
      @Timeout(60_000)
      async decorated(@ConnectedSocket() socket: ServerSocket): Promise<Answer> {
        return this.load(socket);
      }
      private async load(socket: ServerSocket): Promise<Answer> {
        signals.add(currentSignal());
        await this.remote.load();
        counts.add(socket.listenerCount(goneEvent));
        return answer('done');
      }
    }
    try {
      const { client } = await serve([Gateway, Remote]);
      const none = (await client.ask('none')).data as number;
      for (let n = 0; n < 25; n++) {
        client.send('plain');
        client.send('decorated');
      }
      for (let n = 0; n < 50; n++) expect(await client.next()).toEqual(answer('done'));
      expect(signals.size).toBe(100);
      expect(counts).toEqual(new Set([none + 1]));
      const [socket] = sockets;
      await until(() => socket?.listenerCount(goneEvent) === none, 'the release of the listener');
      expect(warnings).toEqual([]);
    } finally {
      host.off('warning', onWarning);
      sockets = [];
    }
  });
});
