import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  CircuitBreakerOpenError,
  type CircuitBreakerOptions,
  CircuitBreakerPolicy,
  CircuitState,
} from '../../lib/index.js';
import { stageHost } from '../support/stage-host.js';

/** S: success, F: failure, -: rejected without calling. */
type Outcome = 'S' | 'F' | '-';

const advance = (ms: number) => jest.advanceTimersByTimeAsync(ms);
const make = (options: CircuitBreakerOptions = {}) =>
  new CircuitBreakerPolicy('payments', {
    failureThreshold: 1,
    successThreshold: 1,
    timeoutMs: 1_000,
    ...options,
  });

function call(breaker: CircuitBreakerPolicy, kind: 'S' | 'F'): Promise<Outcome> {
  return breaker
    .execute(async () => {
      if (kind === 'F') throw new Error('failure');
    })
    .then(
      () => 'S',
      (error) => (error instanceof CircuitBreakerOpenError ? '-' : 'F'),
    );
}

/** The outcomes of so many successful calls, one after the other, as in `S---S`. */
async function successes(breaker: CircuitBreakerPolicy, count: number): Promise<string> {
  let outcomes = '';
  for (let i = 0; i < count; i++) outcomes += await call(breaker, 'S');
  return outcomes;
}

const admittedIn = (outcomes: string) => outcomes.replaceAll('-', '').length;

async function retryAfterMs(breaker: CircuitBreakerPolicy): Promise<number> {
  const error = await breaker.execute(async () => undefined).catch((thrown: unknown) => thrown);
  if (!(error instanceof CircuitBreakerOpenError)) throw new Error('it let the call through');
  return error.retryAfterMs;
}

/** Fails the call that it lets through, and says for how long it then is open. */
async function openFor(breaker: CircuitBreakerPolicy): Promise<number> {
  expect(await call(breaker, 'F')).toBe('F');
  return retryAfterMs(breaker);
}

/** The lengths of so many open times in a row, as every probe fails. */
async function openTimes(breaker: CircuitBreakerPolicy, count: number): Promise<number[]> {
  const lengths: number[] = [];
  for (let i = 0; i < count; i++) {
    lengths.push(await openFor(breaker));
    await advance(lengths.at(-1) as number);
  }
  return lengths;
}

/** A breaker that probes have closed just now. */
async function closedAgain(options: CircuitBreakerOptions): Promise<CircuitBreakerPolicy> {
  const breaker = make(options);
  for (let i = 0; i < (options.failureThreshold ?? 1); i++) await call(breaker, 'F');
  await advance(1_000);
  await call(breaker, 'S');
  expect(breaker.getState()).toBe(CircuitState.CLOSED);
  return breaker;
}

const draw = (value: number) => jest.spyOn(Math, 'random').mockReturnValue(value);

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
  jest.restoreAllMocks();
});

