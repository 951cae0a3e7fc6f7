import { lookup } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { get } from 'node:http';
import { connect } from 'node:net';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Test } from '@nestjs/testing';
import {
  BulkheadPolicy,
  BulkheadRejectedError,
  CircuitBreakerPolicy,
  CircuitState,
  type Pipeline,
  RateLimitPolicy,
  ResilienceService,
  resilientFetch,
  type ServiceOptions,
  type StateStore,
  TimeoutError,
} from '../../lib/index.js';
import {
  ResilienceTestingModule,
  scriptedUpstream,
  type VirtualClock,
  virtualClock,
} from '../../lib/testing/index.js';
import { failure, never, watch } from '../support/resilience-app.js';

let clock: VirtualClock;
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  clock.restore();
  for (const close of closing.splice(0)) await close();
});

/** Names a pipeline of an application that is on the clock. */
async function pipelineOf(
  options: ServiceOptions & { name?: string },
  state?: StateStore & { intervalMs?: number },
): Promise<Pipeline> {
  const module = await Test.createTestingModule({
    imports: [ResilienceTestingModule.forRoot({ options: { ...(state && { state }) } })],
  }).compile();
  await module.init();
  closing.push(() => module.close());
  return module.get(ResilienceService).pipeline({ name: 'work', ...options });
}

const failing = async (): Promise<never> => {
  throw new Error('down');
};

