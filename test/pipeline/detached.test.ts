import { Injectable } from '@nestjs/common';
import { concat, NEVER, Observable, of } from 'rxjs';
import {
  Critical,
  currentSignal,
  detached,
  outboundHeaders,
  Retry,
  Timeout,
  TimeoutError,
} from '../../lib/index.js';
import { booting, Deferred, elapse, failure, never, watch } from '../support/resilience-app.js';

const boot = booting();

/** What the work inside sees of the calls around it. */
const seen = () => ({ headers: outboundHeaders(), aborted: currentSignal().aborted });

describe('The single flight by detached()', () => {
  @Injectable()
  class Tokens {
    private token: Promise<string> | undefined;
    readonly requests: Deferred<string>[] = [];
    readonly signals: AbortSignal[] = [];

    current(): Promise<string> {
      this.token ??= detached(() => this.fetch()).catch((error: unknown) => {
        this.token = undefined;
        throw error;
      });
      return this.token;
    }

    @Retry({ maxAttempts: 2, baseDelayMs: 10, jitter: 'none' })
    @Timeout(2_000)
    async fetch(): Promise<string> {
      const request = new Deferred<string>();
      this.requests.push(request);
      this.signals.push(currentSignal());
      return request.promise;
    }
  }

  it('goes on for the others when the one who began it runs out of time', async () => {
    const app = await boot({}, [Tokens]);
    const tokens = app.module.get(Tokens);
    const hurried = watch(app.pipeline({ timeoutMs: 100 }).execute(() => tokens.current()));
    const patient = watch(app.pipeline({ timeoutMs: 5_000 }).execute(() => tokens.current()));
    await elapse(100);
    expect(hurried.error).toBeInstanceOf(TimeoutError);
    expect(tokens.signals[0]?.aborted).toBe(false);
    tokens.requests[0]?.resolve('token');
    await elapse(0);
    expect(patient.value).toBe('token');
    expect(await tokens.current()).toBe('token');
    expect(tokens.requests).toHaveLength(1);
  });

  it('goes on for the others when the one who began it gives up', async () => {
    const app = await boot({}, [Tokens]);
    const tokens = app.module.get(Tokens);
    const leaving = new AbortController();
    const gone = watch(
      app.pipeline({}).execute(() => tokens.current(), { signal: leaving.signal }),
    );
    const patient = watch(tokens.current());
    leaving.abort();
    await elapse(0);
    expect(gone.state).toBe('rejected');
    tokens.requests[0]?.resolve('token');
    await elapse(0);
    expect(patient.value).toBe('token');
  });

  it('keeps the policies of its own, and begins anew after a failure', async () => {
    const app = await boot({}, [Tokens]);
    const tokens = app.module.get(Tokens);
    const first = watch(app.pipeline({ timeoutMs: 100 }).execute(() => tokens.current()));
    const second = watch(tokens.current());
    await elapse(2_000 + 10 + 2_000); // two attempts, and the wait between them
    expect(first.error).toMatchObject({ timeoutMs: 100 });
    expect(second.error).toMatchObject({ timeoutMs: 2_000 });
    expect(tokens.signals.map(({ aborted }) => aborted)).toEqual([true, true]);
    const third = watch(tokens.current());
    tokens.requests[2]?.resolve('token');
    await elapse(0);
    expect(third.value).toBe('token');
  });
});

it('A batch in the manner of DataLoader answers those who wait, though the first of them has gone', async () => {
  const app = await boot();
  const answers = new Deferred<string[]>();
  let batch: { keys: string[]; answer: Promise<string[]> } | undefined;
  const load = (key: string): Promise<string | undefined> => {
    if (batch === undefined) {
      const keys: string[] = [];
      const begin = () => {
        batch = undefined;
        return app.pipeline({ timeoutMs: 1_000 }).execute(() => answers.promise);
      };
      batch = { keys, answer: Promise.resolve().then(() => detached(begin)) };
    }
    const { keys, answer } = batch;
    const index = keys.push(key) - 1;
    return answer.then((all) => all[index]);
  };
  const first = watch(app.pipeline({ timeoutMs: 100 }).execute(() => load('a')));
  const second = watch(app.pipeline({ timeoutMs: 900 }).execute(() => load('b')));
  await elapse(200);
  answers.resolve(['A', 'B']);
  await elapse(0);
  expect(first.error).toBeInstanceOf(TimeoutError);
  expect(second.value).toBe('B');
});

