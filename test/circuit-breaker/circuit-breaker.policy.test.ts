import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { BadRequestException, HttpException } from '@nestjs/common';
import { ResilienceRuntime } from '../../lib/binding/runtime.js';
import {
  type AttemptContext,
  BulkheadRejectedError,
  CircuitBreakerOpenError,
  type CircuitBreakerOptions,
  CircuitBreakerPolicy,
  CircuitState,
  TimeoutError,
} from '../../lib/index.js';
import { stageHost } from '../support/stage-host.js';

/** S: success, F: failure, C: client error, OPEN: rejected without calling. */
type Outcome = 'S' | 'F' | 'C' | 'OPEN';

let calls = 0; // how often the protected method really ran

function method(kind: string, durationMs = 0): () => Promise<string> {
  return async () => {
    calls++;
    if (durationMs > 0) await new Promise((resolve) => setTimeout(resolve, durationMs));
    if (kind === 'F') throw new Error('failure');
    if (kind === 'C') throw new BadRequestException();
    return 'value';
  };
}

async function call(breaker: CircuitBreakerPolicy, kind: string, durationMs = 0): Promise<Outcome> {
  const pending = breaker.execute(method(kind, durationMs)).then(
    (): Outcome => 'S',
    (error): Outcome => {
      if (error instanceof CircuitBreakerOpenError) return 'OPEN';
      return error instanceof BadRequestException ? 'C' : 'F';
    },
  );
  if (durationMs > 0) await jest.advanceTimersByTimeAsync(durationMs);
  return pending;
}

/** `script('SFF')` makes three calls, one after the other. */
async function script(breaker: CircuitBreakerPolicy, kinds: string): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const kind of kinds) outcomes.push(await call(breaker, kind));
  return outcomes;
}

async function rejectionOf(breaker: CircuitBreakerPolicy): Promise<CircuitBreakerOpenError> {
  const error = await breaker.execute(async () => undefined).catch((thrown: unknown) => thrown);
  if (!(error instanceof CircuitBreakerOpenError)) throw new Error('it let the call through');
  return error;
}

/** A call that ends when the test says so. */
function heldCall(breaker: CircuitBreakerPolicy) {
  let succeed!: () => void;
  let fail!: (error: unknown) => void;
  let ran = false;
  const result = breaker
    .execute(() => {
      ran = true;
      return new Promise<string>((resolve, reject) => {
        succeed = () => resolve('value');
        fail = reject;
      });
    })
    .then(
      () => 'S',
      (error) => (error instanceof CircuitBreakerOpenError ? 'OPEN' : 'F'),
    );
  return {
    ran: () => ran,
    result,
    succeed: () => {
      succeed();
      return result;
    },
    fail: (error: unknown = new Error('late')) => {
      fail(error);
      return result;
    },
  };
}

const advance = (ms: number) => jest.advanceTimersByTimeAsync(ms);
const make = (options: CircuitBreakerOptions = {}) => new CircuitBreakerPolicy('payments', options);

/** An open breaker, whose `timeoutMs` is 1000 unless the options say otherwise. */
async function opened(options: CircuitBreakerOptions = {}): Promise<CircuitBreakerPolicy> {
  const breaker = make({ failureThreshold: 1, timeoutMs: 1_000, ...options });
  await call(breaker, 'F');
  expect(breaker.getState()).toBe(CircuitState.OPEN);
  return breaker;
}

/** One whose next call is a probe. */
async function recovering(options: CircuitBreakerOptions = {}): Promise<CircuitBreakerPolicy> {
  const breaker = await opened(options);
  await advance(options.timeoutMs ?? 1_000);
  return breaker;
}