describe('the open time', () => {
  it('is exactly timeoutMs, every time and without a draw, where nothing else is asked for', async () => {
    const random = jest.spyOn(Math, 'random');
    expect(await openTimes(make(), 4)).toEqual([1_000, 1_000, 1_000, 1_000]);
    expect(random).not.toHaveBeenCalled();
  });

  it.each([
    [0, 900],
    [0.25, 950],
    [0.5, 1_000],
    [0.75, 1_050],
    [1 - Number.EPSILON, 1_100],
  ])(
    'is spread evenly over ± 10 % by a timeoutJitter of 0.1 (drawing %d: %d ms)',
    async (value, ms) => {
      draw(value);
      const breaker = make({ timeoutJitter: 0.1 });
      expect(await openFor(breaker)).toBe(ms);
      expect(breaker.getSnapshot().retryAfterMs).toBe(ms);
      await advance(ms - 1);
      expect(await retryAfterMs(breaker)).toBe(1);
      await advance(1);
      expect(breaker.getSnapshot().retryAfterMs).toBe(0);
      expect(await call(breaker, 'S')).toBe('S');
    },
  );

  it('is drawn anew each time it opens', async () => {
    const random = draw(0);
    const breaker = make({ timeoutJitter: 0.5 });
    expect(await openTimes(breaker, 1)).toEqual([500]);
    random.mockReturnValue(0.75);
    expect(await openTimes(breaker, 1)).toEqual([1_250]);
  });

  it('differs between breakers that opened at once', async () => {
    const breakers = Array.from({ length: 50 }, () => make({ timeoutJitter: 0.2 }));
    const lengths = await Promise.all(breakers.map(openFor));
    expect(new Set(lengths).size).toBeGreaterThan(10);
    expect(Math.min(...lengths)).toBeGreaterThanOrEqual(800);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(1_200);
  });

  it('doubles while probes keep failing, up to ten times timeoutMs by default', async () => {
    expect(await openTimes(make({ timeoutFactor: 2 }), 6)).toEqual([
      1_000, 2_000, 4_000, 8_000, 10_000, 10_000,
    ]);
  });

  it('grows up to maxTimeoutMs', async () => {
    expect(await openTimes(make({ timeoutFactor: 1.5, maxTimeoutMs: 2_000 }), 4)).toEqual([
      1_000, 1_500, 2_000, 2_000,
    ]);
  });

  it('is the one that has grown for the rejection, the snapshot and the next probe alike', async () => {
    const breaker = make({ timeoutFactor: 3 });
    jest.setSystemTime(new Date('2030-01-02T03:04:05.000Z'));
    await openTimes(breaker, 1);
    expect(await openFor(breaker)).toBe(3_000);
    expect(breaker.getSnapshot()).toMatchObject({
      state: CircuitState.OPEN,
      openedAt: '2030-01-02T03:04:05.000Z',
      retryAfterMs: 3_000,
    });
    await advance(2_999);
    expect(await call(breaker, 'S')).toBe('-');
    await advance(1);
    expect(await call(breaker, 'S')).toBe('S');
  });

  it('begins with timeoutMs again once probes have closed the breaker', async () => {
    const breaker = make({ timeoutFactor: 2 });
    await openTimes(breaker, 3);
    await call(breaker, 'S');
    expect(await openTimes(breaker, 2)).toEqual([1_000, 2_000]);
  });

  it.each(['reset', 'disable', 'forceOpen'] as const)(
    'begins with timeoutMs again after %s()',
    async (control) => {
      const breaker = make({ timeoutFactor: 2 });
      await openTimes(breaker, 3);
      breaker[control]();
      breaker.reset();
      expect(await openFor(breaker)).toBe(1_000);
    },
  );

  it('grows from the length before the jitter, which therefore does not add up', async () => {
    draw(0.75);
    const breaker = make({ timeoutFactor: 2, timeoutJitter: 0.2 });
    expect(await openTimes(breaker, 3)).toEqual([1_100, 2_200, 4_400]);
  });

  it.each([
    [0, 900, 1_800],
    [0.5, 1_000, 1_900],
    [1 - Number.EPSILON, 1_100, 2_000],
  ])(
    'never exceeds maxTimeoutMs, but is still spread evenly below it (drawing %d)',
    async (value, first, atMost) => {
      draw(value);
      const breaker = make({ timeoutFactor: 2, timeoutJitter: 0.1, maxTimeoutMs: 2_000 });
      expect(await openTimes(breaker, 3)).toEqual([first, atMost, atMost]);
    },
  );

  it('does not make a probe keep its permit for longer than timeoutMs', async () => {
    const breaker = make({ timeoutFactor: 5 });
    await openTimes(breaker, 2);
    void breaker.execute(() => new Promise(() => undefined));
    await advance(999);
    expect(await call(breaker, 'S')).toBe('-');
    await advance(1);
    expect(await call(breaker, 'S')).toBe('S');
  });

  it('is timeoutMs in the rejections of a breaker that was forced open, however long it was before', async () => {
    const breaker = make({ timeoutFactor: 5, timeoutJitter: 0.5 });
    await openTimes(breaker, 3);
    breaker.forceOpen();
    expect(await retryAfterMs(breaker)).toBe(1_000);
  });

  it('of a breaker that was forced open began when that was done', async () => {
    jest.setSystemTime(new Date('2030-01-02T03:04:05.000Z'));
    const breaker = make();
    breaker.forceOpen();
    expect(breaker.getSnapshot().openedAt).toBe('2030-01-02T03:04:05.000Z');
    breaker.disable();
    expect(breaker.getSnapshot()).not.toHaveProperty('openedAt');
  });
});

