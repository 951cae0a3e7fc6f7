import { AsyncResource } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { concat, defer, NEVER, of, takeUntil, timer } from 'rxjs';
import {
  type AttemptContext,
  BulkheadPolicy,
  CircuitBreakerPolicy,
  currentSignal,
  outboundCallOptions,
  outboundHeaders,
  type Pipeline,
  type ServiceOptions,
} from '../../lib/index.js';
import { elapse, failure, never, ResilienceApp, watch } from '../support/resilience-app.js';

let app: ResilienceApp;
beforeAll(async () => {
  app = await ResilienceApp.boot();
});
afterAll(() => app.close());

/** Something that lives longer than the call in which it was made, and keeps its async context. */
class Connection {
  private readonly events = new EventEmitter();

  /** Once: later calls use the connection that is there. */
  open<T>(onMessage: () => T, results: T[]): void {
    this.events.on(
      'message',
      AsyncResource.bind(() => results.push(onMessage())),
    );
  }

  message(): void {
    this.events.emit('message');
  }
}

/** What somebody in the connection's context sees and can do. */
async function ask() {
  const signal = currentSignal();
  const attempt = await new CircuitBreakerPolicy('alone').execute(async (it) => it.attempt);
  return {
    called: await app.pipeline({ timeoutMs: 50 }).execute(async () => 'answer'),
    observed: await new Promise((resolve, reject) => {
      app
        .pipeline({ timeoutMs: 50 })
        .observe(async () => 'value')
        .subscribe({ next: resolve, error: reject });
    }),
    inSlot: await new BulkheadPolicy('alone').execute(async () => 'slot'),
    attempt,
    headers: outboundHeaders(),
    options: outboundCallOptions(),
    aborted: signal.aborted,
  };
}

const OUTSIDE = {
  called: 'answer',
  observed: 'value',
  inSlot: 'slot',
  attempt: 1,
  headers: {},
  options: {},
  aborted: false,
};

type Begin = (pipeline: Pipeline, open: <T>(work: T) => T, signal: AbortSignal) => void;
const HANGING = {
  promise: (pipeline, open, signal) => {
    watch(pipeline.execute(() => open(never()), { signal }));
  },
  observable: (pipeline, open, signal) => {
    pipeline.observe(() => open(NEVER), { signal }).subscribe({ error: () => undefined });
  },
  'promise of an observable': (pipeline, open, signal) => {
    pipeline.observe(() => open(never()), { signal }).subscribe({ error: () => undefined });
  },
} satisfies Record<string, Begin>;

