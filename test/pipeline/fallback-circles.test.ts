import { AsyncResource } from 'node:async_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { jest } from '@jest/globals';
import { Controller, Get, Injectable } from '@nestjs/common';
import { firstValueFrom, type Observable, throwError } from 'rxjs';
import {
  CircuitBreaker,
  currentSignal,
  detached,
  Fallback,
  outboundHeaders,
  type Pipeline,
  ResilienceConfigurationError,
  Retry,
  Timeout,
  TimeoutError,
} from '../../lib/index.js';
import { closeAll } from '../binding/support.js';
import { EXPRESS, listen } from '../edge/adapters.support.js';
import { booting, elapse, failure, never, watch } from '../support/resilience-app.js';

const boot = booting();
afterEach(closeAll);

const down = () => Promise.reject(new Error('down'));

@Injectable()
class Circles {
  runs = 0;

  @Fallback(() => circles.promise())
  async promise(): Promise<string> {
    this.runs++;
    return down();
  }

  @Fallback('viaMethod')
  @Timeout(1_000)
  @Retry({ maxAttempts: 2, baseDelayMs: 0 })
  async named(): Promise<string> {
    this.runs++;
    return down();
  }
  async viaMethod(): Promise<string> {
    return this.hop();
  }
  @CircuitBreaker({ failureThreshold: 1_000 })
  async hop(): Promise<string> {
    return this.named();
  }

  @Fallback(() => circles.two())
  async one(): Promise<string> {
    this.runs++;
    return down();
  }
  @Fallback(() => circles.one())
  async two(): Promise<string> {
    return down();
  }

  @Fallback(() => circles.stream())
  @Timeout(1_000)
  stream(): Observable<string> {
    this.runs++;
    return throwError(() => new Error('down'));
  }

  @Fallback(() => circles.generator())
  async *generator(): AsyncGenerator<string> {
    this.runs++;
    yield await down();
  }

  @Fallback(() => circles.unobserved())
  async unobserved(): Promise<string> {
    this.runs++;
    return down();
  }
}

let circles: Circles;
const calls: Record<string, [string, (it: Circles) => Promise<unknown>]> = {
  'a promise': ['promise', (it) => it.promise()],
  'a method, by another operation, with stages': ['named', (it) => it.named()],
  'two that stand in for each other': ['one', (it) => it.one()],
  'an Observable': ['stream', (it) => firstValueFrom(it.stream())],
  'an async generator': ['generator', (it) => it.generator().next()],
};