describe('virtualClock()', () => {
  it('lets retries wait until a test lets time pass, and not a millisecond less', async () => {
    clock = virtualClock();
    const { begun, work } = counted();
    const pipeline = await pipelineOf({ retry: { delayMs: [100, 5_000] } });
    const call = watch(pipeline.execute(work));
    await clock.advance(99);
    expect(begun()).toBe(1);
    await clock.advance(1);
    expect(begun()).toBe(2);
    await clock.advance(5_000);
    expect(call.state).toBe('rejected');
    expect(clock.nowMs).toBe(5_100);
  });

  it('rings what becomes due on the way in its order, with what follows from it', async () => {
    clock = virtualClock();
    const told: string[] = [];
    const of = async (name: string, delayMs: number) => {
      const pipeline = await pipelineOf({ retry: { maxAttempts: 4, delayMs: [delayMs] } });
      void pipeline
        .execute(() => {
          told.push(`${name} ${clock.nowMs}`);
          return failing();
        })
        .catch(() => undefined);
    };
    await of('a', 30);
    await of('b', 20);
    await clock.advance(100);
    expect(told.slice(2)).toEqual(['b 20', 'a 30', 'b 40', 'a 60', 'b 60', 'a 90']);
  });

  it('cuts attempts and calls by their timeouts, and hedges', async () => {
    clock = virtualClock();
    const cut = watch((await pipelineOf({ timeoutMs: 500 })).execute(never));
    const total = watch((await pipelineOf({ totalTimeoutMs: 700 })).execute(never));
    const { begun, work } = counted(never);
    void (await pipelineOf({ hedge: { delayMs: 200 } })).execute(work);
    await clock.advance(199);
    expect(begun()).toBe(1);
    await clock.advance(1);
    expect(begun()).toBe(2);
    await clock.advance(299);
    expect(cut.state).toBe('pending');
    await clock.advance(1);
    expect(cut.error).toBeInstanceOf(TimeoutError);
    expect(total.state).toBe('pending');
    await clock.advance(200);
    expect(total.error).toBeInstanceOf(TimeoutError);
  });

  it('opens breakers again, and empties their windows', async () => {
    clock = virtualClock();
    const breaker = new CircuitBreakerPolicy('b', {
      failureThreshold: 2,
      windowMs: 1_000,
      timeoutMs: 30_000,
    });
    await failure(breaker.execute(failing));
    await clock.advance(1_100);
    await failure(breaker.execute(failing));
    expect(breaker.getState()).toBe(CircuitState.CLOSED);
    await failure(breaker.execute(failing));
    expect(breaker.getState()).toBe(CircuitState.OPEN);
    await clock.advance(29_999);
    await failure(breaker.execute(async () => 'too early'));
    await clock.advance(1);
    expect(await breaker.execute(async () => 'a probe')).toBe('a probe');
  });

  it('fills rate limits up, and throws out who waits too long for a bulkhead', async () => {
    clock = virtualClock();
    const rateLimit = new RateLimitPolicy('r', { limit: 1, intervalMs: 10_000, maxWaitMs: 10_000 });
    await rateLimit.execute(async () => 'first');
    const second = watch(rateLimit.execute(async () => 'second'));
    await clock.advance(9_999);
    expect(second.state).toBe('pending');
    await clock.advance(1);
    expect(second.value).toBe('second');
    const bulkhead = new BulkheadPolicy('b', { maxConcurrent: 1, queueTimeoutMs: 5_000 });
    void bulkhead.execute(never);
    const queued = watch(bulkhead.execute(async () => 'never begun'));
    await clock.advance(5_000);
    expect(queued.error).toBeInstanceOf(BulkheadRejectedError);
  });

  it('makes last good answers older, up to maxAgeMs', async () => {
    clock = virtualClock();
    let works = true;
    const pipeline = await pipelineOf({
      fallback: { lastGood: { maxAgeMs: 60_000, key: () => 'one' } },
    } as never);
    const call = () => pipeline.execute(async () => (works ? 'fresh' : failing()));
    expect(await call()).toBe('fresh');
    works = false;
    await clock.advance(59_000);
    expect(await call()).toBe('fresh');
    await clock.advance(1_001);
    expect(await failure(call())).toEqual(new Error('down'));
  });

  it('makes what was saved older by its own date', async () => {
    clock = virtualClock();
    let saved: string | undefined;
    const store = {
      load: async () => undefined,
      save: async (document: string) => {
        saved = document;
      },
      intervalMs: 1_000,
    };
    const pipeline = await pipelineOf({ circuitBreaker: { failureThreshold: 1 } }, store as never);
    const realMs = Date.now();
    await failure(pipeline.execute(failing));
    await clock.advance(3_600_000);
    expect(saved).toBeDefined();
    const { savedAt } = JSON.parse(saved as string) as { savedAt: number };
    expect(new Date(savedAt).getTime() - realMs).toBeGreaterThan(900);
    expect(Date.now() - realMs).toBeLessThan(3_000_000); // of which nobody else knows
  });

  it('leaves the timers and dates of other code real', async () => {
    const { setTimeout: real, Date: RealDate, performance: realPerformance } = globalThis;
    clock = virtualClock();
    expect(globalThis.setTimeout).toBe(real);
    expect(globalThis.Date).toBe(RealDate);
    expect(globalThis.performance).toBe(realPerformance);
    await new Promise((resolve) => setTimeout(resolve, 1));
    expect(clock.nowMs).toBe(0);
  });

  it('gives what waits back to the real clock', async () => {
    clock = virtualClock();
    const pipeline = await pipelineOf({ retry: { maxAttempts: 2, delayMs: [10] } });
    const answer = failure(pipeline.execute(failing));
    await clock.advance(5);
    clock.restore();
    expect(await answer).toEqual(new Error('down'));
  });

  it('lets nobody wait for no time at all', async () => {
    clock = virtualClock();
    const pipeline = await pipelineOf({ retry: { maxAttempts: 3, delayMs: [0] } });
    expect(await failure(pipeline.execute(failing))).toEqual(new Error('down'));
    expect(clock.nowMs).toBe(0);
  });

  it.each<[string, (upstream: string) => Promise<unknown>]>([
    ['immediates', () => new Promise(setImmediate)],
    ['files', () => readFile('package.json', 'latin1')],
    ['look-ups of hosts', () => lookup('localhost')],
    ['connections', connected],
    ['answers of servers', answered],
  ])('waits for %s that need no time, one after the other', async (_what, once) => {
    const upstream = await scriptedUpstream();
    closing.push(() => upstream.close());
    upstream.reply('GET /', { body: 'done' });
    clock = virtualClock();
    const pipeline = await pipelineOf({
      timeoutMs: 900,
      retry: { maxAttempts: 2, delayMs: [1_000] },
    });
    const { begun, work } = counted(async () => {
      for (let time = 0; time < 40; time++) await once(upstream.url);
      throw new Error('down');
    });
    const call = watch(pipeline.execute(work));
    await clock.advance(1_000);
    expect([begun(), call.state, String(call.error)]).toEqual([2, 'rejected', 'Error: down']);
  });

  it.each(['FSReqCallback', 'FSReqPromise', 'GetAddrInfoReqWrap', 'TCPConnectWrap'])(
    'waits while there is a %s, however many turns it takes',
    async (kind) => {
      const resources = jest.spyOn(process, 'getActiveResourcesInfo');
      clock = virtualClock();
      let asked = 0;
      const call = watch(
        new Promise<string>((resolve) => {
          resources.mockImplementation(() => {
            if (++asked === 50) resolve('ended');
            return asked < 50 ? [kind] : [];
          });
        }),
      );
      await clock.advance(0);
      resources.mockRestore();
      expect(call.value).toBe('ended');
    },
  );

  it('lets a slow upstream be slow by it', async () => {
    const upstream = await scriptedUpstream();
    closing.push(() => upstream.close());
    upstream.reply('GET /', { delayMs: 500, body: 'slow' });
    clock = virtualClock();
    const pipeline = await pipelineOf({ timeoutMs: 600 });
    const call = watch(pipeline.execute(async () => (await resilientFetch(upstream.url)).text()));
    await clock.advance(499);
    expect(call.state).toBe('pending');
    await clock.advance(1);
    expect(call.value).toBe('slow');
  });

  it('may be advanced by what a timer has begun, which goes on when the time before is over', async () => {
    clock = virtualClock();
    const told: number[] = [];
    const pipeline = await pipelineOf({ retry: { maxAttempts: 3, delayMs: [100] } });
    const call = watch(
      pipeline.execute(async () => {
        told.push(clock.nowMs);
        await clock.advance(50);
        throw new Error('down');
      }),
    );
    await clock.advance(100);
    await clock.advance(500);
    await clock.advance(0);
    expect([call.state, told]).toEqual(['rejected', [0, 150, 300]]);
  });

  it('goes on beside fake timers, which take the timers of other code', async () => {
    clock = virtualClock();
    const { begun, work } = counted();
    const pipeline = await pipelineOf({ retry: { maxAttempts: 2, delayMs: [100] } });
    jest.useFakeTimers();
    try {
      const call = watch(pipeline.execute(work));
      await clock.advance(100);
      expect([begun(), call.state]).toEqual([2, 'rejected']);
    } finally {
      jest.useRealTimers();
    }
  });

  it('says where the one was made that is in force', () => {
    clock = virtualClock();
    expect(() => virtualClock()).toThrow(
      /which was made at .*virtual-clock\.test\.[\s\S]*using clock = virtualClock\(\)/,
    );
  });

  it('refuses a second one, and a time that is none', async () => {
    clock = virtualClock();
    expect(() => virtualClock()).toThrow('restore() the one before');
    for (const wrong of [-1, Number.NaN, Number.POSITIVE_INFINITY, '5' as never])
      expect(() => clock.advance(wrong)).toThrow(
        `is given ${inspect(wrong)}; allowed: a number of ms from 0`,
      );
    clock.restore();
    virtualClock().restore();
  });
});

/** Ends the connection by a reset, as forty that end in peace would leave ports behind. */
function connected(url: string): Promise<void> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  return new Promise((resolve, reject) => {
    socket.once('error', reject).once('connect', () => {
      socket.resetAndDestroy();
      resolve();
    });
  });
}

function answered(url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    get(url, (answer) => answer.resume().once('end', resolve)).once('error', reject);
  });
}

function counted(run: () => Promise<never> = failing) {
  let begun = 0;
  return {
    begun: () => begun,
    work: () => {
      begun++;
      return run();
    },
  };
}
