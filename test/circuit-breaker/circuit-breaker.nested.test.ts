import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { firstValueFrom, Observable } from 'rxjs';
import {
  CircuitBreaker,
  type CircuitBreakerOptions,
  CircuitBreakerPolicy,
  CircuitState,
  detached,
  type ServiceOptions,
} from '../../lib/index.js';
import { booting, Deferred, elapse, failure, flush, never } from '../support/resilience-app.js';

const boot = booting();
const OPTIONS: CircuitBreakerOptions = {
  failureThreshold: 5,
  successThreshold: 1,
  halfOpenMaxCalls: 1,
  timeoutMs: 1_000,
};

type Fn<T> = () => Promise<T>;
type Through = <T>(fn: Fn<T>) => Promise<T>;

/** Two levels through one breaker, each by itself or in a pipeline. */
async function levels(outerKind: string, innerKind: string, more: ServiceOptions = {}) {
  const app = await boot({ breakers: { payments: OPTIONS } });
  const breaker = app.breakers.get('payments');
  const through = (kind: string, name: string): Through => {
    if (kind === 'alone') return (fn) => breaker.execute(fn);
    const pipeline = app.pipeline({
      ...(name === 'outer' ? more : {}),
      name,
      circuitBreaker: 'payments',
    });
    return (fn) => pipeline.execute(fn);
  };
  return { app, breaker, outer: through(outerKind, 'outer'), inner: through(innerKind, 'inner') };
}

const failing =
  (error: unknown = new Error('down')) =>
  () =>
    Promise.reject(error);
const answering = async () => 'answer';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

const PAIRS = [
  ['alone', 'alone'],
  ['alone', 'pipeline'],
  ['pipeline', 'alone'],
  ['pipeline', 'pipeline'],
] as const;

