import { AsyncResource } from 'node:async_hooks';
import { EventEmitter, once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { Controller, Get, Injectable } from '@nestjs/common';
import { ClientTCP } from '@nestjs/microservices';
import { firstValueFrom, mergeMap, type Observable } from 'rxjs';
import { Critical, currentSignal, outboundHeaders, Retry, Timeout } from '../../lib/index.js';
import { closeAll, TWICE, track } from '../binding/support.js';
import { EXPRESS, FASTIFY, listen } from './adapters.support.js';
import { latch, never, soon, until } from './waiting.js';

afterEach(closeAll);

/** Answers each message with itself in capitals; and `slow` only once it is told to. */
async function serveEcho() {
  const sockets: Socket[] = [];
  const held: (() => void)[] = [];
  let released = false;
  const server = createServer((socket) => {
    sockets.push(socket);
    let read = '';
    socket
      .on('error', () => undefined)
      .on('data', (chunk) => {
        read += chunk;
        for (let at = read.indexOf('#'); at >= 0; at = read.indexOf('#')) {
          const length = Number(read.slice(0, at));
          if (read.length < at + 1 + length) return;
          const message = JSON.parse(read.slice(at + 1, at + 1 + length)) as Message;
          read = read.slice(at + 1 + length);
          const response = message.data.toUpperCase();
          const answer = JSON.stringify({ id: message.id, response, isDisposed: true });
          const send = () => void socket.write(`${answer.length}#${answer}`);
          if (message.data === 'slow' && !released) held.push(send);
          else send();
        }
      });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  track({
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  });
  return {
    port: (server.address() as { port: number }).port,
    connections: sockets,
    release: () => {
      released = true;
      for (const send of held.splice(0)) send();
    },
  };
}

interface Message {
  id: string;
  data: string;
}

describe.each([EXPRESS, FASTIFY])('On $name', (platform) => {
  /** An application whose first request opens all connections, and is the one that is cut. */
  async function serve() {
    const echo = await serveEcho();
    const client = new ClientTCP({ host: '127.0.0.1', port: echo.port });
    track({ close: async () => client.close() });
    const events = new EventEmitter();
    const begun = latch<AbortSignal>();
    const settled = latch();

    @Injectable()
    class Inner {
      @Retry(TWICE)
      @Timeout(10_000)
      async finish(value: string) {
        const { 'x-request-timeout-ms': timeoutMs, ...headers } = outboundHeaders();
        return {
          value,
          headers,
          hurried: Number(timeoutMs) <= 9_000,
          aborted: currentSignal().aborted,
        };
      }
    }
    type Finished = Awaited<ReturnType<Inner['finish']>>;

    @Controller()
    class Outer {
      private socket: Socket | undefined;
      private interval: NodeJS.Timeout | undefined;
      private isOpen = false;
      private ticks: (() => void)[] = [];
      constructor(private readonly inner: Inner) {}

      @Get('open')
      @Critical(false)
      async open(): Promise<unknown> {
        this.socket = connect(echo.port, '127.0.0.1');
        this.socket.on('data', () => this.inner.finish('socket').then(...this.deliver('socket')));
        events.on(
          'ask',
          AsyncResource.bind(() => this.inner.finish('emitter').then(...this.deliver('emitter'))),
        );
        this.interval = setInterval(() => {
          for (const tick of this.ticks.splice(0)) tick();
        }, 1);
        track({ close: async () => clearInterval(this.interval) });
        track({ close: async () => void this.socket?.destroy() });
        this.isOpen = true;
        return this.hang();
      }
      @Get('plain')
      async plain(): Promise<unknown> {
        return this.open();
      }
      @Get('slow')
      slow(): Observable<Finished> {
        begun.open(currentSignal());
        return this.ask('slow');
      }
      @Get('waiting')
      async waiting(): Promise<Finished> {
        begun.open(currentSignal());
        return firstValueFrom(this.ask('slow')).finally(() => settled.open());
      }
      @Get('client')
      client(): Observable<Finished> {
        return this.ask('client');
      }
      @Get('socket')
      async ofSocket(): Promise<unknown> {
        const answer = this.delivered('socket');
        this.socket?.write(
          `${JSON.stringify({ id: '1', data: 'x' }).length}#{"id":"1","data":"x"}`,
        );
        return answer;
      }
      @Get('emitter')
      async ofEmitter(): Promise<unknown> {
        const answer = this.delivered('emitter');
        events.emit('ask');
        return answer;
      }
      @Get('interval')
      async ofInterval(): Promise<unknown> {
        expect(this.isOpen).toBe(true);
        return new Promise((resolve, reject) => {
          this.ticks.push(() => this.inner.finish('interval').then(resolve, reject));
        });
      }

      private async hang(): Promise<never> {
        const signal = currentSignal();
        begun.open(signal);
        const aborted = once(signal, 'abort');
        await aborted.finally(() => settled.open());
        throw signal.reason;
      }
      private ask(data: string): Observable<Finished> {
        return client.send<string>('echo', data).pipe(mergeMap((it) => this.inner.finish(it)));
      }
      private deliver(kind: string) {
        return [
          (value: unknown) => void events.emit(kind, undefined, value),
          (error: unknown) => void events.emit(kind, error),
        ] as const;
      }
      private delivered(kind: string): Promise<unknown> {
        return new Promise((resolve, reject) => {
          events.once(kind, (error, value) =>
            error === undefined ? resolve(value) : reject(error),
          );
        });
      }
    }

    const { app } = await listen(
      platform,
      { controllers: [Outer], providers: [Inner] },
      {
        inbound: { trustCriticality: true },
      },
    );
    track({ close: async () => app.getHttpServer().closeAllConnections() });
    const url = await app.getUrl();
    const get = (path: string, headers: Record<string, string> = {}, signal?: AbortSignal) =>
      soon(fetch(`${url}/${path}`, { headers, signal: signal ?? null }), 'the answer');
    const SHED = { 'x-request-criticality': 'sheddable' };
    return {
      echo,
      get,
      settled: settled.opened,
      /** The first request, which is cut. */
      async cut(path: string, how: 'its client leaves' | 'its deadline passes') {
        if (how === 'its deadline passes') {
          expect((await get(path, { ...SHED, 'x-request-timeout-ms': '500' })).status).toBe(504);
          return;
        }
        const leaving = new AbortController();
        const answer = get(path, SHED, leaving.signal).catch(() => undefined);
        const signal = await soon(begun.opened, 'the call');
        const aborted = once(signal, 'abort');
        leaving.abort();
        await soon(aborted, 'the abort');
        await answer;
      },
    };
  }

  const answer = (value: string) => ({
    value,
    headers: { 'x-request-attempt': '1' },
    hurried: false,
    aborted: false,
  });

  describe.each(['its client leaves', 'its deadline passes'] as const)(
    'a request that is over because %s',
    (how) => {
      it.each(['open', 'plain'])(
        'leaves what it opened to the requests that follow (%s)',
        async (path) => {
          const { get, cut, settled } = await serve();
          await cut(path, how);
          await soon(settled, 'the end of the handler');
          await new Promise((resolve) => setImmediate(resolve));
          for (const kind of ['socket', 'emitter', 'interval']) {
            const response = await get(kind);
            expect(await response.json()).toEqual(answer(kind));
          }
        },
      );

      it.each(['slow', 'waiting'])(
        'leaves its connection to the requests that follow (%s)',
        async (path) => {
          const { get, cut, echo, settled } = await serve();
          await cut(path, how);
          echo.release();
          if (path === 'waiting') await soon(Promise.race([settled, cutOff(how)]), 'the end');
          await until(() => echo.connections.length === 1, 'the connection');
          for (let request = 0; request < 2; request++) {
            const response = await get('client');
            expect(await response.json()).toEqual(answer('CLIENT'));
          }
          expect(echo.connections).toHaveLength(1);
        },
      );
    },
  );

  it('while a handler of a client that has gone still runs, its calls do not start', async () => {
    let calls = 0;
    const begun = latch<AbortSignal>();
    const outcomes = latch<unknown[]>();
    @Injectable()
    class Inner {
      @Retry(TWICE)
      async call(): Promise<void> {
        calls++;
      }
    }
    @Controller()
    class Slow {
      constructor(private readonly inner: Inner) {}
      @Get()
      async get(): Promise<void> {
        const signal = currentSignal();
        begun.open(signal);
        await once(signal, 'abort');
        const errors: unknown[] = [];
        for (let turn = 0; turn < 10; turn++) {
          await new Promise((resolve) => setTimeout(resolve, 1));
          errors.push(await this.inner.call().catch((error: unknown) => error));
        }
        outcomes.open(errors);
      }
    }
    const { open } = await listen(platform, { controllers: [Slow], providers: [Inner] });
    const exchange = open('/');
    const signal = await soon(begun.opened, 'the call');
    exchange.leave();
    const errors = await soon(outcomes.opened, 'the end');
    expect(errors).toEqual(Array(10).fill(signal.reason));
    expect(calls).toBe(0);
  });
});

/** A handler that is cut at its deadline may go on: its request is answered. */
const cutOff = (how: string) => (how === 'its deadline passes' ? undefined : never());