describe('Detached work', () => {
  it('has no deadline, no abort, no attempt and no criticality of the calls around', async () => {
    const app = await boot();
    const outer = app.pipeline({ timeoutMs: 100, critical: true });
    const inside = await outer.execute(async () => [seen(), detached(seen), seen()]);
    const around = {
      headers: {
        'x-request-attempt': '1',
        'x-request-timeout-ms': '100',
        'x-request-criticality': 'critical',
      },
      aborted: false,
    };
    expect(inside).toEqual([around, { headers: {}, aborted: false }, around]);
  });

  it('returns what the function returns, and throws what it throws', () => {
    const value = {};
    expect(detached(() => value)).toBe(value);
    expect(detached(() => undefined)).toBeUndefined();
    const error = new Error('down');
    expect(() =>
      detached(() => {
        throw error;
      }),
    ).toThrow(error);
  });

  it('takes the work as a function: a promise is of work that has begun inside of the caller', () => {
    const begun = Promise.resolve('begun') as unknown as () => string;
    expect(() => detached(begun)).toThrow(
      expect.objectContaining({
        name: 'ResilienceConfigurationError',
        message: expect.stringMatching(/^detached\(\): .*function/),
      }),
    );
  });

  it('starts though the call around has been aborted, if that is what abandoned work wants', async () => {
    const app = await boot();
    const inner = app.pipeline({});
    let told: Promise<string> | undefined;
    const call = app.pipeline({ timeoutMs: 100 }).execute(async ({ signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      told = detached(() => inner.execute(async () => 'cleaned up'));
    });
    const failed = failure(call);
    await elapse(100);
    expect(await failed).toBeInstanceOf(TimeoutError);
    expect(await told).toBe('cleaned up');
  });

  it('does not keep those who wait for it from retrying what it gave up on, nor from giving up', async () => {
    const app = await boot();
    const retry = { maxAttempts: 2, baseDelayMs: 0 };
    const error = new Error('down');
    let calls = 0;
    const inner = app.pipeline({ retry });
    const work = () => {
      calls++;
      return Promise.reject(error);
    };
    const outer = app.pipeline({ retry });
    const failed = failure(outer.execute(() => detached(() => inner.execute(work))));
    await elapse(100);
    expect(await failed).toBe(error);
    expect(calls).toBe(4);
  });

  @Injectable()
  class Feed {
    readonly signals: AbortSignal[] = [];
    torn = 0;
    readonly seen: unknown[] = [];

    @Critical()
    @Timeout(1_000)
    values(): Observable<string> {
      return new Observable((subscriber) => {
        this.seen.push(seen());
        const subscription = concat(of('first'), NEVER).subscribe(subscriber);
        return () => {
          this.torn++;
          subscription.unsubscribe();
        };
      });
    }

    @Timeout(1_000)
    async *generated(): AsyncGenerator<string> {
      this.seen.push(seen());
      yield 'first';
      this.seen.push(seen());
      yield 'second';
    }
  }

  const WITHOUT = { headers: { 'x-request-attempt': '1' }, aborted: false };

  it('may be an Observable: who subscribes does not end it by a deadline, and gets values in their own call', async () => {
    const app = await boot({}, [Feed]);
    const feed = app.module.get(Feed);
    const received: unknown[] = [];
    watch(
      app.pipeline({ timeoutMs: 100 }).execute(() => {
        detached(() => feed.values()).subscribe((value) => received.push(value, seen()));
        return never();
      }),
    );
    await elapse(5_000);
    expect(received).toEqual([
      'first',
      { headers: { 'x-request-attempt': '1', 'x-request-timeout-ms': '100' }, aborted: false },
    ]);
    expect(feed.torn).toBe(0);
    expect(feed.seen).toEqual([
      {
        headers: {
          'x-request-attempt': '1',
          'x-request-timeout-ms': '1000',
          'x-request-criticality': 'critical',
        },
        aborted: false,
      },
    ]);
  });

  it('may be an async generator: whoever asks for the next value does not cut it', async () => {
    const app = await boot({}, [Feed]);
    const feed = app.module.get(Feed);
    const values = await app.pipeline({ timeoutMs: 100, critical: true }).execute(async () => {
      const generator = detached(() => feed.generated());
      expect(generator[Symbol.asyncIterator]()).toBe(generator);
      const all: string[] = [];
      for await (const value of generator) all.push(value);
      return all;
    });
    expect(values).toEqual(['first', 'second']);
    expect(feed.seen).toEqual([
      { headers: { 'x-request-attempt': '1', 'x-request-timeout-ms': '1000' }, aborted: false },
      WITHOUT,
    ]);
  });
});
