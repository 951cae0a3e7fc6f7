import { describe, expect, it, jest } from '@jest/globals';
import { Injectable, Scope } from '@nestjs/common';
import { concat, defer, lastValueFrom, NEVER, Observable, of, toArray } from 'rxjs';
import {
  CircuitBreaker,
  CircuitBreakerOpenError,
  CircuitBreakerPolicy,
  CircuitState,
  Coalesce,
  Critical,
  type CriticalAlert,
  currentSignal,
  defineStage,
  FailedResult,
  Fallback,
  Hedge,
  isChaos,
  NO_RESULT,
  Resilience,
  type ResilienceEvent,
  type ResilienceModuleOptions,
  ResilienceService,
  Retry,
  type RetryOptions,
  type ServiceOptions,
  Timeout,
} from '../../lib/index.js';
import {
  booting,
  Deferred,
  elapse,
  failure,
  flush,
  never,
  watch,
} from '../support/resilience-app.js';

const boot = booting();

/** Types know only what works in general: async generators are protected until their first value. */

const isBad = (result: unknown) => String(result).startsWith('bad');
const RETRY: RetryOptions = { baseDelayMs: 10, jitter: 'none', retryableResults: isBad };

/** What is called answers these, one after the other, and the last for good. */
class Script {
  calls = 0;

  constructor(readonly answers: unknown[]) {}

  next(): unknown {
    const answer = this.answers[Math.min(this.calls, this.answers.length - 1)];
    this.calls++;
    if (answer instanceof Error) throw answer;
    return answer;
  }
}

/** The ways in which a call can be made that answers by a script, and what it comes to. */
type Way = (script: Script, options: ServiceOptions) => Promise<() => Promise<unknown>>;

const firstOf = async (values: AsyncGenerator<unknown>) => {
  const all: unknown[] = [];
  for await (const value of values) all.push(value);
  return all[0];
};

async function pipelineFor(options: ServiceOptions, module: ResilienceModuleOptions = {}) {
  const app = await boot(module);
  return app.pipeline({ name: 'load', ...options });
}

/** A method with the options of a bundle on it. */
function classOf(script: Script, scope: Scope) {
  @Injectable({ scope })
  class Loader {
    @Resilience('load')
    async promise(): Promise<unknown> {
      return script.next();
    }

    @Resilience('load')
    stream(): Observable<unknown> {
      return defer(() => of(script.next()));
    }

    @Resilience('load')
    async *values(): AsyncGenerator<unknown> {
      yield script.next();
    }
  }
  return Loader;
}

const byClass =
  (
    call: (loader: InstanceType<ReturnType<typeof classOf>>) => Promise<unknown>,
    scope = Scope.DEFAULT,
  ): Way =>
  async (script, options) => {
    const Loader = classOf(script, scope);
    const app = await boot({ services: { load: options } }, [Loader]);
    jest.useRealTimers();
    const loader = await app.module.resolve(Loader).catch(() => app.module.get(Loader));
    jest.useFakeTimers();
    return () => call(loader);
  };

const WAYS: Record<string, Way> = {
  'a method that returns a Promise': byClass((loader) => loader.promise()),
  'a method of a request-scoped provider': byClass((loader) => loader.promise(), Scope.REQUEST),
  'a method of a transient provider': byClass((loader) => loader.promise(), Scope.TRANSIENT),
  'a method that returns an Observable': byClass((loader) => lastValueFrom(loader.stream())),
  'an async generator': byClass((loader) => firstOf(loader.values())),
  'a bundle': async (script, options) => {
    const app = await boot({ services: { load: options } });
    const service = app.module.get(ResilienceService);
    return () => service.execute('load', async () => script.next());
  },
  'a pipeline': async (script, options) => {
    const pipeline = await pipelineFor(options);
    return () => pipeline.execute(async () => script.next());
  },
  'a pipeline that observes': async (script, options) => {
    const pipeline = await pipelineFor(options);
    return () => lastValueFrom(pipeline.observe(() => defer(() => of(script.next()))));
  },
  'a pipeline inside of another': async (script, options) => {
    const app = await boot();
    const [outer, inner] = [{ name: 'outer', timeoutMs: 1_000 }, options].map((each) =>
      app.pipeline({ name: 'load', ...each } as ServiceOptions),
    );
    return () => outer?.execute(() => inner?.execute(async () => script.next()) as never) as never;
  },
};