describe.each(PAIRS)(
  'a call inside a call through the same breaker (%s, %s)',
  (outside, inside) => {
    it('fails once: one failure of one dependency', async () => {
      const { breaker, outer, inner } = await levels(outside, inside);
      const error = new Error('down');
      expect(await failure(outer(() => inner(failing(error))))).toBe(error);
      expect(breaker.getSnapshot()).toMatchObject({ calls: 1, failures: 1 });
    });

    it('fails once also where the failure is wrapped on its way', async () => {
      const { breaker, outer, inner } = await levels(outside, inside);
      const wrapped = () =>
        inner(failing()).catch((cause: unknown) => {
          throw new Error('the charge failed', { cause });
        });
      await failure(outer(wrapped));
      expect(breaker.getSnapshot()).toMatchObject({ calls: 1, failures: 1 });
    });

    it('goes well once', async () => {
      const { breaker, outer, inner } = await levels(outside, inside);
      expect(await outer(() => inner(answering))).toBe('answer');
      expect(breaker.getSnapshot()).toMatchObject({ calls: 1, failures: 0 });
    });

    it('counts where the outer one makes up for it', async () => {
      const { breaker, outer, inner } = await levels(outside, inside);
      expect(await outer(() => inner(failing()).catch(() => 'made up'))).toBe('made up');
      expect(breaker.getSnapshot()).toMatchObject({ calls: 1, failures: 1 });
    });

    it('counts each of several: those are several failures, and the outer one is none of its own', async () => {
      const { breaker, outer, inner } = await levels(outside, inside);
      await failure(
        outer(() => Promise.all([inner(failing()), inner(failing()), inner(answering)])),
      );
      await flush();
      expect(breaker.getSnapshot()).toMatchObject({ calls: 3, failures: 2 });
    });

    it('is beside what the outer one fails by itself', async () => {
      const { breaker, outer, inner } = await levels(outside, inside);
      const both = async () => {
        await inner(answering);
        throw new Error('another failure');
      };
      await failure(outer(both));
      expect(breaker.getSnapshot()).toMatchObject({ calls: 2, failures: 1 });
    });

    it('is beside what the outer one fails by itself, be it nothing', async () => {
      const { breaker, outer, inner } = await levels(outside, inside);
      const both = async () => {
        await inner(answering);
        throw undefined;
      };
      await failure(outer(both));
      expect(breaker.getSnapshot()).toMatchObject({ calls: 2, failures: 1 });
    });

    it('is one with the call around it also where it is detached', async () => {
      const { breaker, outer, inner } = await levels(outside, inside);
      await failure(outer(() => detached(() => inner(failing()))));
      expect(breaker.getSnapshot()).toMatchObject({ calls: 1, failures: 1 });
      for (let call = 0; call < 4; call++) await failure(breaker.execute(failing()));
      await elapse(1_000);
      expect(await outer(() => detached(() => inner(answering)))).toBe('answer');
      expect(breaker.getState()).toBe(CircuitState.CLOSED);
    });

    it('opens the breaker by as many failing calls as calls by themselves do', async () => {
      const { breaker, outer, inner } = await levels(outside, inside);
      for (let call = 1; call < 5; call++) await failure(outer(() => inner(failing())));
      expect(breaker.getState()).toBe(CircuitState.CLOSED);
      await failure(outer(() => inner(failing())));
      expect(breaker.getState()).toBe(CircuitState.OPEN);
    });

    it('is part of the probe half-open: it needs no permit, and the breaker closes', async () => {
      const { breaker, outer, inner } = await levels(outside, inside);
      for (let call = 0; call < 5; call++) await failure(breaker.execute(failing()));
      await elapse(1_000);
      const all = async () => {
        await elapse(1);
        await Promise.all([inner(answering), inner(answering)]);
        return inner(answering);
      };
      expect(await outer(all)).toBe('answer');
      expect(breaker.getState()).toBe(CircuitState.CLOSED);
    });

    it('is judged by what the probe comes to', async () => {
      const { breaker, outer, inner } = await levels(outside, inside);
      for (let call = 0; call < 5; call++) await failure(breaker.execute(failing()));
      await elapse(1_000);
      const held = new Deferred<string>();
      const probe = outer(() => inner(failing()).catch(() => held.promise));
      await flush();
      expect(breaker.getState()).toBe(CircuitState.HALF_OPEN);
      held.resolve('made up');
      await probe;
      expect(breaker.getState()).toBe(CircuitState.CLOSED);
    });

    it('fails the probe once, by the failure that passes through', async () => {
      const { breaker, outer, inner } = await levels(outside, inside);
      for (let call = 0; call < 5; call++) await failure(breaker.execute(failing()));
      await elapse(1_000);
      const error = new Error('still down');
      await failure(outer(() => inner(failing(error))));
      expect(breaker.getState()).toBe(CircuitState.OPEN);
      expect(breaker.getCause()).toBe(error);
      expect(breaker.getSnapshot()).toMatchObject({ calls: 1, failures: 1 });
    });

    it('is rejected where somebody forced the breaker open since', async () => {
      const { breaker, outer, inner } = await levels(outside, inside);
      const call = outer(async () => {
        breaker.forceOpen();
        return inner(answering);
      });
      expect(await failure(call)).toMatchObject({ code: 'CIRCUIT_OPEN' });
    });
  },
);