describe('the ramp after the breaker has closed', () => {
  it('is not there where it is not asked for', async () => {
    const breaker = await closedAgain({});
    expect(await successes(breaker, 30)).toBe('S'.repeat(30));
    expect(breaker.getSnapshot()).not.toHaveProperty('rampUpShare');
  });

  it('begins with a tenth of the calls, the first at once and the others evenly spread', async () => {
    const breaker = await closedAgain({ rampUpMs: 1_000 });
    expect(await successes(breaker, 31)).toBe('S---------S---------S---------S');
    expect(breaker.getSnapshot()).toMatchObject({ state: CircuitState.CLOSED, rampUpShare: 0.1 });
    expect(breaker.getSnapshot()).not.toHaveProperty('openedAt'); // it is not open
  });

  it.each([
    [0, 10],
    [250, 33], // 32.5 %
    [500, 55],
    [750, 78], // 77.5 %
    [999, 100],
  ])('admits a share that grows linearly: after %d of 1000 ms %d of 100', async (ms, admitted) => {
    const breaker = await closedAgain({ rampUpMs: 1_000 });
    await advance(ms);
    const outcomes = await successes(breaker, 100);
    expect(admittedIn(outcomes)).toBe(admitted);
    expect(outcomes).not.toMatch(admitted > 50 ? /--/ : /SS/);
  });

  it('admits just over half of the calls that come at a steady rate while it lasts', async () => {
    const breaker = await closedAgain({ rampUpMs: 1_000 });
    const admittedPerTenth: number[] = [];
    for (let tenth = 0; tenth < 10; tenth++) {
      let outcomes = '';
      for (let ms = 0; ms < 100; ms++) {
        outcomes += await call(breaker, 'S');
        await advance(1);
      }
      admittedPerTenth.push(admittedIn(outcomes));
    }
    for (const [tenth, admitted] of admittedPerTenth.entries())
      expect(Math.abs(admitted - (14.5 + 9 * tenth))).toBeLessThanOrEqual(1);
    expect(admittedPerTenth.reduce((sum, admitted) => sum + admitted)).toBe(550);
    expect(await successes(breaker, 100)).toBe('S'.repeat(100));
  });

  it('ends after rampUpMs, also where no call came meanwhile', async () => {
    const breaker = await closedAgain({ rampUpMs: 1_000 });
    await advance(999);
    expect(breaker.getSnapshot().rampUpShare).toBeCloseTo(0.999, 3);
    await advance(1);
    expect(breaker.getSnapshot()).not.toHaveProperty('rampUpShare');
    expect(await successes(breaker, 30)).toBe('S'.repeat(30));
  });

  it('sends those that it rejects to different times of what is left of it', async () => {
    const breaker = await closedAgain({ rampUpMs: 1_000 });
    await call(breaker, 'S');
    const after: number[] = [];
    for (let i = 0; i < 9; i++) after.push(await retryAfterMs(breaker));
    expect(after).toEqual([900, 800, 700, 600, 500, 400, 300, 200, 100]);
  });

  it('sends nobody to a time after its end', async () => {
    const breaker = await closedAgain({ rampUpMs: 1_000 });
    await call(breaker, 'S');
    await advance(500);
    expect(await retryAfterMs(breaker)).toBe(225); // it lacked 45 % of a call, and 500 ms are left
    expect(breaker.getSnapshot()).not.toHaveProperty('retryAfterMs'); // it is closed
  });

  it('says in its rejections that the breaker is ramping up', async () => {
    const breaker = await closedAgain({ rampUpMs: 1_000 });
    await call(breaker, 'S');
    await expect(breaker.execute(async () => undefined)).rejects.toMatchObject({
      code: 'CIRCUIT_OPEN',
      message: 'Circuit breaker "payments" is ramping up',
    });
  });

  it('reports each rejection, and no transition of its own', async () => {
    const seen: string[] = [];
    const breaker = new CircuitBreakerPolicy(
      'payments',
      { failureThreshold: 1, successThreshold: 1, timeoutMs: 1_000, rampUpMs: 1_000 },
      stageHost(({ to, retryAfterMs }) =>
        seen.push(to === undefined ? `rejected for ${retryAfterMs}` : `${to}`),
      ),
    );
    await call(breaker, 'F');
    await advance(1_000);
    await successes(breaker, 3);
    await advance(1_000);
    await successes(breaker, 3);
    expect(seen).toEqual(['OPEN', 'HALF_OPEN', 'CLOSED', 'rejected for 900']);
  });

  it('counts failures as usual, and does not count what it rejects', async () => {
    const breaker = await closedAgain({ rampUpMs: 1_000, failureThreshold: 3 });
    await advance(500);
    const outcomes: Outcome[] = [];
    for (let i = 0; i < 5; i++) outcomes.push(await call(breaker, 'F'));
    expect(outcomes.join('')).toBe('FF-F-');
    expect(breaker.getSnapshot()).toMatchObject({ state: CircuitState.OPEN, calls: 3 });
    expect(breaker.getSnapshot()).not.toHaveProperty('rampUpShare');
  });

  it('begins anew after each recovery', async () => {
    const breaker = await closedAgain({ rampUpMs: 1_000 });
    await advance(900);
    await call(breaker, 'F');
    await advance(1_000);
    await call(breaker, 'S');
    expect(breaker.getSnapshot().rampUpShare).toBe(0.1);
    expect(await successes(breaker, 11)).toBe('S---------S');
  });

  it('that fails makes the open time grow on, as a failed probe does', async () => {
    const breaker = make({ rampUpMs: 500, timeoutFactor: 2 });
    expect(await openTimes(breaker, 2)).toEqual([1_000, 2_000]);
    await call(breaker, 'S'); // the probe
    await advance(499);
    expect(await openTimes(breaker, 2)).toEqual([4_000, 8_000]);
  });

  it('has to be over before the open time begins with timeoutMs again', async () => {
    const breaker = make({ rampUpMs: 500, timeoutFactor: 2 });
    await openTimes(breaker, 2);
    await call(breaker, 'S');
    await advance(500);
    expect(await openTimes(breaker, 2)).toEqual([1_000, 2_000]);
  });

  it('is over though no call came since for a call that began in it and fails later', async () => {
    const breaker = make({ rampUpMs: 500, timeoutFactor: 2 });
    await openTimes(breaker, 2);
    await call(breaker, 'S');
    const late = breaker.execute(async () => {
      await new Promise((resolve) => setTimeout(resolve, 500));
      throw new Error('late');
    });
    const failed = expect(late).rejects.toThrow('late');
    await advance(500);
    await failed;
    expect(await retryAfterMs(breaker)).toBe(1_000);
  });

  it.each(['reset', 'disable'] as const)('is ended by %s()', async (control) => {
    const breaker = await closedAgain({ rampUpMs: 1_000 });
    breaker[control]();
    expect(await successes(breaker, 30)).toBe('S'.repeat(30));
    expect(breaker.getSnapshot()).not.toHaveProperty('rampUpShare');
  });

  it('is ended by forceOpen(), and does not come back with reset()', async () => {
    const breaker = await closedAgain({ rampUpMs: 1_000 });
    breaker.forceOpen();
    expect(await successes(breaker, 3)).toBe('---');
    expect(await retryAfterMs(breaker)).toBe(1_000);
    breaker.reset();
    expect(await successes(breaker, 30)).toBe('S'.repeat(30));
  });

  it('does not follow reset() of an open breaker: who resets it knows that it works', async () => {
    const breaker = make({ rampUpMs: 1_000 });
    await call(breaker, 'F');
    breaker.reset();
    expect(await successes(breaker, 30)).toBe('S'.repeat(30));
  });

  it.each([3_600_000, -3_600_000])(
    'is not moved by a wall clock that jumps by %d ms',
    async (jump) => {
      const breaker = await closedAgain({ rampUpMs: 1_000 });
      await advance(500);
      jest.setSystemTime(Date.now() + jump);
      expect(breaker.getSnapshot().rampUpShare).toBeCloseTo(0.55);
      await advance(500);
      expect(await successes(breaker, 30)).toBe('S'.repeat(30));
    },
  );

  it('draws nothing and holds no timer', async () => {
    const random = jest.spyOn(Math, 'random');
    const breaker = await closedAgain({ rampUpMs: 1_000 });
    await successes(breaker, 30);
    expect(random).not.toHaveBeenCalled();
    expect(jest.getTimerCount()).toBe(0);
  });
});