describe.each(Object.entries(WAYS))('A result that counts as a failure, of %s,', (_, way) => {
  const run = async (answers: unknown[], options: ServiceOptions) => {
    const script = new Script(answers);
    const call = await way(script, options);
    const result = watch(call());
    await elapse(100);
    return { script, result, call };
  };

  it('is retried until one is good', async () => {
    const { script, result } = await run(['bad 1', 'bad 2', 'good'], { retry: RETRY });
    expect(result).toMatchObject({ state: 'fulfilled', value: 'good' });
    expect(script.calls).toBe(3);
  });

  it('is returned as it is after the last attempt', async () => {
    const { script, result } = await run(['bad 1', 'bad 2', 'bad 3'], { retry: RETRY });
    expect(result).toMatchObject({ state: 'fulfilled', value: 'bad 3' });
    expect(script.calls).toBe(3);
  });

  it('gives way to an error of the last attempt, and an earlier error to it', async () => {
    const error = new Error('down');
    const options = { retry: { ...RETRY, maxAttempts: 2 } };
    expect((await run(['bad', error], options)).result).toMatchObject({ error });
    expect((await run([error, 'bad'], options)).result).toMatchObject({ value: 'bad' });
  });

  it('opens the breaker, and is returned all the same', async () => {
    const { script, result, call } = await run(['bad'], {
      circuitBreaker: { failureThreshold: 1, isFailureResult: isBad },
    });
    expect(result.value).toBe('bad');
    const rejection = await failure(call());
    expect(rejection).toBeInstanceOf(CircuitBreakerOpenError);
    expect((rejection as Error).cause).toMatchObject({ name: 'FailedResult', result: 'bad' });
    expect(script.calls).toBe(1);
  });

  it('is counted at each attempt by the breaker, whose opening ends the retries', async () => {
    const { script, result } = await run(['bad'], {
      retry: RETRY,
      circuitBreaker: { failureThreshold: 2, isFailureResult: isBad },
    });
    expect(result.error).toBeInstanceOf(CircuitBreakerOpenError);
    expect(script.calls).toBe(2);
  });

  it('is replaced by a fallback that wants it', async () => {
    const handler = jest.fn((error: unknown) => `instead of ${(error as FailedResult).result}`);
    const { result } = await run(['bad'], {
      retry: { ...RETRY, maxAttempts: 2 },
      fallback: { handler, whenResult: isBad },
    });
    expect(result).toMatchObject({ state: 'fulfilled', value: 'instead of bad' });
    expect(handler).toHaveBeenCalledTimes(1);
    expect(handler.mock.calls[0]?.[0]).toBeInstanceOf(FailedResult);
  });

  it('is not replaced by a fallback that says nothing of results', async () => {
    const fallback = jest.fn(() => 'instead');
    const { result } = await run(['bad'], { retry: RETRY, fallback });
    expect(result.value).toBe('bad');
    expect(fallback).not.toHaveBeenCalled();
  });

  it('surfaces what its fallback throws, with the result as its cause', async () => {
    const error = new Error('no cache');
    const { result } = await run(['bad'], {
      fallback: {
        handler: () => {
          throw error;
        },
        whenResult: isBad,
      },
    });
    expect(result.error).toBe(error);
    expect(error.cause).toMatchObject({ name: 'FailedResult', result: 'bad' });
  });

  it.each([
    [
      'retryableResults',
      (throwing: () => boolean) => ({ retry: { ...RETRY, retryableResults: throwing } }),
    ],
    [
      'isFailureResult',
      (throwing: () => boolean) => ({ circuitBreaker: { isFailureResult: throwing } }),
    ],
    [
      'whenResult',
      (throwing: () => boolean) => ({
        fallback: { handler: () => 'instead', whenResult: throwing },
      }),
    ],
  ])('surfaces what %s throws, or that it returned a promise', async (name, options) => {
    const error = new Error('a slip');
    const throwing = () => {
      throw error;
    };
    const { script, result } = await run(['any'], options(throwing));
    expect(result.error).toBe(error);
    expect(script.calls).toBe(1);
    const late = () => Promise.reject(new Error('late')) as unknown as boolean;
    expect((await run(['any'], options(late))).result.error).toMatchObject({
      name: 'ResilienceConfigurationError',
      message: expect.stringMatching(
        new RegExp(
          `.+\\.${name}: answered a promise; it has to answer at once; allowed: true or false$`,
        ),
      ),
    });
  });

  it.each([
    [Number.NaN, 1],
    [undefined, 1],
    [null, 1],
    ['', 1],
    [0, 1],
    ['yes', 3],
    [1, 3],
    [{}, 3],
  ])('is one where the predicate answers %p as in an if', async (answer, calls) => {
    const retryableResults = () => answer as unknown as boolean;
    const { script, result } = await run(['any'], { retry: { ...RETRY, retryableResults } });
    expect(script.calls).toBe(calls);
    expect(result.value).toBe('any');
  });
});