beforeEach(() => {
  calls = 0;
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

describe('the sixteen rules of behaviour', () => {
  it('1: of seven failing calls four run at 75 % of a window of four, then it rejects', async () => {
    const breaker = make({ windowCalls: 4, minimumCalls: 4, failureRateThreshold: 75 });
    expect(await script(breaker, 'FFFFFFF')).toEqual(['F', 'F', 'F', 'F', 'OPEN', 'OPEN', 'OPEN']);
    expect(calls).toBe(4);
  });

  it('2: S, F, F, S opens at 50 % on the fourth call, not on the third', async () => {
    const breaker = make({ windowCalls: 4, minimumCalls: 4, failureRateThreshold: 50 });
    await script(breaker, 'SFF');
    expect(breaker.getState()).toBe(CircuitState.CLOSED);
    await call(breaker, 'S'); // a success completes the minimum, and is judged too
    expect(breaker.getState()).toBe(CircuitState.OPEN);
    expect(await call(breaker, 'S')).toBe('OPEN');
  });

  it('3: S, S, F, S, F opens on the fifth call, because the window rolls', async () => {
    const breaker = make({ windowCalls: 4, minimumCalls: 4, failureRateThreshold: 50 });
    await script(breaker, 'SSFS');
    expect(breaker.getState()).toBe(CircuitState.CLOSED);
    await call(breaker, 'F');
    expect(breaker.getState()).toBe(CircuitState.OPEN);
  });

  it('4: S, F, F, F opens at 75 %, and the fifth call is rejected', async () => {
    const breaker = make({ windowCalls: 4, minimumCalls: 4, failureRateThreshold: 75 });
    expect(await script(breaker, 'SFFFS')).toEqual(['S', 'F', 'F', 'F', 'OPEN']);
  });

  it('5: opens only when three failures lie within the window of 1000 ms', async () => {
    const breaker = make({ failureThreshold: 3, windowMs: 1_000 });
    await call(breaker, 'F');
    await advance(400);
    await call(breaker, 'F');
    await advance(700);
    await call(breaker, 'F');
    expect(breaker.getState()).toBe(CircuitState.CLOSED);
    await advance(200);
    await call(breaker, 'F'); // 400, 1100, 1300
    expect(breaker.getState()).toBe(CircuitState.OPEN);
  });

  it('6: two successful probes close it with an empty window', async () => {
    const breaker = make({ failureThreshold: 3, successThreshold: 2, timeoutMs: 1_000 });
    await script(breaker, 'FFF');
    await advance(1_000);
    await call(breaker, 'S');
    expect(breaker.getState()).toBe(CircuitState.HALF_OPEN);
    await call(breaker, 'S');
    expect(breaker.getState()).toBe(CircuitState.CLOSED);
    expect(breaker.getSnapshot()).toMatchObject({ failures: 0, successes: 0, calls: 0 });
    await script(breaker, 'FF');
    expect(breaker.getState()).toBe(CircuitState.CLOSED);
    await call(breaker, 'F');
    expect(breaker.getState()).toBe(CircuitState.OPEN);
  });

  it('6: a window of calls is empty after recovery too', async () => {
    const breaker = make({
      windowCalls: 4,
      minimumCalls: 4,
      failureRateThreshold: 50,
      successThreshold: 1,
      timeoutMs: 1_000,
    });
    await script(breaker, 'FFFF');
    await advance(1_000);
    expect(await script(breaker, 'SFFF')).toEqual(['S', 'F', 'F', 'F']);
    expect(breaker.getState()).toBe(CircuitState.CLOSED);
    await call(breaker, 'F');
    expect(breaker.getState()).toBe(CircuitState.OPEN);
  });

  it('7: one failed probe after two good ones opens it again for a whole timeoutMs', async () => {
    const breaker = await recovering({ successThreshold: 3 });
    expect(await script(breaker, 'SSFS')).toEqual(['S', 'S', 'F', 'OPEN']);
    await advance(999);
    expect(await call(breaker, 'S')).toBe('OPEN');
    await advance(1);
    expect(await script(breaker, 'SS')).toEqual(['S', 'S']);
    expect(breaker.getState()).toBe(CircuitState.HALF_OPEN); // the earlier successes do not count on
    await call(breaker, 'S');
    expect(breaker.getState()).toBe(CircuitState.CLOSED);
  });

  it('8: of 200 concurrent calls while half-open two run and 198 are rejected', async () => {
    const breaker = await recovering({ halfOpenMaxCalls: 2 });
    const crowd = Array.from({ length: 200 }, () => heldCall(breaker));
    const admitted = crowd.filter((each) => each.ran());
    expect(admitted).toHaveLength(2);
    for (const each of admitted) await each.succeed();
    const results = await Promise.all(crowd.map((each) => each.result));
    expect(results.filter((result) => result === 'OPEN')).toHaveLength(198);
  });

  it('9: client errors are not counted', async () => {
    const breaker = make({ failureThreshold: 1, failureRateThreshold: 1, minimumCalls: 1 });
    expect(await script(breaker, 'CCCCC')).toEqual(['C', 'C', 'C', 'C', 'C']);
    expect(breaker.getSnapshot()).toMatchObject({ state: CircuitState.CLOSED, calls: 0 });
  });

  it('9: half-open, a client error is a good probe: the dependency answers', async () => {
    const breaker = await recovering({ halfOpenMaxCalls: 1, successThreshold: 2 });
    expect(await script(breaker, 'C')).toEqual(['C']);
    expect(breaker.getState()).toBe(CircuitState.HALF_OPEN);
    expect(await script(breaker, 'C')).toEqual(['C']);
    expect(breaker.getSnapshot()).toMatchObject({ state: CircuitState.CLOSED, calls: 0 });
  });

  it.each(['S', 'F'] as const)(
    '10: a call that began closed changes nothing while open or half-open (%s)',
    async (kind) => {
      const breaker = make({ failureThreshold: 1, successThreshold: 1, timeoutMs: 1_000 });
      const [early, late] = [heldCall(breaker), heldCall(breaker)];
      const end = (held: typeof early) => (kind === 'S' ? held.succeed() : held.fail());
      await call(breaker, 'F');
      const before = breaker.getSnapshot();
      await end(early);
      expect(breaker.getSnapshot()).toEqual(before);
      await advance(1_000);
      const probe = heldCall(breaker);
      await end(late);
      expect(breaker.getSnapshot()).toMatchObject({ state: CircuitState.HALF_OPEN, calls: 0 });
      await probe.succeed();
      expect(breaker.getState()).toBe(CircuitState.CLOSED);
    },
  );

  it('10: a call that began closed does not touch the window of the next closed time', async () => {
    const breaker = make({ failureThreshold: 1, successThreshold: 1, timeoutMs: 1_000 });
    const held = [heldCall(breaker), heldCall(breaker)];
    await call(breaker, 'F');
    await advance(1_000);
    await call(breaker, 'S');
    await held[0]?.fail();
    await held[1]?.succeed();
    expect(breaker.getSnapshot()).toMatchObject({ state: CircuitState.CLOSED, calls: 0 });
  });

  it('10: a probe of an earlier half-open time does not count in a later one', async () => {
    const breaker = await recovering({ successThreshold: 2, halfOpenMaxCalls: 3 });
    const [first, second] = [heldCall(breaker), heldCall(breaker)];
    await call(breaker, 'F'); // the third probe opens it again
    await first.succeed();
    expect(breaker.getState()).toBe(CircuitState.OPEN);
    await advance(1_000);
    await call(breaker, 'S');
    await second.fail();
    expect(breaker.getState()).toBe(CircuitState.HALF_OPEN);
    await call(breaker, 'S');
    expect(breaker.getState()).toBe(CircuitState.CLOSED);
  });

  it('11: another timeoutMs after a probe that never settles a new one is admitted', async () => {
    const breaker = await recovering({ halfOpenMaxCalls: 1, successThreshold: 1 });
    const hung = heldCall(breaker);
    await advance(999);
    expect(await call(breaker, 'S')).toBe('OPEN');
    await advance(1);
    expect(hung.ran()).toBe(true);
    expect(await call(breaker, 'S')).toBe('S');
    expect(breaker.getState()).toBe(CircuitState.CLOSED);
  });

  it('11: a hung probe makes room for one probe, and each further one hangs on its own time', async () => {
    const breaker = await recovering({ halfOpenMaxCalls: 1 });
    for (let round = 0; round < 3; round++) {
      const hung = heldCall(breaker);
      expect(hung.ran()).toBe(true);
      expect(await call(breaker, 'S')).toBe('OPEN');
      await advance(1_000);
    }
  });

  it('12: the rejection says when to come back, falling from timeoutMs to 0', async () => {
    const breaker = await opened({ halfOpenMaxCalls: 1 });
    expect((await rejectionOf(breaker)).retryAfterMs).toBe(1_000);
    await advance(400);
    expect((await rejectionOf(breaker)).retryAfterMs).toBe(600);
    await advance(599);
    expect((await rejectionOf(breaker)).retryAfterMs).toBe(1);
    await advance(1);
    heldCall(breaker);
    expect((await rejectionOf(breaker)).retryAfterMs).toBe(0);
  });

  it('13: forceOpen() rejects everything until reset(), however long that takes', async () => {
    const breaker = make({ timeoutMs: 1_000 });
    breaker.forceOpen();
    expect(breaker.getState()).toBe(CircuitState.FORCED_OPEN);
    await advance(100_000);
    expect(await script(breaker, 'SS')).toEqual(['OPEN', 'OPEN']);
    expect(calls).toBe(0);
    breaker.reset();
    expect(await call(breaker, 'S')).toBe('S');
    expect(breaker.getState()).toBe(CircuitState.CLOSED);
  });

  it('13: disable() lets everything through and counts nothing until reset()', async () => {
    const breaker = make({ failureThreshold: 2, timeoutMs: 1_000 });
    await call(breaker, 'F');
    breaker.disable();
    expect(await script(breaker, 'FFFF')).toEqual(['F', 'F', 'F', 'F']);
    await advance(100_000);
    await call(breaker, 'F');
    expect(breaker.getSnapshot()).toMatchObject({ state: CircuitState.DISABLED, calls: 0 });
    breaker.reset();
    await call(breaker, 'F');
    expect(breaker.getState()).toBe(CircuitState.CLOSED); // the one before disable() is forgotten
  });

  it('13: what began disabled or forced open does not count after reset()', async () => {
    const breaker = make({ failureThreshold: 1 });
    breaker.disable();
    const held = heldCall(breaker);
    breaker.reset();
    await held.fail();
    expect(breaker.getSnapshot()).toMatchObject({ state: CircuitState.CLOSED, calls: 0 });
  });

  it('14: two slow successes among four calls open it at 50 %', async () => {
    const breaker = make({
      slowCallDurationMs: 100,
      slowCallRateThreshold: 50,
      minimumCalls: 4,
    });
    await call(breaker, 'S', 150);
    await call(breaker, 'S', 10);
    await call(breaker, 'S', 150);
    expect(breaker.getSnapshot()).toMatchObject({ state: CircuitState.CLOSED, failures: 0 });
    await call(breaker, 'S', 10);
    expect(breaker.getSnapshot()).toMatchObject({ state: CircuitState.OPEN, slowCallRate: 50 });
  });

  it.each([3_600_000, -3_600_000])(
    '15: a wall clock that jumps by %d ms changes nothing',
    async (jump) => {
      const breaker = await opened();
      await advance(500);
      jest.setSystemTime(Date.now() + jump);
      expect((await rejectionOf(breaker)).retryAfterMs).toBe(500);
      await advance(499);
      expect(await call(breaker, 'S')).toBe('OPEN');
      await advance(1);
      expect(await call(breaker, 'S')).toBe('S');
    },
  );

  it.each([3_600_000, -3_600_000])(
    '15: nor does it empty or freeze the window (%d ms)',
    async (jump) => {
      const breaker = make({ failureThreshold: 2, windowMs: 1_000 });
      await call(breaker, 'F');
      await advance(999);
      jest.setSystemTime(Date.now() + jump);
      await call(breaker, 'F');
      expect(breaker.getState()).toBe(CircuitState.OPEN);
      breaker.reset();
      await call(breaker, 'F');
      jest.setSystemTime(Date.now() - jump);
      await advance(1_000);
      await call(breaker, 'F');
      expect(breaker.getState()).toBe(CircuitState.CLOSED);
    },
  );

  it('16: 200 concurrent failing calls open it exactly once', async () => {
    const transitions: string[] = [];
    const breaker = new CircuitBreakerPolicy(
      'payments',
      { failureThreshold: 5 },
      stageHost(({ type, from, to }) => {
        if (type === 'circuit-state') transitions.push(`${from}→${to}`);
      }),
    );
    const crowd = Array.from({ length: 200 }, () => heldCall(breaker));
    await Promise.all(crowd.map((each) => each.fail()));
    expect(transitions).toEqual(['CLOSED→OPEN']);
    expect(breaker.getSnapshot().failures).toBe(5);
  });
});

describe('when it opens', () => {
  it('opens by default at the fifth failure within 30 s', async () => {
    const breaker = make();
    await call(breaker, 'F');
    await advance(30_000);
    await script(breaker, 'FFFF');
    expect(breaker.getState()).toBe(CircuitState.CLOSED);
    await call(breaker, 'F');
    expect(breaker.getState()).toBe(CircuitState.OPEN);
    await advance(59_999);
    expect(await call(breaker, 'S')).toBe('OPEN');
    await advance(1);
    expect(await script(breaker, 'SS')).toEqual(['S', 'S']);
    expect(breaker.getState()).toBe(CircuitState.CLOSED);
  });

  it('is not closed by successes between the failures: they need not be consecutive', async () => {
    const breaker = make({ failureThreshold: 3 });
    await script(breaker, 'FSSFSSF');
    expect(breaker.getState()).toBe(CircuitState.OPEN);
  });

  it('counts failures among the last calls where the window is one of calls', async () => {
    const breaker = make({ failureThreshold: 2, windowCalls: 3 });
    await script(breaker, 'FSSFSS');
    expect(breaker.getState()).toBe(CircuitState.CLOSED);
    await script(breaker, 'FSF');
    expect(breaker.getState()).toBe(CircuitState.OPEN);
  });

  it('does not forget a window of calls, however much time passes', async () => {
    const breaker = make({ failureThreshold: 2, windowCalls: 3 });
    await call(breaker, 'F');
    await advance(86_400_000);
    await call(breaker, 'F');
    expect(breaker.getState()).toBe(CircuitState.OPEN);
  });

  it('reaches its default threshold also in a window of fewer than five calls', async () => {
    const breaker = make({ windowCalls: 2 });
    await script(breaker, 'FF');
    expect(breaker.getState()).toBe(CircuitState.OPEN);
  });

  it('judges a rate instead of a count where only the rate is given', async () => {
    const breaker = make({ failureRateThreshold: 50, minimumCalls: 20 });
    await script(breaker, 'F'.repeat(19));
    expect(breaker.getState()).toBe(CircuitState.CLOSED);
    await call(breaker, 'F');
    expect(breaker.getState()).toBe(CircuitState.OPEN);
  });

  it('judges no rate below ten calls by default', async () => {
    const breaker = make({ failureRateThreshold: 100 });
    await script(breaker, 'F'.repeat(9));
    expect(breaker.getState()).toBe(CircuitState.CLOSED);
    await call(breaker, 'F');
    expect(breaker.getState()).toBe(CircuitState.OPEN);
  });

  it('applies both count and rate where both are given', async () => {
    const options = { failureThreshold: 3, failureRateThreshold: 50, minimumCalls: 4 };
    const byCount = make(options);
    await script(byCount, 'FFF');
    expect(byCount.getState()).toBe(CircuitState.OPEN);
    const byRate = make(options);
    await script(byRate, 'FSSF');
    expect(byRate.getState()).toBe(CircuitState.OPEN);
  });

  it('leaves calls out of the rate that fell out of the window of time', async () => {
    const breaker = make({ failureRateThreshold: 50, minimumCalls: 4, windowMs: 1_000 });
    await script(breaker, 'SSSS');
    await advance(1_001);
    await script(breaker, 'FFF'); // three calls are too few to judge
    expect(breaker.getState()).toBe(CircuitState.CLOSED);
    await call(breaker, 'F');
    expect(breaker.getState()).toBe(CircuitState.OPEN);
  });

  it('keeps calls in the rate for nearly the whole window', async () => {
    const breaker = make({ failureRateThreshold: 60, minimumCalls: 4, windowMs: 1_000 });
    await script(breaker, 'SS');
    await advance(900);
    await script(breaker, 'FF');
    expect(breaker.getSnapshot()).toMatchObject({
      state: CircuitState.CLOSED,
      calls: 4,
      failureRate: 50,
    });
  });

  it('judges the slow-call rate over a window of calls too, and slow failures count as slow', async () => {
    const breaker = make({
      windowCalls: 4,
      failureThreshold: 4,
      slowCallDurationMs: 100,
      slowCallRateThreshold: 75,
      minimumCalls: 4,
    });
    await call(breaker, 'S', 101);
    await call(breaker, 'F', 101);
    await call(breaker, 'S', 101);
    await call(breaker, 'S', 1);
    expect(breaker.getState()).toBe(CircuitState.OPEN);
  });

  it('stays closed where fewer calls are slow than that, and forgets them as they leave the window', async () => {
    const breaker = make({
      windowCalls: 4,
      slowCallDurationMs: 100,
      slowCallRateThreshold: 50,
      minimumCalls: 4,
    });
    const rates: number[] = [];
    for (const ms of [150, 1, 1, 1, 1, 150]) {
      await call(breaker, 'S', ms);
      rates.push(Math.round(breaker.getSnapshot().slowCallRate));
    }
    expect(rates).toEqual([100, 50, 33, 25, 0, 25]);
    expect(breaker.getState()).toBe(CircuitState.CLOSED);
  });

  it('takes a call of exactly slowCallDurationMs for a quick one', async () => {
    const breaker = make({ slowCallDurationMs: 100, slowCallRateThreshold: 1, minimumCalls: 1 });
    await call(breaker, 'S', 100);
    expect(breaker.getState()).toBe(CircuitState.CLOSED);
    await call(breaker, 'S', 101);
    expect(breaker.getState()).toBe(CircuitState.OPEN);
  });

  it('opens by count also where only slow calls are configured', async () => {
    const breaker = make({ slowCallDurationMs: 100, slowCallRateThreshold: 50 });
    await script(breaker, 'FFFFF');
    expect(breaker.getState()).toBe(CircuitState.OPEN);
  });
});

describe('half-open', () => {
  it('stays open until a call comes: nothing happens by itself', async () => {
    const breaker = await opened();
    await advance(100_000);
    expect(breaker.getState()).toBe(CircuitState.OPEN);
    expect(breaker.getSnapshot().retryAfterMs).toBe(0);
    heldCall(breaker);
    expect(breaker.getState()).toBe(CircuitState.HALF_OPEN);
  });

  it('admits successThreshold probes at a time by default', async () => {
    const breaker = await recovering({ successThreshold: 3 });
    const crowd = Array.from({ length: 10 }, () => heldCall(breaker));
    expect(crowd.filter((each) => each.ran())).toHaveLength(3);
  });

  it('admits a probe for each one that has ended', async () => {
    const breaker = await recovering({ successThreshold: 5, halfOpenMaxCalls: 2 });
    const [first] = [heldCall(breaker), heldCall(breaker)];
    expect(await call(breaker, 'S')).toBe('OPEN');
    await first.succeed();
    expect(await script(breaker, 'SS')).toEqual(['S', 'S']);
  });

  it('closes with fewer permits than successes needed, one probe after the other', async () => {
    const breaker = await recovering({ successThreshold: 3, halfOpenMaxCalls: 1 });
    await script(breaker, 'SSS');
    expect(breaker.getState()).toBe(CircuitState.CLOSED);
  });

  it('takes back the permit of a probe whose isFailure throws, as a failure', async () => {
    let broken = false;
    const mistake = new TypeError('predicate');
    const breaker = await recovering({
      halfOpenMaxCalls: 1,
      isFailure: () => {
        if (broken) throw mistake;
        return true;
      },
    });
    broken = true;
    await expect(breaker.execute(method('F'))).rejects.toBe(mistake);
    expect(breaker.getState()).toBe(CircuitState.OPEN);
    await advance(1_000);
    expect(await script(breaker, 'SS')).toEqual(['S', 'S']);
    expect(breaker.getState()).toBe(CircuitState.CLOSED);
  });

  it('counts the late success of a probe that lost its permit to another', async () => {
    const breaker = await recovering({ halfOpenMaxCalls: 1, successThreshold: 2 });
    const hung = heldCall(breaker);
    await advance(1_000);
    const probe = heldCall(breaker);
    await hung.succeed();
    expect(breaker.getState()).toBe(CircuitState.HALF_OPEN);
    expect(await call(breaker, 'S')).toBe('OPEN'); // it does not give back the other's permit
    await probe.succeed();
    expect(breaker.getState()).toBe(CircuitState.CLOSED);
  });

  it('closes where every answer is good and takes longer than timeoutMs', async () => {
    const breaker = await recovering({ timeoutMs: 100 });
    const ends: Promise<Outcome>[] = [];
    for (let ms = 0; ms < 150; ms += 10) {
      ends.push(
        breaker.execute(method('S', 150)).then(
          (): Outcome => 'S',
          (): Outcome => 'OPEN',
        ),
      );
      await advance(10);
    }
    await advance(10);
    expect(breaker.getState()).toBe(CircuitState.CLOSED);
    await advance(150);
    const outcomes = await Promise.all(ends);
    expect(outcomes.filter((outcome) => outcome === 'S')).toHaveLength(4); // two permits, twice
  });

  it('opens again by a probe that fails late: a timeout as long as timeoutMs is no recovery', async () => {
    for (const lateMs of [1_000, 5_000]) {
      const breaker = await recovering({ halfOpenMaxCalls: 1, timeoutFactor: 2 });
      const hung = heldCall(breaker);
      await advance(lateMs);
      const other = heldCall(breaker); // which has its permit by now
      await hung.fail();
      expect(breaker.getState()).toBe(CircuitState.OPEN);
      expect(breaker.getSnapshot().retryAfterMs).toBe(2_000);
      await other.succeed();
      expect(breaker.getState()).toBe(CircuitState.OPEN);
    }
  });

  it('lets a hung probe among several make room for only one', async () => {
    const breaker = await recovering({ halfOpenMaxCalls: 2, successThreshold: 5 });
    heldCall(breaker);
    await advance(500);
    heldCall(breaker);
    await advance(500);
    const crowd = [heldCall(breaker), heldCall(breaker)];
    expect(crowd.map((each) => each.ran())).toEqual([true, false]);
  });

  it('forgets its probes on reset(), forceOpen() and disable()', async () => {
    for (const control of ['reset', 'forceOpen', 'disable'] as const) {
      const breaker = await recovering({ successThreshold: 1 });
      const probe = heldCall(breaker);
      breaker[control]();
      const before = breaker.getSnapshot();
      await probe.fail();
      expect(breaker.getSnapshot()).toEqual(before);
    }
  });
});

describe('what counts as a failure', () => {
  const statuses = (status: number): object[] => [
    new HttpException('', status),
    Object.assign(new Error(), { status }),
    Object.assign(new Error(), { statusCode: status }),
    Object.assign(new Error(), { response: { status } }),
    Object.assign(new Error(), { $metadata: { httpStatusCode: status } }),
  ];
  const counted = async (error: unknown, options: CircuitBreakerOptions = {}) => {
    const breaker = make(options);
    await expect(breaker.execute(() => Promise.reject(error))).rejects.toBe(error);
    return breaker.getSnapshot().failures;
  };

  it.each([400, 401, 403, 404, 409, 422, 499])('is not an answer of status %d', async (status) => {
    for (const error of statuses(status)) expect(await counted(error)).toBe(0);
  });

  it.each([408, 425, 429, 500, 502, 503])('is an answer of status %d', async (status) => {
    for (const error of statuses(status)) expect(await counted(error)).toBe(1);
  });

  it('is not a rejection by another breaker or a bulkhead, but a timeout is', async () => {
    expect(await counted(new CircuitBreakerOpenError('other', 1))).toBe(0);
    expect(await counted(new BulkheadRejectedError('other', 'full'))).toBe(0);
    expect(await counted(new TimeoutError(10))).toBe(1);
  });

  it.each([['a string'], [undefined], [null], [42], [{}]])(
    'is whatever is thrown: %p',
    async (thrown) => {
      expect(await counted(thrown)).toBe(1);
    },
  );

  it('is an error whose getters throw', async () => {
    const error = Object.defineProperty(new Error(), 'status', {
      get: () => {
        throw new Error('getter');
      },
    });
    expect(await counted(error)).toBe(1);
  });

  it('is for isFailure to say where it is given, client errors included', async () => {
    const asked: unknown[] = [];
    const isFailure = (error: unknown) => {
      asked.push(error);
      return error instanceof BadRequestException;
    };
    const [client, server] = [new BadRequestException(), new Error()];
    expect(await counted(client, { isFailure })).toBe(1);
    expect(await counted(server, { isFailure })).toBe(0);
    expect(asked).toEqual([client, server]);
  });

  it('is half-open nothing that the predicate lets pass: such an answer is a good probe', async () => {
    const breaker = await recovering({
      successThreshold: 1,
      isFailure: (error) => (error as Error).message !== 'no such order',
    });
    await breaker.execute(() => Promise.reject(new Error('no such order'))).catch(() => undefined);
    expect(breaker.getState()).toBe(CircuitState.CLOSED);
  });

  it.each([
    ['the rejection of a bulkhead', new BulkheadRejectedError('inner', 'full')],
    ['the rejection of another breaker', new CircuitBreakerOpenError('inner', 100)],
    ['a timeout', new TimeoutError(100)],
    ['an aborted signal', AbortSignal.abort().reason],
  ])('is half-open %s neither, where it is no failure: nothing was answered', async (_, error) => {
    const breaker = await recovering({
      successThreshold: 1,
      halfOpenMaxCalls: 1,
      isFailure: (thrown) => (thrown as Error).message === 'failure',
    });
    await breaker.execute(() => Promise.reject(error)).catch(() => undefined);
    expect(breaker.getState()).toBe(CircuitState.HALF_OPEN);
    expect(await call(breaker, 'S')).toBe('S'); // its permit is back
    expect(breaker.getState()).toBe(CircuitState.CLOSED);
  });

  it('is half-open a client error that is slow, where slow calls open the breaker', async () => {
    const breaker = await recovering({ slowCallDurationMs: 100, slowCallRateThreshold: 50 });
    expect(await call(breaker, 'C', 150)).toBe('C');
    expect(breaker.getState()).toBe(CircuitState.OPEN);
  });

  it('is a call whose isFailure throws, and then that error surfaces', async () => {
    const mistake = new TypeError('predicate');
    const breaker = make({
      failureThreshold: 1,
      isFailure: () => {
        throw mistake;
      },
    });
    await expect(breaker.execute(method('F'))).rejects.toBe(mistake);
    expect(breaker.getState()).toBe(CircuitState.OPEN);
  });

  it('is a call whose isFailure answers with a promise, which could not be waited for', async () => {
    const breaker = make({ isFailure: (() => Promise.reject(new Error('late'))) as never });
    await expect(breaker.execute(method('F'))).rejects.toThrow(/isFailure.*promise/);
    expect(breaker.getSnapshot().failures).toBe(1);
    expect(() => make({ isFailure: (async () => true) as never })).toThrow(/isFailure/);
  });

  it('is a synchronous throw', async () => {
    const breaker = make();
    const error = new Error('at once');
    await expect(
      breaker.execute(() => {
        throw error;
      }),
    ).rejects.toBe(error);
    expect(breaker.getSnapshot().failures).toBe(1);
  });
});

describe('the rejection', () => {
  it('names the breaker, carries no stack frames and leaves the stack traces of others alone', async () => {
    const limit = Error.stackTraceLimit;
    const error = await rejectionOf(await opened());
    expect(error).toMatchObject({ name: 'CircuitBreakerOpenError', breaker: 'payments' });
    expect(error.message).toBe('Circuit breaker "payments" is open');
    expect(error).toBeInstanceOf(Error);
    expect(error.stack).not.toMatch(/^\s+at /m);
    expect(Error.stackTraceLimit).toBe(limit);
  });

  it('made by hand, as for a test, says that the breaker is open', () => {
    const error = new CircuitBreakerOpenError('payments', 100);
    expect(error.message).toBe('Circuit breaker "payments" is open');
    expect(error).toMatchObject({ code: 'CIRCUIT_OPEN', retryAfterMs: 100 });
    expect(error).not.toHaveProperty('cause');
  });

  it('carries them where the host asks for them', async () => {
    const breaker = new CircuitBreakerPolicy(
      'payments',
      {},
      {
        ...stageHost(),
        captureStackTrace: true,
      },
    );
    breaker.forceOpen();
    expect((await rejectionOf(breaker)).stack).toMatch(/^\s+at /m);
  });

  it('is a rejected promise, never a synchronous throw', async () => {
    const breaker = await opened();
    const result = breaker.execute(async () => 1);
    await expect(result).rejects.toBeInstanceOf(CircuitBreakerOpenError);
  });
});

describe('the snapshot', () => {
  it('tells the rate of calls that were slow', async () => {
    const breaker = make({ slowCallDurationMs: 100 });
    for (const ms of [150, 10, 10, 10]) await call(breaker, 'S', ms);
    expect(breaker.getSnapshot()).toMatchObject({ calls: 4, slowCallRate: 25 });
  });

  it('counts the calls of the window', async () => {
    const breaker = make({ failureThreshold: 9 });
    await script(breaker, 'SFSSC');
    expect(breaker.getSnapshot()).toEqual({
      name: 'payments',
      state: CircuitState.CLOSED,
      failures: 1,
      successes: 3,
      calls: 4,
      failureRate: 25,
      slowCallRate: 0,
    });
  });

  it('shows while it is open, by itself or by force, the calls before that', async () => {
    const breaker = make({ failureThreshold: 2 });
    await script(breaker, 'SF');
    breaker.forceOpen();
    expect(breaker.getSnapshot()).toMatchObject({ calls: 2, failures: 1 });
    breaker.reset();
    await script(breaker, 'SFF');
    expect(breaker.getSnapshot()).toMatchObject({ calls: 3, failures: 2 });
    breaker.forceOpen();
    expect(breaker.getSnapshot()).toMatchObject({ calls: 3, failures: 2 });
    breaker.disable();
    expect(breaker.getSnapshot()).toMatchObject({ calls: 0, failures: 0 });
  });

  it('has rates of 0 without calls', () => {
    expect(make().getSnapshot()).toEqual({
      name: 'payments',
      state: CircuitState.CLOSED,
      failures: 0,
      successes: 0,
      calls: 0,
      failureRate: 0,
      slowCallRate: 0,
    });
  });

  it('leaves out what fell out of the window, without a further call', async () => {
    const breaker = make({ windowMs: 1_000 });
    await script(breaker, 'FS');
    await advance(1_001);
    expect(breaker.getSnapshot()).toMatchObject({ calls: 0, failures: 0, failureRate: 0 });
  });

  it('says when it opened and when it may be tried again, only while that means something', async () => {
    jest.setSystemTime(new Date('2030-01-02T03:04:05.000Z'));
    const breaker = await opened({ successThreshold: 1 });
    await advance(300);
    expect(breaker.getSnapshot()).toMatchObject({
      state: CircuitState.OPEN,
      openedAt: '2030-01-02T03:04:05.000Z',
      retryAfterMs: 700,
    });
    await advance(700);
    await call(breaker, 'S');
    expect(breaker.getSnapshot()).not.toHaveProperty('openedAt');
    expect(breaker.getSnapshot()).not.toHaveProperty('retryAfterMs');
  });

  it('is a copy: changing it does not change the breaker', async () => {
    const breaker = make();
    breaker.getSnapshot().failures = 99;
    expect(breaker.getSnapshot().failures).toBe(0);
  });

  it('is JSON as it is', async () => {
    const snapshot = (await opened()).getSnapshot();
    expect(JSON.parse(JSON.stringify(snapshot))).toEqual(snapshot);
  });
});

describe('controls', () => {
  it('reset() closes an open breaker with an empty window', async () => {
    const breaker = make({ failureThreshold: 2 });
    await script(breaker, 'FF');
    breaker.reset();
    expect(breaker.getSnapshot()).toMatchObject({ state: CircuitState.CLOSED, calls: 0 });
    expect(await script(breaker, 'FS')).toEqual(['F', 'S']);
  });

  it('reset() of a closed breaker empties its window, and earlier calls do not count in it', async () => {
    const breaker = make({ failureThreshold: 2 });
    const held = heldCall(breaker);
    await call(breaker, 'F');
    breaker.reset();
    await held.fail();
    await call(breaker, 'F');
    expect(breaker.getSnapshot()).toMatchObject({ state: CircuitState.CLOSED, failures: 1 });
  });

  it('forceOpen() lets calls end that run already', async () => {
    const breaker = make();
    const held = heldCall(breaker);
    breaker.forceOpen();
    expect(await held.succeed()).toBe('S');
    expect(breaker.getState()).toBe(CircuitState.FORCED_OPEN);
  });
});

describe('timers', () => {
  it('holds none in any state', async () => {
    const breaker = make({
      failureThreshold: 1,
      slowCallDurationMs: 1,
      slowCallRateThreshold: 50,
      timeoutMs: 1_000,
    });
    const idle = () => expect(jest.getTimerCount()).toBe(0);
    idle();
    await script(breaker, 'SF');
    expect(breaker.getState()).toBe(CircuitState.OPEN);
    idle();
    await advance(1_000);
    heldCall(breaker);
    expect(breaker.getState()).toBe(CircuitState.HALF_OPEN);
    idle();
    breaker.forceOpen();
    idle();
    breaker.disable();
    idle();
  });
});

describe('on its own', () => {
  it('returns what the function returns and throws what it throws, the same instance', async () => {
    const breaker = make();
    const value = {};
    expect(await breaker.execute(async () => value)).toBe(value);
    const error = new Error();
    await expect(breaker.execute(() => Promise.reject(error))).rejects.toBe(error);
  });

  it('hands on an AttemptContext with a signal that never aborts', async () => {
    const seen = await make().execute(async ({ signal, attempt }: AttemptContext) => ({
      signal,
      attempt,
    }));
    expect(seen.attempt).toBe(1);
    expect(seen.signal).toBeInstanceOf(AbortSignal);
    expect(seen.signal.aborted).toBe(false);
  });

  it('calls the `then` of a thenable once', async () => {
    let thens = 0;
    const query = {
      // biome-ignore lint/suspicious/noThenProperty: that is what a query builder has
      then(resolve: (value: number) => void) {
        thens++;
        resolve(7);
      },
    };
    expect(await make().execute(() => query as PromiseLike<number>)).toBe(7);
    expect(thens).toBe(1);
  });

  describe('inside an attempt', () => {
    function around(options: { timeoutMs?: number; maxAttempts?: number } = {}) {
      const runtime = new ResilienceRuntime({ errorTracker: { log: false } });
      const { timeoutMs, maxAttempts } = options;
      return runtime.programmatic.addPipeline('outer', {
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
        ...(maxAttempts === undefined ? {} : { retry: { maxAttempts, baseDelayMs: 1 } }),
      }).pipeline;
    }

    it('hands on the signal and number of that attempt', async () => {
      const seen: [boolean, number][] = [];
      const breaker = make();
      const result = around({ maxAttempts: 2 }).execute((outer) =>
        breaker.execute(async ({ signal, attempt }) => {
          seen.push([signal === outer.signal, attempt]);
          throw new Error();
        }),
      );
      const settled = expect(result).rejects.toThrow();
      await advance(10);
      await settled;
      expect(seen).toEqual([
        [true, 1],
        [true, 2],
      ]);
    });

    it('learns from a deadline around it, though the call never ends', async () => {
      const breaker = make({ failureThreshold: 1 });
      const result = around({ timeoutMs: 100 }).execute(() =>
        breaker.execute(() => new Promise(() => undefined)),
      );
      const settled = expect(result).rejects.toBeInstanceOf(TimeoutError);
      await advance(100);
      await settled;
      expect(breaker.getState()).toBe(CircuitState.OPEN);
    });

    it.each(['S', 'F'])(
      'counts a call that its deadline cut as one failure, however it ends later (%s)',
      async (kind) => {
        const breaker = make({ failureThreshold: 9 });
        const result = around({ timeoutMs: 100 }).execute(() => breaker.execute(method(kind, 500)));
        const settled = expect(result).rejects.toBeInstanceOf(TimeoutError);
        await advance(600);
        await settled;
        expect(breaker.getSnapshot()).toMatchObject({ calls: 1, failures: 1 });
      },
    );

    it.each(['S', 'F'])(
      'takes a cancellation for neither success nor failure, however it ends later (%s)',
      async (kind) => {
        const breaker = make();
        const caller = new AbortController();
        const result = around().execute(() => breaker.execute(method(kind, 500)), {
          signal: caller.signal,
        });
        const settled = expect(result).rejects.toBe('gone');
        caller.abort('gone');
        await advance(600);
        await settled;
        expect(breaker.getSnapshot()).toMatchObject({ calls: 0 });
      },
    );

    it('takes back the permit of a probe at the cancellation', async () => {
      const breaker = await recovering({ halfOpenMaxCalls: 1 });
      const caller = new AbortController();
      const result = around().execute(() => breaker.execute(() => new Promise(() => undefined)), {
        signal: caller.signal,
      });
      const settled = expect(result).rejects.toBe('gone');
      expect(await call(breaker, 'S')).toBe('OPEN');
      caller.abort('gone');
      await settled;
      expect(await call(breaker, 'S')).toBe('S');
    });

    it('surfaces the deadline although isFailure throws about it, and counts the call', async () => {
      const breaker = make({
        isFailure: () => {
          throw new TypeError('predicate');
        },
      });
      const result = around({ timeoutMs: 100 }).execute(() =>
        breaker.execute(() => new Promise(() => undefined)),
      );
      const settled = expect(result).rejects.toBeInstanceOf(TimeoutError);
      await advance(100);
      await settled;
      expect(breaker.getSnapshot().failures).toBe(1);
    });

    it('does not start what abandoned work asks for', async () => {
      const breaker = make();
      const result = around({ timeoutMs: 100, maxAttempts: 2 }).execute(async ({ attempt }) => {
        await new Promise((resolve) => setTimeout(resolve, 150));
        if (attempt === 1) await breaker.execute(method('S')); // another attempt runs instead
      });
      const settled = expect(result).rejects.toBeInstanceOf(TimeoutError);
      await advance(400);
      await settled;
      expect(calls).toBe(0);
      expect(breaker.getSnapshot().calls).toBe(0);
    });

    it('counts a call that outlives an attempt which ended well', async () => {
      const breaker = make();
      let left: Promise<string> | undefined;
      await around({ timeoutMs: 100 }).execute(async () => {
        left = breaker.execute(method('S', 500));
      });
      await advance(600);
      expect(await left).toBe('value');
      expect(breaker.getSnapshot()).toMatchObject({ calls: 1, successes: 1 });
    });
  });
});