describe('What was made in an attempt and lives on', () => {
  const open = (begin: Begin, options: ServiceOptions, signal = new AbortController().signal) => {
    const connection = new Connection();
    const asked: ReturnType<typeof ask>[] = [];
    let made = 0;
    const once = <T>(work: T) => {
      if (made++ === 0) connection.open(ask, asked);
      return work;
    };
    begin(app.pipeline({ critical: true, ...options }), once, signal);
    return {
      async outcome() {
        await nextTurn();
        connection.message();
        const outcome = watch(asked.at(-1) as ReturnType<typeof ask>);
        await elapse(60);
        return outcome.error ?? outcome.value;
      },
    };
  };

  describe.each(Object.entries(HANGING))('%s', (_kind, begin) => {
    it('is on its own when the attempt has timed out and the call is answered', async () => {
      const connection = open(begin, { timeoutMs: 100 });
      await elapse(100);
      expect(await connection.outcome()).toEqual(OUTSIDE);
    });

    it('is on its own when the caller has given up', async () => {
      const leaving = new AbortController();
      const connection = open(begin, { timeoutMs: 10_000 }, leaving.signal);
      leaving.abort();
      expect(await connection.outcome()).toEqual(OUTSIDE);
    });

    it('is on its own when a fallback has answered', async () => {
      const connection = open(begin, { timeoutMs: 100, fallback: () => 'instead' });
      await elapse(100);
      expect(await connection.outcome()).toEqual(OUTSIDE);
    });

    it('belongs to the call around, where that one goes on', async () => {
      const outer = app.pipeline({ timeoutMs: 1_000 });
      let connection: ReturnType<typeof open> | undefined;
      const call = watch(
        outer.execute(() => {
          connection = open(begin, { timeoutMs: 100 });
          return never();
        }),
      );
      await elapse(200);
      expect(await connection?.outcome()).toMatchObject({
        called: 'answer',
        headers: { 'x-request-attempt': '1', 'x-request-timeout-ms': '800' },
        aborted: false,
      });
      await elapse(1_000);
      expect(call.state).toBe('rejected');
      expect(await connection?.outcome()).toEqual(OUTSIDE);
    });
  });

  it('is not while the work goes on, and with it the call', async () => {
    const retry = { maxAttempts: 2, baseDelayMs: 0 };
    const connection = open(HANGING.promise, { timeoutMs: 100, retry });
    await elapse(110);
    expect(await connection.outcome()).toMatchObject({ name: 'TimeoutError' });
    await elapse(100);
    expect(await connection.outcome()).toEqual(OUTSIDE);
  });

  it('is on its own when another attempt was faster', async () => {
    const connection = new Connection();
    const asked: ReturnType<typeof ask>[] = [];
    let made = 0;
    const call = watch(
      app.pipeline({ hedge: { delayMs: 50 } }).execute(() => {
        if (++made === 2) return Promise.resolve('faster');
        connection.open(ask, asked);
        return never();
      }),
    );
    await elapse(50);
    expect(call.value).toBe('faster');
    await nextTurn();
    connection.message();
    expect(await asked[0]).toEqual(OUTSIDE);
  });
});

describe('The reaction of abandoned work to its abort starts nothing', () => {
  const inner = jest.fn(async () => 'wasted');
  let outcomes: unknown[] = [];
  const secondary = async () => {
    outcomes.push(await failure(app.pipeline({}).execute(inner)));
  };
  const aborted = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
    });
  const short = () => app.pipeline({ timeoutMs: 100 });
  const ignore = { error: () => undefined };

  it.each<[string, () => void]>([
    ['of a call', () => watch(short().execute(({ signal }) => aborted(signal).catch(secondary)))],
    [
      'of a call that has settled meanwhile',
      () => {
        const late = (signal: AbortSignal) =>
          aborted(signal).catch(() => flushed().then(secondary));
        watch(short().execute(({ signal }) => Promise.all([aborted(signal), late(signal)])));
      },
    ],
    [
      'of a stream',
      () => {
        const source = ({ signal }: AttemptContext) =>
          defer(() => aborted(signal).catch(secondary));
        short().observe(source).subscribe(ignore);
      },
    ],
    [
      'of a stream that has begun and loses its subscriber',
      () => {
        const source = ({ signal }: AttemptContext) => {
          void aborted(signal).catch(secondary);
          return concat(of('begun'), NEVER);
        };
        short()
          .observe(source)
          .pipe(takeUntil(timer(100)))
          .subscribe();
      },
    ],
    [
      'of an attempt whose hedge was faster',
      () => {
        let made = 0;
        const work = async ({ signal }: AttemptContext) =>
          ++made === 2 ? 'faster' : aborted(signal).catch(secondary);
        watch(app.pipeline({ hedge: { delayMs: 100 } }).execute(work));
      },
    ],
  ])('%s', async (_kind, begin) => {
    outcomes = [];
    begin();
    await elapse(100);
    expect(outcomes).toHaveLength(1);
    expect((outcomes[0] as Error).name).toMatch(/^(Timeout|Abort)Error$/);
    expect(inner).not.toHaveBeenCalled();
  });
});

/** After many promise jobs, and still in the same turn of the event loop. */
async function flushed(): Promise<void> {
  for (let jobs = 0; jobs < 50; jobs++) await null;
}