describe('A result that counts as a failure', () => {
  const observed = async (options: ServiceOptions, module: ResilienceModuleOptions = {}) => {
    const alerts: CriticalAlert[] = [];
    const sendCritical = (_: string, alert: CriticalAlert) => void alerts.push(alert);
    const app = await boot({ alerts: { sendCritical }, ...module });
    const events: ResilienceEvent[] = [];
    app.events.events$.subscribe((event) => events.push(event));
    const types = () => events.map(({ type }) => type);
    return { app, alerts, events, types, pipeline: app.pipeline({ name: 'load', ...options }) };
  };

  it('is told as a FailedResult by events, metrics and the error tracker', async () => {
    const { app, events, pipeline } = await observed({ retry: { ...RETRY, maxAttempts: 2 } });
    const result = watch(pipeline.execute(async () => 'bad'));
    await elapse(10);
    expect(result.value).toBe('bad');
    expect(events).toMatchObject([{ type: 'retry', attempt: 1, error: { result: 'bad' } }]);
    const tags = { operation: 'load', error_type: 'FailedResult' };
    expect(app.metrics.get('retry.attempt', { ...tags, attempt: 1 })).toBe(1);
    expect(app.metrics.get('errors.total', tags)).toBe(1);
    expect(app.metrics.get('requests.total', { operation: 'load', outcome: 'failure' })).toBe(1);
    expect(app.tracker.getMetrics().byType).toEqual(new Map([['FailedResult', 1]]));
  });

  it('is told without what is in it', async () => {
    const secret = Object.assign(new Response('', { status: 503 }), { token: 's3cret' });
    expect(new FailedResult(secret).message).toBe('Response with status 503 counts as a failure');
    expect(new FailedResult({ token: 's3cret' }).message).toBe('an object counts as a failure');
    expect(new FailedResult('s3cret').message).toBe('a string counts as a failure');
    expect(new FailedResult(null).message).toBe('null counts as a failure');
    expect(JSON.stringify(new FailedResult(secret))).not.toContain('s3cret');
    expect(Object.keys(new FailedResult(secret))).toEqual(['name']);
  });

  it('of an inner call is one error of both, where the outer one calls it a failure too', async () => {
    const { app, pipeline } = await observed({ circuitBreaker: { isFailureResult: () => true } });
    const inner = app.pipeline({ name: 'inner', circuitBreaker: { isFailureResult: () => true } });
    const answer = {};
    expect(await pipeline.execute(() => inner.execute(async () => answer))).toBe(answer);
    expect(app.tracker.getMetrics().total).toBe(1);
  });

  it('alerts where the operation is critical, also where it is returned', async () => {
    const { alerts, pipeline } = await observed({
      critical: true,
      circuitBreaker: { isFailureResult: isBad },
    });
    expect(await pipeline.execute(async () => 'good')).toBe('good');
    expect(alerts).toEqual([]);
    expect(await pipeline.execute(async () => 'bad')).toBe('bad');
    expect(alerts).toMatchObject([{ operation: 'load', type: 'FailedResult' }]);
  });

  it('is returned, and does not degrade to null, where the operation is nice to have', async () => {
    const { pipeline } = await observed({ critical: false, retry: { ...RETRY, maxAttempts: 1 } });
    expect(await pipeline.execute(async () => 'bad')).toBe('bad');
  });

  it('that looks like a client error is a failure all the same, since a predicate says so', async () => {
    const isFailureResult = ({ status }: Response) => status >= 400;
    const { app, pipeline } = await observed({
      circuitBreaker: { failureThreshold: 1, isFailureResult },
    });
    const response = new Response('', { status: 404 });
    expect(await pipeline.execute(async () => response)).toBe(response);
    expect(app.breakers.get('load').getState()).toBe(CircuitState.OPEN);
  });

  it('is returned where the budget is spent', async () => {
    const budget = { ratio: 0, minRetriesPerSecond: 0 };
    const { events, pipeline } = await observed({ retry: { ...RETRY, budget } });
    expect(await pipeline.execute(async () => 'bad')).toBe('bad');
    expect(events).toMatchObject([{ type: 'retry-suppressed', reason: 'budget' }]);
  });

  it.each([
    ['an object', { status: 'bad' }],
    ['a text', 'bad'],
    ['nothing', null],
  ])('that is %s is returned where a call inside has retried it already', async (_, answer) => {
    const retry: RetryOptions = { baseDelayMs: 10, jitter: 'none', retryableResults: () => true };
    const { app, types, pipeline } = await observed({ retry });
    const inner = app.pipeline({ name: 'inner', retry });
    const method = jest.fn(async () => answer);
    const result = watch(pipeline.execute(() => inner.execute(method)));
    await elapse(1_000);
    expect(result).toMatchObject({ state: 'fulfilled', value: answer });
    expect(method).toHaveBeenCalledTimes(3);
    expect(types()).toEqual(['retry', 'retry', 'retry-suppressed']);
  });

  it('is returned where the application closes while it waits', async () => {
    const { app, pipeline } = await observed({ retry: { ...RETRY, baseDelayMs: 1_000 } });
    const result = watch(pipeline.execute(async () => 'bad'));
    await flush();
    expect(result.state).toBe('pending');
    await app.close();
    expect(result).toMatchObject({ state: 'fulfilled', value: 'bad' });
  });

  it('of a stream is the error where the application closes while it waits: the stream is gone', async () => {
    const { app, pipeline } = await observed({ retry: { ...RETRY, baseDelayMs: 1_000 } });
    const result = watch(lastValueFrom(pipeline.observe(() => of('bad'))));
    await flush();
    await app.close();
    expect(result.error).toMatchObject({ name: 'FailedResult', result: 'bad' });
  });

  it('is retried no sooner than its Retry-After says, and not at all where that is too long', async () => {
    const retryableResults = ({ status }: Response) => status === 503;
    const { pipeline } = await observed({
      retry: { ...RETRY, maxAttempts: 2, maxDelayMs: 3_000, retryableResults },
    });
    const call = async (seconds: string) => {
      const answers = [
        new Response('busy', { status: 503, headers: { 'retry-after': seconds } }),
        new Response('fine'),
      ];
      const result = watch(pipeline.execute(async () => answers.shift() as Response));
      await elapse(1_999);
      return result;
    };
    const soon = await call('2');
    expect(soon.state).toBe('pending');
    await elapse(1);
    expect(soon.value?.status).toBe(200);
    expect((await call('4')).value?.status).toBe(503);
  });

  it('is returned where the deadline leaves no time for another attempt', async () => {
    const { app, pipeline } = await observed({ timeoutMs: 100 });
    const inner = app.pipeline({ name: 'inner', retry: { ...RETRY, baseDelayMs: 200 } });
    expect(await pipeline.execute(() => inner.execute(async () => 'bad'))).toBe('bad');
  });

  it('fails a probe, and a good one closes the breaker', async () => {
    const { app, pipeline } = await observed({
      circuitBreaker: {
        failureThreshold: 1,
        successThreshold: 1,
        timeoutMs: 1_000,
        isFailureResult: isBad,
      },
    });
    const breaker = app.breakers.get('load');
    await pipeline.execute(async () => 'bad');
    await elapse(1_000);
    expect(await pipeline.execute(async () => 'bad probe')).toBe('bad probe');
    expect(breaker.getState()).toBe(CircuitState.OPEN);
    expect(breaker.getCause()).toMatchObject({ result: 'bad probe' });
    await elapse(1_000);
    expect(await pipeline.execute(async () => 'good')).toBe('good');
    expect(breaker.getState()).toBe(CircuitState.CLOSED);
  });

  it('counts once in a breaker that is around it twice', async () => {
    const { app } = await observed({}, { breakers: { shared: { isFailureResult: isBad } } });
    const [outer, inner] = ['outer', 'inner'].map((name) =>
      app.pipeline({ name, circuitBreaker: 'shared' }),
    );
    await outer?.execute(() => inner?.execute(async () => 'bad') as Promise<string>);
    expect(app.breakers.get('shared').getSnapshot()).toMatchObject({ calls: 1, failures: 1 });
  });

  it.each([
    ['a text', 'bad'],
    ['an object', { bad: true }],
  ])('that chaos injected is marked as chaos: %s', async (_, result) => {
    const { events, alerts, pipeline } = await observed(
      {
        critical: true,
        retry: { ...RETRY, maxAttempts: 2, retryableResults: () => true },
        circuitBreaker: { failureThreshold: 2, isFailureResult: () => true },
      },
      { chaos: { rules: [{ operations: 'load', result }] } },
    );
    const answer = watch(pipeline.execute(async () => 'good'));
    await elapse(10);
    expect(answer.value).toBe(result);
    const failures = events.flatMap((event) => ('error' in event ? event.error : []));
    expect(failures.map(isChaos)).toEqual([true, true, true]); // a retry, the breaker, the alert
    expect(alerts).toMatchObject([{ chaos: true }]);
  });

  it('that chaos injected is marked as chaos, also of a call that goes straight', async () => {
    @Injectable()
    class Loader {
      @Retry({ ...RETRY, maxAttempts: 2 })
      @CircuitBreaker({ failureThreshold: 2, isFailureResult: isBad })
      async load(): Promise<string> {
        return 'good';
      }

      @Retry({ ...RETRY, maxAttempts: 2 })
      async retried(): Promise<string> {
        return 'good';
      }
    }
    const rules = [{ operations: 'Loader.*', result: 'bad' }];
    const app = await boot({ chaos: { rules } }, [Loader]);
    const failures: unknown[] = [];
    app.events.events$.subscribe((event) => 'error' in event && failures.push(event.error));
    const loader = app.module.get(Loader);
    const answers = [watch(loader.load()), watch(loader.retried())];
    await elapse(10);
    expect(answers.map(({ value }) => value)).toEqual(['bad', 'bad']);
    expect(failures.map(isChaos)).toEqual([true, true, true]); // two retries, the breaker
  });

  it('is not looked for in the answer of a fallback', async () => {
    const { pipeline } = await observed({
      retry: { ...RETRY, maxAttempts: 1 },
      fallback: { handler: () => 'bad again', whenResult: isBad },
      circuitBreaker: { isFailureResult: isBad },
    });
    expect(await pipeline.execute(async () => 'bad')).toBe('bad again');
  });

  it('gives an attempt that is retried its own signal and deadline', async () => {
    const signals: AbortSignal[] = [];
    const { pipeline } = await observed({ retry: RETRY, timeoutMs: 100 });
    const result = watch(
      pipeline.execute(async () => {
        signals.push(currentSignal());
        return signals.length < 3 ? 'bad' : never();
      }),
    );
    await elapse(200);
    expect(result.error).toMatchObject({ name: 'TimeoutError' });
    expect(signals.map((signal) => signal.aborted).at(-1)).toBe(true);
  });

  it('and its wait end with the caller that gives up', async () => {
    const { pipeline } = await observed({ retry: { ...RETRY, baseDelayMs: 1_000 } });
    const caller = new AbortController();
    const result = watch(pipeline.execute(async () => 'bad', { signal: caller.signal }));
    await flush();
    caller.abort('gone');
    await flush();
    expect(result.error).toBe('gone');
    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('A breaker on its own', () => {
  const options = { failureThreshold: 1, isFailureResult: isBad };

  it.each([
    ['outside of any call', (fn: () => Promise<unknown>) => fn()],
    [
      'inside of one',
      async (fn: () => Promise<unknown>) => (await pipelineFor({ timeoutMs: 1_000 })).execute(fn),
    ],
  ])('counts results that are failures, and returns them, %s', async (_, around) => {
    const breaker = new CircuitBreakerPolicy('alone', options);
    expect(await around(() => breaker.execute(async () => 'good'))).toBe('good');
    expect(breaker.getState()).toBe(CircuitState.CLOSED);
    expect(await around(() => breaker.execute(async () => 'bad'))).toBe('bad');
    expect(breaker.getState()).toBe(CircuitState.OPEN);
    await expect(around(() => breaker.execute(async () => 'good'))).rejects.toMatchObject({
      cause: { name: 'FailedResult' },
    });
  });

  it('surfaces what its predicate throws, and closes the answer that nobody gets', async () => {
    const error = new Error('a slip');
    const breaker = new CircuitBreakerPolicy('alone', {
      isFailureResult: () => {
        throw error;
      },
    });
    const cancel = jest.fn(() => undefined);
    const answer = () => new Response(new ReadableStream({ cancel }));
    await expect(breaker.execute(async () => answer())).rejects.toBe(error);
    const pipeline = await pipelineFor({ timeoutMs: 1_000 });
    await expect(pipeline.execute(() => breaker.execute(async () => answer()))).rejects.toBe(error);
    expect(cancel).toHaveBeenCalledTimes(2);
    expect(breaker.getSnapshot()).toMatchObject({ failures: 2 });
  });
});

describe('A result that gives way to another', () => {
  /** A response whose body knows whether it has been let go. */
  function response(status = 503) {
    const freed = jest.fn(() => undefined);
    return { freed, answer: new Response(new ReadableStream({ cancel: freed }), { status }) };
  }
  const isFailure = ({ status }: Response) => status >= 500;
  const retry: RetryOptions = { ...RETRY, maxAttempts: 2, retryableResults: isFailure };

  it('is freed when the next attempt begins, and handed to onDiscard', async () => {
    const onDiscard = jest.fn();
    const pipeline = await pipelineFor({ retry, onDiscard });
    const [first, second] = [response(), response(200)];
    const answers = [first.answer, second.answer];
    const result = watch(pipeline.execute(async () => answers.shift() as Response));
    await elapse(9);
    expect(first.freed).not.toHaveBeenCalled();
    await elapse(1);
    expect(result.value).toBe(second.answer);
    expect(first.freed).toHaveBeenCalledTimes(1);
    expect(second.freed).not.toHaveBeenCalled();
    expect(onDiscard.mock.calls).toEqual([[first.answer]]);
  });

  it('is not freed where it is the last one: its caller reads it', async () => {
    const onDiscard = jest.fn();
    const pipeline = await pipelineFor({ retry, onDiscard });
    const answers = [response(), response()];
    const made = [...answers];
    const result = watch(pipeline.execute(async () => made.shift()?.answer as Response));
    await elapse(10);
    expect(result.value).toBe(answers[1]?.answer);
    expect(answers.map(({ freed }) => freed.mock.calls.length)).toEqual([1, 0]);
    expect(onDiscard).toHaveBeenCalledTimes(1);
  });

  it('is freed where its caller gives up while it waits', async () => {
    const pipeline = await pipelineFor({ retry });
    const { freed, answer } = response();
    const caller = new AbortController();
    const result = watch(pipeline.execute(async () => answer, { signal: caller.signal }));
    await flush();
    caller.abort('gone');
    await flush();
    expect(result.error).toBe('gone');
    expect(freed).toHaveBeenCalledTimes(1);
  });

  it.each(['retryableResults', 'isFailureResult', 'whenResult'])(
    'is freed where %s throws',
    async (predicate) => {
      const slip = () => {
        throw new Error('a slip');
      };
      const pipeline = await pipelineFor({
        retry: {
          maxAttempts: 1,
          ...(predicate === 'retryableResults' && { retryableResults: slip }),
        },
        circuitBreaker: predicate === 'isFailureResult' ? { isFailureResult: slip } : {},
        ...(predicate === 'whenResult' && { fallback: { handler: slip, whenResult: slip } }),
      });
      const { freed, answer } = response();
      await expect(pipeline.execute(async () => answer)).rejects.toThrow('a slip');
      expect(freed).toHaveBeenCalledTimes(1);
    },
  );

  it('is freed once its fallback has answered, unless the answer is made of it', async () => {
    const answers: Record<string, (error: unknown) => unknown> = {
      'something else': () => 'instead',
      'the result itself': (error) => (error as FailedResult).result,
      'a response with its body': (error) =>
        new Response(((error as FailedResult).result as Response).body),
    };
    for (const [kind, handler] of Object.entries(answers)) {
      const pipeline = await pipelineFor({ fallback: { handler, whenResult: () => true } });
      const { freed, answer } = response();
      await pipeline.execute(async () => answer);
      expect([kind, freed.mock.calls.length]).toEqual([kind, kind === 'something else' ? 1 : 0]);
    }
  });

  it('is freed where its fallback fails', async () => {
    const handler = () => Promise.reject(new Error('no cache'));
    const pipeline = await pipelineFor({ fallback: { handler, whenResult: () => true } });
    const { freed, answer } = response();
    await expect(pipeline.execute(async () => answer)).rejects.toThrow('no cache');
    expect(freed).toHaveBeenCalledTimes(1);
  });
});

describe('A hedged call', () => {
  const hedging = async (options: ServiceOptions = {}) => {
    const made: Deferred[] = [];
    const pipeline = await pipelineFor({
      hedge: { delayMs: 50 },
      circuitBreaker: { isFailureResult: isBad },
      ...options,
    });
    const call = async () => {
      const result = watch(
        pipeline.execute(() => {
          const attempt = new Deferred();
          made.push(attempt);
          return attempt.promise;
        }),
      );
      await elapse(50);
      return result;
    };
    return { made, call };
  };

  it('is not answered by a result that counts as a failure while another may answer', async () => {
    const { made, call } = await hedging();
    const result = await call();
    made[0]?.resolve('bad');
    await flush();
    expect(result.state).toBe('pending');
    made[1]?.resolve('good');
    await flush();
    expect(result.value).toBe('good');
  });

  it('has such a result where no better one has come, rather than an error', async () => {
    const discarded: unknown[] = [];
    const { made, call } = await hedging({ onDiscard: (answer) => discarded.push(answer) });
    for (const [first, second, answer] of [
      ['bad 1', 'bad 2', 'bad 2'],
      ['bad 1', new Error('down'), 'bad 1'],
      [new Error('down'), 'bad 2', 'bad 2'],
    ] as const) {
      made.length = 0;
      const result = await call();
      for (const [index, end] of [first, second].entries()) {
        if (end instanceof Error) made[index]?.reject(end);
        else made[index]?.resolve(end);
        await flush();
      }
      expect(result).toMatchObject({ state: 'fulfilled', value: answer });
    }
    expect(discarded).toEqual(['bad 1']);
  });

  it('discards such a result where another wins, or its caller gives up', async () => {
    const discarded: unknown[] = [];
    const { made, call } = await hedging({ onDiscard: (answer) => discarded.push(answer) });
    const result = await call();
    made[0]?.resolve('bad');
    await flush();
    made[1]?.resolve('good');
    await flush();
    expect(result.value).toBe('good');
    expect(discarded).toEqual(['bad']);
  });
});

describe('A stream', () => {
  const retry: RetryOptions = { ...RETRY, maxAttempts: 2 };

  it('is judged by its first value, before anybody sees that', async () => {
    const pipeline = await pipelineFor({ retry });
    const sources = [of('bad', 'more'), of('good', 'bad', 'end')];
    const seen = watch(
      lastValueFrom(pipeline.observe(() => sources.shift() as never).pipe(toArray())),
    );
    await elapse(10);
    expect(seen.value).toEqual(['good', 'bad', 'end']);
  });

  it('flows on as it is after the last attempt', async () => {
    const pipeline = await pipelineFor({ retry });
    const seen = watch(lastValueFrom(pipeline.observe(() => of('bad', 1, 2)).pipe(toArray())));
    await elapse(10);
    expect(seen.value).toEqual(['bad', 1, 2]);
  });

  it('that gives way is left at once, also one that never waits', async () => {
    const pipeline = await pipelineFor({ retry });
    let left = 0;
    let emitted = 0;
    const endless = new Observable((subscriber) => {
      subscriber.add(() => left++);
      while (!subscriber.closed && emitted < 1_000) {
        emitted++;
        subscriber.next('bad');
      }
    });
    const waiting = concat(of('good'), NEVER);
    const sources = [endless, waiting];
    const seen: unknown[] = [];
    const subscription = pipeline
      .observe(() => sources.shift() as never)
      .subscribe((value) => seen.push(value));
    expect([left, emitted]).toEqual([1, 2]); // it is asked at each value
    await elapse(10);
    expect(seen).toEqual(['good']);
    subscription.unsubscribe();
  });

  it('that ends without a value is not judged', async () => {
    const judge = jest.fn(() => true);
    const pipeline = await pipelineFor({
      retry: { ...retry, retryableResults: judge },
      circuitBreaker: { isFailureResult: judge },
      fallback: { handler: () => 'instead', whenResult: judge },
    });
    const seen = watch(lastValueFrom(pipeline.observe(() => of()).pipe(toArray())));
    await flush();
    expect(seen.value).toEqual([]);
    expect(judge).not.toHaveBeenCalled();
  });

  it('is replaced by the stream of a fallback', async () => {
    const left = jest.fn();
    const source = new Observable((subscriber) => {
      subscriber.next('bad');
      return left;
    });
    @Injectable()
    class Loader {
      @Fallback({ handler: 'instead', whenResult: isBad })
      load(): Observable<unknown> {
        return source;
      }

      instead(error: FailedResult): Observable<unknown> {
        return of(`instead of ${error.result}`, 'end');
      }
    }
    const app = await boot({}, [Loader]);
    const seen = watch(lastValueFrom(app.module.get(Loader).load().pipe(toArray())));
    await flush();
    expect(seen.value).toEqual(['instead of bad', 'end']);
    expect(left).toHaveBeenCalledTimes(1);
  });
});

describe('An async generator', () => {
  const generators = async () => {
    const ended: number[] = [];
    const discarded: unknown[] = [];
    let made = 0;
    @Injectable()
    class Loader {
      first = (number: number): unknown => (number === 1 ? 'bad' : 'good');

      @Retry({ ...RETRY, maxAttempts: 2 })
      @Resilience({ onDiscard: (value: unknown) => discarded.push(value) })
      async *load(): AsyncGenerator<unknown> {
        const number = ++made;
        try {
          yield this.first(number);
          yield 'bad later';
        } finally {
          ended.push(number);
        }
      }
    }
    const app = await boot({}, [Loader]);
    return { loader: app.module.get(Loader), ended, discarded };
  };
  const all = async (values: AsyncGenerator<unknown>) => {
    const seen: unknown[] = [];
    for await (const value of values) seen.push(value);
    return seen;
  };

  it('is judged by its first value, and closed where that gives way', async () => {
    const { loader, ended, discarded } = await generators();
    const seen = watch(all(loader.load()));
    await flush();
    expect(ended).toEqual([1]);
    await elapse(10);
    expect(seen.value).toEqual(['good', 'bad later']);
    expect(ended).toEqual([1, 2]);
    expect(discarded).toEqual(['bad']);
  });

  it('goes on as it is after the last attempt', async () => {
    const { loader, ended } = await generators();
    loader.first = () => 'bad';
    const seen = watch(all(loader.load()));
    await elapse(10);
    expect(seen.value).toEqual(['bad', 'bad later']);
    expect(ended).toEqual([1, 2]);
  });

  it('lets go of its caller where another attempt fails by an error', async () => {
    const { loader } = await generators();
    loader.first = (number) => {
      if (number === 1) return 'bad';
      throw new Error('down');
    };
    const seen = watch(all(loader.load()));
    await elapse(10);
    expect(seen.error).toMatchObject({ message: 'down' });
    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('A result that is shared by equal calls', () => {
  const judge: RetryOptions = { ...RETRY, retryableResults: () => true };
  const clientOf = () => {
    @Injectable()
    class Client {
      made = 0;

      @Retry(judge)
      promise(): Promise<unknown> {
        return this.sharedPromise('all');
      }

      @Coalesce()
      @Retry(judge)
      async sharedPromise(_which: string): Promise<unknown> {
        return this.answer();
      }

      @Retry(judge)
      stream(): Observable<unknown> {
        return this.sharedStream('all');
      }

      @Coalesce()
      @Retry(judge)
      sharedStream(_which: string): Observable<unknown> {
        return defer(() => of(this.answer()));
      }

      @Retry(judge)
      async *values(): AsyncGenerator<unknown> {
        yield* this.sharedValues('all');
      }

      @Coalesce()
      @Retry(judge)
      async *sharedValues(_which: string): AsyncGenerator<unknown> {
        yield this.answer();
      }

      private answer(): unknown {
        this.made++;
        return { status: 'bad' };
      }
    }
    return Client;
  };
  type Client = InstanceType<ReturnType<typeof clientOf>>;

  it.each<[string, (client: Client) => Promise<unknown>]>([
    ['a Promise', (client) => client.promise()],
    ['an Observable', (client) => lastValueFrom(client.stream())],
    ['an async generator', (client) => firstOf(client.values())],
  ])('and was retried already is retried by none of them: %s', async (_, call) => {
    const Client = clientOf();
    const app = await boot({}, [Client]);
    const client = app.module.get(Client);
    const results = [watch(call(client)), watch(call(client))];
    await elapse(1_000);
    expect(results.map(({ value }) => value)).toEqual([{ status: 'bad' }, { status: 'bad' }]);
    expect(client.made).toBe(3);
  });
});

it('A stage of your own hears what an attempt answered with, and can call it a failure', async () => {
  const heard: unknown[] = [];
  const watching = defineStage({
    name: 'watching',
    options: {},
    make: () => ({
      admit: () => undefined,
      settled(_permit, _attempt, how, _error, _at, result) {
        heard.push(how, result);
        if (isBad(result)) throw new FailedResult(result);
      },
    }),
  });
  const app = await boot({ stages: [watching] } as object);
  const pipeline = app.pipeline({ name: 'load', watching: {} } as ServiceOptions);
  expect(await pipeline.execute(async () => 'good')).toBe('good');
  expect(await pipeline.execute(async () => 'bad')).toBe('bad');
  expect(app.tracker.getMetrics().byType).toEqual(new Map([['FailedResult', 1]]));
  await lastValueFrom(pipeline.observe(() => of('first', 'second')));
  await lastValueFrom(pipeline.observe(() => of()).pipe(toArray()));
  expect(heard).toEqual(
    ['good', 'bad', 'first', NO_RESULT].flatMap((result) => ['success', result]),
  );
});

describe('By decorators', () => {
  it('a fallback method gets the arguments, then the FailedResult', async () => {
    @Injectable()
    class Prices {
      @Critical(false)
      @Fallback({ handler: 'cached', whenResult: (price: number) => price < 0 })
      @CircuitBreaker({ isFailureResult: (price: number) => price < 0 })
      @Timeout(1_000)
      @Hedge(500)
      async of(article: string, _shop?: string): Promise<number> {
        return article === 'apple' ? 1 : -1;
      }

      cached(article: string, shop: string | undefined, error: FailedResult): number {
        return article === 'pear' && shop === undefined && error.result === -1 ? 2 : 0;
      }
    }
    const app = await boot({}, [Prices]);
    const prices = app.module.get(Prices);
    expect(await prices.of('apple')).toBe(1);
    expect(await prices.of('pear')).toBe(2);
    expect(app.breakers.get('Prices.of').getSnapshot()).toMatchObject({ calls: 2, failures: 1 });
  });

  it.each([
    ['retryableResults', 'retry'],
    ['isFailureResult', 'circuitBreaker'],
    ['whenResult', 'fallback'],
  ])('%s is refused at boot where it is no function, or an async one', async (option, stage) => {
    const asynchronous = async () => true;
    for (const value of [true, 'yes', asynchronous]) {
      const settings = { [option]: value, ...(stage === 'fallback' && { handler: () => 1 }) };
      await expect(boot({ services: { load: { [stage]: settings } } })).rejects.toThrow(
        new RegExp(
          `^services\\.load\\.${stage}\\.${option}: is .*; allowed: a function that returns`,
        ),
      );
    }
  });

  it('a fallback of a bundle has to be a function, also with conditions', async () => {
    const handler = 'cached' as unknown as () => string;
    await expect(boot({ services: { load: { fallback: { handler } } } })).rejects.toThrow(
      /^services\.load\.fallback: is .*; allowed: a function, or \{ handler, when, whenResult, lastGood \}/,
    );
  });
});
