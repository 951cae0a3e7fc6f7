import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { Controller, Get, Injectable, StreamableFile } from '@nestjs/common';
import { lastValueFrom } from 'rxjs';
import {
  type AttemptContext,
  currentSignal,
  Retry,
  resilientFetch,
  TimeoutError,
} from '../../lib/index.js';
import { closeAll, track } from '../binding/support.js';
import { EXPRESS, FASTIFY, listen } from '../edge/adapters.support.js';
import { latch, soon } from '../edge/waiting.js';
import { booting, elapse, failure, flush, never, watch } from '../support/resilience-app.js';

const boot = booting();
afterEach(closeAll);

const endless = () => new ReadableStream({ start: (it) => it.enqueue('chunk') });
async function* chunks() {
  yield 'chunk';
}

describe('The signal behind a stream that a call has answered with', () => {
  const answers: [string, () => unknown][] = [
    ['Response', () => new Response('body')],
    ['Response that flows', () => new Response(endless())],
    ['web stream', endless],
    ['Readable', () => new Readable({ read() {} })],
    ['StreamableFile', () => new StreamableFile(new Readable({ read() {} }))],
    [
      "answer of another client, with the body in 'data'",
      () => ({ data: new Readable({ read() {} }) }),
    ],
    [
      "answer of another client, with the body in 'body'",
      () => ({ body: new Readable({ read() {} }) }),
    ],
    ['async generator', chunks],
  ];

  it.each(answers)('is aborted with the call around it (%s)', async (_what, make) => {
    const app = await boot();
    const inner = app.pipeline({ timeoutMs: 5_000 });
    const middle = app.pipeline({ retry: { maxAttempts: 2 } });
    let signal: AbortSignal | undefined;
    const call = watch(
      app.pipeline({ timeoutMs: 100 }).execute(async () => {
        await middle.execute(() =>
          inner.execute(async (attempt) => {
            signal = attempt.signal;
            return make();
          }),
        );
        return never();
      }),
    );
    await elapse(99);
    expect(signal?.aborted).toBe(false);
    await elapse(1);
    expect(call.error).toBeInstanceOf(TimeoutError);
    expect(signal?.reason).toBe(call.error);
  });

  it('is aborted with the one who called the call around it, to whom the stream was handed on', async () => {
    const app = await boot();
    const leaving = new AbortController();
    const inner = app.pipeline({});
    let signal: AbortSignal | undefined;
    const call = app.pipeline({}).execute(
      async () => {
        await app.pipeline({ timeoutMs: 100 }).execute(() =>
          inner.execute(async () => {
            signal = currentSignal();
            return new Response(endless());
          }),
        );
        return never();
      },
      { signal: leaving.signal },
    );
    const failed = failure(call);
    await elapse(1_000);
    expect(signal?.aborted).toBe(false);
    leaving.abort(new Error('gone'));
    expect(signal?.reason).toBe(await failed);
  });

  it('is aborted with the call around it also where an Observable has emitted the stream', async () => {
    const app = await boot();
    const inner = app.pipeline({});
    let signal: AbortSignal | undefined;
    const source = async (attempt: AttemptContext) => {
      signal = attempt.signal;
      return new Response(endless());
    };
    const call = watch(
      app.pipeline({ timeoutMs: 100 }).execute(async () => {
        await lastValueFrom(inner.observe(source));
        return never();
      }),
    );
    await elapse(100);
    expect(call.error).toBeInstanceOf(TimeoutError);
    expect(signal?.reason).toBe(call.error);
  });

  it('is left alone where the call around has ended well, and by what is no stream', async () => {
    const app = await boot();
    const inner = app.pipeline({});
    const signals: AbortSignal[] = [];
    const answer = (value: unknown) => () =>
      inner.execute(async (attempt) => {
        signals.push(attempt.signal);
        return value;
      });
    await app.pipeline({ timeoutMs: 100 }).execute(answer(new Response(endless())));
    watch(
      app.pipeline({ timeoutMs: 100 }).execute(async () => {
        for (const value of [{ body: 'text', data: {} }, 'text', null, undefined])
          await answer(value)();
        return never();
      }),
    );
    await elapse(500);
    expect(signals.map(({ aborted }) => aborted)).toEqual(Array(5).fill(false));
  });

  it('is left alone when the stream has closed', async () => {
    const app = await boot();
    const inner = app.pipeline({});
    let signal: AbortSignal | undefined;
    const call = watch(
      app.pipeline({ timeoutMs: 100 }).execute(async () => {
        const stream = await inner.execute(async (attempt) => {
          signal = attempt.signal;
          return Readable.from(['all']);
        });
        for await (const _ of stream);
        return never();
      }),
    );
    await flush();
    await elapse(100);
    expect(call.state).toBe('rejected');
    expect(signal?.aborted).toBe(false);
  });

  it.each([EXPRESS, FASTIFY])(
    'is aborted by a client that leaves, which ends the request behind it ($name)',
    async (platform) => {
      const gone = latch();
      const upstream = createServer((_request, response) => {
        response.on('close', () => gone.open());
        response.write('begun');
      });
      track({
        close: async () => {
          upstream.closeAllConnections();
          upstream.close();
        },
      });
      upstream.listen(0, '127.0.0.1');
      await once(upstream, 'listening');
      const { port } = upstream.address() as AddressInfo;

      @Injectable()
      class Remote {
        readonly answered = latch();
        signal: AbortSignal | undefined;
        @Retry(2)
        async load(): Promise<Response> {
          this.signal = currentSignal();
          return resilientFetch(`http://127.0.0.1:${port}/`);
        }
      }
      @Controller()
      class Reading {
        constructor(private readonly remote: Remote) {}
        @Get()
        async read(): Promise<string> {
          const response = await this.remote.load();
          this.remote.answered.open();
          return response.text();
        }
      }
      const { app, open } = await listen(platform, { controllers: [Reading], providers: [Remote] });
      const exchange = open('/');
      const remote = app.get(Remote);
      await soon(remote.answered.opened, 'the answer');
      exchange.leave();
      await soon(gone.opened, 'the end of the request');
      expect(remote.signal?.reason).toMatchObject({ name: 'AbortError' });
    },
  );
});