describe('A fallback that calls its own operation', () => {
  it.each(Object.entries(calls))(
    'is refused after ten of them (%s)',
    async (_what, [name, call]) => {
      const app = await boot({}, [Circles]);
      circles = app.module.get(Circles);
      const outcome = watch(call(circles));
      await elapse(1_000);
      expect(outcome.error).toBeInstanceOf(ResilienceConfigurationError);
      expect((outcome.error as Error).message).toMatch(
        new RegExp(`^Circles\\.${name} @Fallback\\(\\): calls Circles\\.${name} itself.*allowed: `),
      );
      expect((outcome.error as Error).cause).toEqual(new Error('down'));
      expect(circles.runs).toBe(name === 'named' ? 22 : 11);
    },
  );

  it('is refused in a pipeline, within a call or without one', async () => {
    const app = await boot();
    const run = jest.fn(down);
    const pipeline: Pipeline = app.pipeline({
      name: 'circle',
      fallback: () => pipeline.execute(run),
    });
    for (const begin of [
      () => pipeline.execute(run),
      () => app.pipeline({ timeoutMs: 100 }).execute(() => pipeline.execute(run)),
    ]) {
      run.mockClear();
      expect(await failure(begin())).toMatchObject({ place: 'circle @Fallback()' });
      expect(run).toHaveBeenCalledTimes(11);
    }
  });

  it('is refused where it detaches the call, too', async () => {
    const app = await boot();
    const run = jest.fn(down);
    const pipeline: Pipeline = app.pipeline({
      name: 'circle',
      fallback: () => detached(() => pipeline.execute(run)),
    });
    expect(await failure(pipeline.execute(run))).toMatchObject({ place: 'circle @Fallback()' });
    expect(run).toHaveBeenCalledTimes(11);
  });

  it('is refused where nobody waits for it, too, as long as no turn of the event loop lies between', async () => {
    const app = await boot();
    const run = jest.fn(down);
    const errors: unknown[] = [];
    const pipeline: Pipeline = app.pipeline({
      fallback: () => {
        pipeline.execute(run).catch((error) => errors.push(error));
        return 'instead';
      },
    });
    expect(await pipeline.execute(run)).toBe('instead');
    await nextTurn();
    expect(run).toHaveBeenCalledTimes(11);
    await nextTurn();
    run.mockClear();
    expect(await pipeline.execute(run)).toBe('instead');
    await nextTurn();
    expect(run).toHaveBeenCalledTimes(11);
  });

  it('is refused on a handler that is synchronous', async () => {
    @Controller()
    class Items {
      runs = 0;
      @Get()
      @(Fallback(() => items.get()) as MethodDecorator) // the types know no synchronous handlers
      get(): string {
        this.runs++;
        throw new Error('down');
      }
    }
    let items: Items;
    const { app, call } = await listen(EXPRESS, { controllers: [Items] });
    items = app.get(Items);
    expect((await call('/')).status).toBe(500);
    expect(items.runs).toBe(11);
  });

  it('is let be where it ends: mirrors in turn, and any number of calls one after the other', async () => {
    const app = await boot();
    let left = 0;
    const next = () => (left-- > 0 ? pipeline.execute(down) : 'the last mirror');
    const pipeline: Pipeline = app.pipeline({ fallback: next });
    for (let call = 0; call < 50; call++) {
      left = 9;
      expect(await pipeline.execute(down)).toBe('the last mirror');
    }
    const all = Array.from({ length: 50 }, () => pipeline.execute(down));
    expect(new Set(await Promise.all(all))).toEqual(new Set(['the last mirror']));
  });

  it('is let be in what a fallback leaves behind for later, however often', async () => {
    const app = await boot();
    const run = jest.fn(down);
    const pipeline: Pipeline = app.pipeline({
      fallback: () => {
        // A refresh in the background, in the async context that Node's own timers keep.
        setTimeout(
          AsyncResource.bind(() => void pipeline.execute(run)),
          10,
        );
        return 'stale';
      },
    });
    expect(await pipeline.execute(run)).toBe('stale');
    for (let time = 0; time < 30; time++) {
      await elapse(10);
      await nextTurn();
    }
    expect(run).toHaveBeenCalledTimes(31);
  });
});

describe('What a fallback calls', () => {
  it('belongs to the caller of the call that failed', async () => {
    const app = await boot();
    const seen: unknown[] = [];
    const inner = app.pipeline({
      fallback: async () => {
        seen.push(outboundHeaders());
        return currentSignal();
      },
    });
    let signal: AbortSignal | undefined;
    const call = watch(
      app.pipeline({ timeoutMs: 100, critical: true }).execute(async () => {
        signal = (await inner.execute(down)) as AbortSignal;
        return never();
      }),
    );
    await elapse(0);
    expect(seen).toEqual([
      {
        'x-request-attempt': '1',
        'x-request-timeout-ms': '100',
        'x-request-criticality': 'critical',
      },
    ]);
    await elapse(100);
    expect(call.error).toBeInstanceOf(TimeoutError);
    expect(signal?.aborted).toBe(false); // the fallback had answered
  });

  it('ends with the call that it answers', async () => {
    const app = await boot();
    const leaving = new AbortController();
    let signal: AbortSignal | undefined;
    const innerOutcome: unknown[] = [];
    const pipeline = app.pipeline({
      fallback: async () => {
        signal = currentSignal();
        innerOutcome.push(await failure(app.pipeline({}).execute(never)));
      },
    });
    const failed = failure(pipeline.execute(down, { signal: leaving.signal }));
    await elapse(0);
    const reason = new Error('gone');
    leaving.abort(reason);
    expect(await failed).toBe(reason);
    await elapse(0);
    expect(signal?.reason).toBe(reason);
    expect(innerOutcome).toEqual([reason]);
  });

  it('fails once in the books, though its error surfaces through several calls', async () => {
    const app = await boot();
    const inner = app.pipeline({ name: 'inner' });
    const outer = app.pipeline({ name: 'outer' });
    const error = new Error('fallback');
    const middle = app.pipeline({ fallback: () => inner.execute(() => Promise.reject(error)) });
    const { total } = app.tracker.getMetrics();
    expect(await failure(outer.execute(() => middle.execute(down)))).toBe(error);
    expect(app.tracker.getMetrics().total).toBe(total + 2); // 'down', and what the fallback failed by
  });
});
