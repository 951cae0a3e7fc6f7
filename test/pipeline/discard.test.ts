import { Readable } from 'node:stream';
import { jest } from '@jest/globals';
import { Injectable, Logger, StreamableFile } from '@nestjs/common';
import {
  type AttemptContext,
  Fallback,
  Hedge,
  Resilience,
  ResilienceService,
  Timeout,
} from '../../lib/index.js';
import { booting, Deferred, elapse, failure, flush, watch } from '../support/resilience-app.js';

const boot = booting();

/** What a late answer is made of, and whether that has been closed. */
function sources() {
  const closed = jest.fn(() => undefined);
  const readable = () =>
    new Readable({
      read() {},
      destroy: (error, done) => {
        closed();
        done(error);
      },
    });
  const web = () =>
    new ReadableStream<string>({ start: (it) => it.enqueue('chunk'), cancel: closed });
  const answers: Record<string, () => unknown> = {
    Readable: readable,
    StreamableFile: () => new StreamableFile(readable()),
    Response: () => new Response(web().pipeThrough(new TextEncoderStream())),
    'web stream': web,
    'async generator': () => {
      const values = (async function* () {
        try {
          yield 1;
          yield 2;
        } finally {
          closed();
        }
      })();
      void values.next();
      return values;
    },
    "answer with its stream in 'data'": () => ({ status: 200, data: readable() }),
    "answer with its stream in 'body'": () => ({ statusCode: 200, body: readable() }),
  };
  return { closed, answers };
}

describe.each(Object.keys(sources().answers))(
  'A %s that nobody waits for any more is closed',
  (kind) => {
    const make = () => {
      const { closed, answers } = sources();
      return { closed, answer: answers[kind]?.() };
    };
    const settle = async () => {
      await flush();
      await flush();
    };

    it('after the timeout of a provider', async () => {
      const late = new Deferred();
      @Injectable()
      class Provider {
        @Timeout(100)
        async load(): Promise<unknown> {
          return late.promise;
        }
      }
      const app = await boot({}, [Provider]);
      const failed = failure(app.module.get(Provider).load());
      await elapse(100);
      await failed;
      const { closed, answer } = make();
      late.resolve(answer);
      await settle();
      expect(closed).toHaveBeenCalledTimes(1);
    });

    it('of a hedge that lost, and the winner is left alone', async () => {
      const made: Deferred[] = [];
      @Injectable()
      class Provider {
        @Hedge(50)
        async load(): Promise<unknown> {
          const attempt = new Deferred();
          made.push(attempt);
          return attempt.promise;
        }
      }
      const app = await boot({}, [Provider]);
      const call = watch(app.module.get(Provider).load());
      await elapse(50);
      const winner = make();
      const loser = make();
      made[1]?.resolve(winner.answer);
      await settle();
      made[0]?.resolve(loser.answer);
      await settle();
      expect(call.value).toBe(winner.answer);
      expect(loser.closed).toHaveBeenCalledTimes(1);
      expect(winner.closed).not.toHaveBeenCalled();
    });

    it('after a cancel, in a bundle and in a pipeline', async () => {
      const app = await boot({ services: { remote: {} } });
      const service = app.module.get(ResilienceService);
      const pipeline = app.pipeline({});
      for (const execute of [
        service.execute.bind(service, 'remote'),
        pipeline.execute.bind(pipeline),
      ] as Pick<typeof pipeline, 'execute'>['execute'][]) {
        const leaving = new AbortController();
        const late = new Deferred();
        const failed = failure(execute(() => late.promise, { signal: leaving.signal }));
        await flush();
        leaving.abort();
        await failed;
        const { closed, answer } = make();
        late.resolve(answer);
        await settle();
        expect(closed).toHaveBeenCalledTimes(1);
      }
    });

    it('where a fallback gives it after a cancel', async () => {
      const late = new Deferred();
      const app = await boot();
      const leaving = new AbortController();
      const pipeline = app.pipeline({ fallback: () => late.promise });
      const down = () => Promise.reject(new Error('down'));
      const failed = failure(pipeline.execute(down, { signal: leaving.signal }));
      await flush();
      leaving.abort();
      await failed;
      const { closed, answer } = make();
      late.resolve(answer);
      await settle();
      expect(closed).toHaveBeenCalledTimes(1);
    });
  },
);