describe('calls through one breaker', () => {
  it('that only overlap are each counted, also where they fail by one and the same error', async () => {
    const breaker = new CircuitBreakerPolicy('payments', OPTIONS);
    const constant = new Error('constant');
    const works = [new Deferred(), new Deferred(), new Deferred()];
    const calls = works.map(({ promise }) => failure(breaker.execute(() => promise)));
    for (const work of works.reverse()) {
      work.reject(constant);
      await flush();
    }
    await Promise.all(calls);
    expect(breaker.getSnapshot()).toMatchObject({ calls: 3, failures: 3 });
  });

  it.each(PAIRS.slice(2))('(%s, %s) are cut once by one deadline', async (outside, inside) => {
    const { breaker, outer, inner } = await levels(outside, inside, { timeoutMs: 100 });
    const call = failure(outer(() => Promise.all([inner(never), inner(never)])));
    await elapse(100);
    expect(await call).toMatchObject({ code: 'TIMEOUT' });
    expect(breaker.getSnapshot()).toMatchObject({ calls: 1, failures: 1 });
  });

  it.each(PAIRS)('(%s, %s) are cut once by a deadline around both', async (outside, inside) => {
    const { app, breaker, outer, inner } = await levels(outside, inside);
    const around = app.pipeline({ name: 'around', timeoutMs: 100 });
    const call = failure(around.execute(() => outer(() => inner(never))));
    await elapse(100);
    expect(await call).toMatchObject({ code: 'TIMEOUT' });
    expect(breaker.getSnapshot()).toMatchObject({ calls: 1, failures: 1 });
  });

  it('beside one another are each cut by a deadline around them', async () => {
    const { app, breaker, inner } = await levels('alone', 'alone');
    const around = app.pipeline({ name: 'around', timeoutMs: 100 });
    const call = failure(around.execute(() => Promise.all([inner(never), inner(never)])));
    await elapse(100);
    await call;
    expect(breaker.getSnapshot()).toMatchObject({ calls: 2, failures: 2 });
  });

  it('are each counted where the outer one retries', async () => {
    const retry = { maxAttempts: 3, baseDelayMs: 10, jitter: 'none' } as const;
    const { breaker, outer, inner } = await levels('pipeline', 'pipeline', { retry });
    const call = failure(outer(() => inner(failing())));
    await elapse(100);
    await call;
    expect(breaker.getSnapshot()).toMatchObject({ calls: 3, failures: 3 });
  });

  it('count once through three levels', async () => {
    const { app, breaker, outer, inner } = await levels('pipeline', 'alone');
    const middle = app.pipeline({ name: 'middle', circuitBreaker: 'payments' });
    await failure(outer(() => middle.execute(() => inner(failing()))));
    await outer(() => middle.execute(() => inner(answering)));
    expect(breaker.getSnapshot()).toMatchObject({ calls: 2, failures: 1 });
  });

  it('go on to be counted each where the inner one outlives the outer', async () => {
    const { breaker, outer, inner } = await levels('pipeline', 'pipeline');
    const work = new Deferred();
    let late: Promise<unknown> | undefined;
    await outer(async () => {
      late = failure(inner(() => work.promise));
      return 'answer';
    });
    work.reject(new Error('late'));
    await late;
    expect(breaker.getSnapshot()).toMatchObject({ calls: 2, failures: 1 });
  });

  it('are each counted also where the inner one outlives an outer one that was cut', async () => {
    const { app, breaker } = await levels('pipeline', 'pipeline');
    const through = (name: string) =>
      app.pipeline({ name, circuitBreaker: 'payments', timeoutMs: 50 });
    const [outer, inner] = [through('slow'), through('later')];
    let late: Promise<unknown> | undefined;
    const call = failure(
      outer.execute(async () => {
        await new Promise((resolve) => setTimeout(resolve, 100));
        late = failure(inner.execute(never));
      }),
    );
    await elapse(150);
    expect(await call).toMatchObject({ code: 'TIMEOUT', operation: 'slow' });
    expect(await late).toMatchObject({ code: 'TIMEOUT', operation: 'later' });
    expect(breaker.getSnapshot()).toMatchObject({ calls: 2, failures: 2 });
  });

  @Injectable()
  class Shop {
    @CircuitBreaker('payments')
    async charge(): Promise<string> {
      return this.send(() => Promise.reject(new Error('down')));
    }

    @CircuitBreaker('payments')
    async send(fn: () => Promise<string>): Promise<string> {
      return fn();
    }

    @CircuitBreaker('payments')
    stream(): Observable<string> {
      return new Observable((subscriber) => {
        this.charge().then(
          (value) => subscriber.next(value),
          (error: unknown) => subscriber.error(error),
        );
      });
    }

    @CircuitBreaker('payments')
    async *generate(): AsyncGenerator<string> {
      yield await this.charge();
    }
  }

  it.each([
    ['methods', (shop: Shop) => shop.charge()],
    ['streams', (shop: Shop) => firstValueFrom(shop.stream())],
    ['generators', (shop: Shop) => shop.generate().next()],
  ])('that are %s calling one another by `this` count once', async (_, call) => {
    const app = await boot({ breakers: { payments: OPTIONS } }, [Shop]);
    await failure(call(app.module.get(Shop)));
    expect(app.breakers.get('payments').getSnapshot()).toMatchObject({ calls: 1, failures: 1 });
  });
});