it('A stream that somebody reads already is left to them, as is a socket', async () => {
  const app = await boot();
  const response = new Response(new ReadableStream({ start: (it) => it.enqueue('chunk') }));
  const reader = response.body?.getReader();
  const socket = new (await import('node:net')).Socket();
  for (const answer of [response, socket]) {
    const late = new Deferred();
    const failed = failure(app.pipeline({ timeoutMs: 100 }).execute(() => late.promise));
    await elapse(100);
    await failed;
    late.resolve(answer);
    await flush();
  }
  expect(await reader?.read()).toEqual({ value: 'chunk', done: false });
  expect(socket.destroyed).toBe(false);
  socket.destroy();
});

describe('onDiscard', () => {
  const connection = { close: () => undefined };

  @Injectable()
  @Resilience({ onDiscard: (answer) => Connections.discarded.push(['class', answer]) })
  class Connections {
    static discarded: unknown[] = [];
    late = new Deferred();

    @Timeout(100)
    async ofClass(): Promise<unknown> {
      return this.late.promise;
    }
    @Timeout(100)
    @Resilience({ onDiscard: (answer) => Connections.discarded.push(['method', answer]) })
    async ofMethod(): Promise<unknown> {
      return this.late.promise;
    }
    @Resilience('pooled')
    async ofBundle(): Promise<unknown> {
      return this.late.promise;
    }
    @Timeout(100)
    async *generated(): AsyncGenerator<unknown> {
      yield await this.late.promise;
    }
  }

  const services = {
    pooled: {
      timeoutMs: 100,
      onDiscard: (answer: unknown) => Connections.discarded.push(['bundle', answer]),
    },
  };

  it.each([
    ['ofClass', 'class'],
    ['ofMethod', 'method'],
    ['ofBundle', 'bundle'],
    ['generated', 'class'],
  ] as const)('gets what comes too late (%s)', async (key, expected) => {
    const app = await boot({ services }, [Connections]);
    const connections = app.module.get(Connections);
    Connections.discarded = [];
    const call = connections[key]();
    const failed = failure('next' in call ? call.next() : call);
    await elapse(100);
    await failed;
    connections.late.resolve(connection);
    await flush();
    expect(Connections.discarded).toEqual([[expected, connection]]);
  });

  it('gets of a pipeline what loses, and nothing of what wins', async () => {
    const app = await boot();
    const discarded: unknown[] = [];
    const made: Deferred[] = [];
    const pipeline = app.pipeline({
      hedge: { delayMs: 50, maxHedged: 2 },
      onDiscard: (answer) => discarded.push(answer),
    });
    const work = (_attempt: AttemptContext) => {
      made.push(new Deferred());
      return made.at(-1)?.promise as Promise<unknown>;
    };
    const call = watch(pipeline.execute(work));
    await elapse(100);
    for (const [index, attempt] of [...made.entries()].reverse()) attempt.resolve(index);
    await flush();
    expect(call.value).toBe(2);
    expect(discarded.sort()).toEqual([0, 1]);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('cannot close');
      },
    ],
    ['rejects', () => Promise.reject(new Error('cannot close'))],
  ])('that %s affects nothing, and is warned of once', async (_what, onDiscard) => {
    const app = await boot();
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const pipeline = app.pipeline({ name: 'broken', timeoutMs: 100, onDiscard });
    for (let call = 0; call < 3; call++) {
      const late = new Deferred();
      const failed = failure(pipeline.execute(() => late.promise));
      await elapse(100);
      expect(await failed).toMatchObject({ name: 'TimeoutError' });
      late.resolve(connection);
      await flush();
    }
    const warnings = warn.mock.calls.map(([text]) => text);
    warn.mockRestore();
    expect(warnings).toEqual([expect.stringMatching(/^onDiscard of broken failed: cannot close/)]);
  });

  it('has to be a function, on a method, in a bundle and in a pipeline', async () => {
    const app = await boot();
    const onDiscard = 'close' as never;
    expect(() => app.pipeline({ name: 'wrong', onDiscard })).toThrow(
      /onDiscard: is "close"; allowed: a function/,
    );
    await expect(boot({ services: { wrong: { onDiscard } } })).rejects.toThrow(
      /services\.wrong\.onDiscard: is "close"; allowed: a function/,
    );
    @Injectable()
    class Wrong {
      @Resilience({ onDiscard })
      @Fallback(() => 'instead')
      async load(): Promise<string> {
        return 'done';
      }
    }
    await expect(boot({}, [Wrong])).rejects.toThrow(
      /Wrong\.load @Resilience\(\)\.onDiscard: is "close"; allowed: a function/,
    );
  });
});
