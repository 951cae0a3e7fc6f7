import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import {
  CircuitBreakerOpenError,
  type CircuitBreakerOptions,
  CircuitBreakerPolicy,
  CircuitState,
} from '../../lib/index.js';
import type { StageEvent } from '../../lib/stage/stage-host.js';
import { SharedDependency, statesOf } from '../support/fleet-instance.js';
import { settled } from '../support/memory-fleet.js';
import { booting } from '../support/resilience-app.js';
import { stageHost } from '../support/stage-host.js';

const OPTIONS = { failureThreshold: 2, successThreshold: 2, timeoutMs: 1_000 } as const;
const SHADOW = { ...OPTIONS, mode: 'shadow' } as const;
const DOWN = new Error('down');

const wait = (ms: number) => jest.advanceTimersByTimeAsync(ms);

function made(options: CircuitBreakerOptions, name = 'payments') {
  const events: StageEvent[] = [];
  const gauges: number[] = [];
  const host = stageHost(
    (event) => events.push(event),
    (_name, value) => gauges.push(value),
  );
  return { breaker: new CircuitBreakerPolicy(name, options, host), events, gauges };
}

const call = (breaker: CircuitBreakerPolicy, fails: boolean): Promise<unknown> =>
  breaker.execute(async () => (fails ? Promise.reject(DOWN) : 'up')).catch((error) => error);

async function failTwice(breaker: CircuitBreakerPolicy): Promise<void> {
  await call(breaker, true);
  await call(breaker, true);
}

const typesOf = (events: readonly StageEvent[]) => events.map(({ type }) => type);

describe('A circuit breaker in shadow mode', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('tells when it would open and whom it would reject, and lets everybody in', async () => {
    const { breaker, events, gauges } = made(SHADOW);
    await failTwice(breaker);
    expect(await call(breaker, false)).toBe('up');
    expect(await call(breaker, true)).toBe(DOWN);
    expect(events).toEqual([
      {
        type: 'would-open',
        breaker: 'payments',
        reason: 'failure-threshold',
        calls: 2,
        failures: 2,
        failureRate: 100,
        error: DOWN,
        retryAfterMs: 1_000,
      },
      { type: 'would-reject', stage: 'circuitBreaker', name: 'payments', reason: 'open' },
      { type: 'would-reject', stage: 'circuitBreaker', name: 'payments', reason: 'open' },
    ]);
    expect(gauges).toEqual([0]);
    expect(breaker.getCause()).toBeUndefined();
    expect(breaker.getSnapshot()).toMatchObject({
      state: 'CLOSED',
      mode: 'shadow',
      wouldBe: 'OPEN',
      failures: 2,
      retryAfterMs: 1_000,
    });
  });

  it('judges as many calls as probes as it would let through, and closes again without a word', async () => {
    const { breaker, events } = made({ ...SHADOW, halfOpenMaxCalls: 1 });
    await failTwice(breaker);
    await wait(1_000);
    let answer: () => void = () => undefined;
    const probe = breaker.execute(() => new Promise<void>((resolve) => (answer = resolve)));
    expect(breaker.getSnapshot().wouldBe).toBe('HALF_OPEN');
    expect(await call(breaker, true)).toBe(DOWN); // would be rejected, and so does not end the recovery
    expect(typesOf(events)).toEqual(['would-open', 'would-reject']);
    answer();
    await probe;
    await call(breaker, false);
    expect(breaker.getSnapshot()).toMatchObject({ wouldBe: 'CLOSED', calls: 0 });
    expect(typesOf(events)).toEqual(['would-open', 'would-reject']);
  });

  it('leaves a result as it is that counts as a failure, and drops what a predicate throws', async () => {
    const { breaker } = made({
      ...SHADOW,
      isFailureResult: (result) => result === 'broken',
      isFailure: () => {
        throw new Error('mistake');
      },
    });
    expect(await breaker.execute(async () => 'broken')).toBe('broken');
    expect(await call(breaker, true)).toBe(DOWN);
    expect(breaker.getSnapshot()).toMatchObject({ wouldBe: 'OPEN', failures: 2 });
  });

  it('obeys who has forced it open, or disabled it', async () => {
    const { breaker, events } = made(SHADOW);
    await failTwice(breaker);
    breaker.forceOpen();
    expect(breaker.getState()).toBe('FORCED_OPEN');
    expect(await call(breaker, false)).toBeInstanceOf(CircuitBreakerOpenError);
    breaker.disable();
    await failTwice(breaker);
    expect(breaker.getState()).toBe('DISABLED');
    breaker.reset();
    await failTwice(breaker);
    expect(breaker.getState()).toBe('CLOSED');
    expect(typesOf(events)).toEqual([
      'would-open',
      'circuit-state',
      'circuit-rejected',
      'circuit-state',
      'circuit-state',
      'would-open',
    ]);
    expect(events[1]).toMatchObject({ from: 'CLOSED', to: 'FORCED_OPEN', reason: 'forced-open' });
  });

  describe('that is changed', () => {
    it('rejects at once where it would be open, for what is left of that time', async () => {
      const { breaker, events, gauges } = made(SHADOW);
      await failTwice(breaker);
      await wait(400);
      breaker.change(OPTIONS);
      expect(breaker.getState()).toBe('OPEN');
      expect(await call(breaker, false)).toMatchObject({ retryAfterMs: 600, cause: DOWN });
      expect(events[1]).toMatchObject({
        type: 'circuit-state',
        from: 'CLOSED',
        to: 'OPEN',
        reason: 'mode-changed',
        failures: 2,
        retryAfterMs: 600,
      });
      expect(gauges.at(-1)).toBe(2);
      expect(breaker.getSnapshot()).not.toHaveProperty('wouldBe');
    });

    it('lets everybody in at once where it was open, and goes on with its outage in shadow', async () => {
      const { breaker, events, gauges } = made(OPTIONS);
      await failTwice(breaker);
      breaker.change(SHADOW);
      expect(breaker.getState()).toBe('CLOSED');
      expect(await call(breaker, false)).toBe('up');
      expect(breaker.getSnapshot()).toMatchObject({ wouldBe: 'OPEN' });
      expect(gauges.at(-1)).toBe(0);
      expect(events.at(-2)).toMatchObject({ from: 'OPEN', to: 'CLOSED', reason: 'mode-changed' });
      expect(events.at(-1)).toMatchObject({ type: 'would-reject' });
    });

    it('says nothing where it is closed, and keeps its window', async () => {
      const { breaker, events } = made(SHADOW);
      await call(breaker, true);
      breaker.change(OPTIONS);
      expect(events).toEqual([]);
      await call(breaker, true);
      expect(breaker.getState()).toBe('OPEN');
    });
  });

  describe('that instances share', () => {
    it('neither opens the others, nor is opened by them', async () => {
      const payments = new SharedDependency(OPTIONS);
      const shadow = await payments.start(SHADOW);
      const [one, two] = await payments.startMany(2);
      await payments.callTimes(shadow, 2);
      await payments.callTimes(one, 2);
      expect(statesOf([shadow, one, two])).toEqual(['CLOSED', 'OPEN', 'CLOSED']);
      await payments.callTimes(two, 2);
      expect(statesOf([shadow, one, two])).toEqual(['CLOSED', 'OPEN', 'OPEN']);
      const late = await payments.start(SHADOW);
      expect(late.breaker.getSnapshot()).toMatchObject({ state: 'CLOSED', wouldBe: 'CLOSED' });
    });

    it('goes along with what the others have decided once it is enforced, and lets all in once it is not', async () => {
      const payments = new SharedDependency({ ...OPTIONS, shared: true });
      const shadow = await payments.start(SHADOW);
      const [one, two] = await payments.startMany(2);
      await payments.callTimes(one, 2);
      await payments.callTimes(two, 2);
      shadow.breaker.change({ ...OPTIONS, shared: true });
      await settled();
      expect(shadow.breaker.getState()).toBe('OPEN');
      shadow.breaker.change({ ...SHADOW, shared: true });
      expect(await payments.call(shadow)).toEqual(DOWN);
      await wait(1_000);
      expect(await payments.call(shadow)).toEqual(DOWN); // as a probe of its own
      expect(statesOf([one, two])).toEqual(['OPEN', 'OPEN']);
      shadow.breaker.change({ ...OPTIONS, shared: true });
      expect(shadow.breaker.getState()).toBe('OPEN');
    });

    it('cannot be shared, or not any more, at run time', async () => {
      const payments = new SharedDependency({ ...OPTIONS, shared: true });
      const { breaker } = await payments.start();
      expect(() => breaker.change({ ...OPTIONS, timeoutMs: 5 })).toThrow(
        /shared: is false, and \{"quorum":2\} where the application started.*cannot be changed at run time/,
      );
      expect(breaker.options.timeoutMs).toBe(1_000);
    });
  });

  describe('on a random history', () => {
    type Step =
      | { do: 'begin' }
      | { do: 'end'; which: number; fails: boolean }
      | { do: 'wait'; ms: number };
    const step: fc.Arbitrary<Step> = fc.oneof(
      { weight: 10, arbitrary: fc.constant({ do: 'begin' as const }) },
      {
        weight: 10,
        arbitrary: fc.record({
          do: fc.constant('end' as const),
          which: fc.nat(20),
          fails: fc.boolean(),
        }),
      },
      {
        weight: 6,
        arbitrary: fc.record({
          do: fc.constant('wait' as const),
          ms: fc.constantFrom(1, 10, 49, 50, 51, 100, 250),
        }),
      },
    );
    const base = {
      successThreshold: fc.integer({ min: 1, max: 3 }),
      halfOpenMaxCalls: fc.integer({ min: 1, max: 3 }),
      timeoutMs: fc.constantFrom(50, 100),
      timeoutFactor: fc.constantFrom(1, 2),
      rampUpMs: fc.option(fc.constantFrom(100, 250), { nil: undefined }),
      failureThreshold: fc.integer({ min: 1, max: 4 }),
    };
    const anyOptions = fc.oneof(
      fc.record({ ...base, windowMs: fc.constantFrom(50, 250) }),
      fc.record({
        ...base,
        windowCalls: fc.constant(5),
        failureRateThreshold: fc.constantFrom(34, 60),
        slowCallDurationMs: fc.constant(50),
        slowCallRateThreshold: fc.constantFrom(50, 100),
      }),
    );

    /** One call of a breaker, whose end the script decides. */
    function begin(breaker: CircuitBreakerPolicy) {
      let settle: (fails: boolean) => void = () => undefined;
      breaker
        .execute(
          () =>
            new Promise<void>((resolve, reject) => {
              settle = (fails) => (fails ? reject(DOWN) : resolve());
            }),
        )
        .catch(() => undefined);
      return (fails: boolean) => settle(fails);
    }

    const flush = async () => {
      for (let i = 0; i < 6; i++) await Promise.resolve();
    };

    it('would open, reject, probe and close at the very calls at which an enforced one does', async () => {
      await fc.assert(
        fc.asyncProperty(
          anyOptions,
          fc.array(step, { maxLength: 80, size: 'max' }),
          async (options, steps) => {
            const enforced = made(options);
            const shadow = made({ ...options, mode: 'shadow' });
            const pending: ReturnType<typeof begin>[][] = [];
            for (const each of steps) {
              if (each.do === 'begin')
                pending.push([begin(enforced.breaker), begin(shadow.breaker)]);
              else if (each.do === 'wait') jest.advanceTimersByTime(each.ms);
              else {
                const [ending] = pending.splice(each.which % (pending.length || 1), 1);
                for (const end of ending ?? []) end(each.fails);
              }
              await flush();
              const { wouldBe, mode, state, ...shown } = shadow.breaker.getSnapshot();
              expect([wouldBe, mode, state]).toEqual([
                enforced.breaker.getState(),
                'shadow',
                CircuitState.CLOSED,
              ]);
              expect({ ...shown, openedAt: undefined }).toEqual({
                ...enforced.breaker.getSnapshot(),
                state: undefined,
                openedAt: undefined,
              });
            }
            const told = enforced.events.flatMap(({ type, to, reason }) => {
              if (type === 'circuit-rejected') return ['would-reject'];
              return to === CircuitState.OPEN ? [`would-open ${reason}`] : [];
            });
            expect(
              shadow.events.map(({ type, reason }) =>
                type === 'would-open' ? `${type} ${reason}` : type,
              ),
            ).toEqual(told);
          },
        ),
        { numRuns: 150 },
      );
    });
  });
});

describe('A whole application in shadow', () => {
  const boot = booting();

  it('has all its breakers in shadow that do not say otherwise, and counts what they would do', async () => {
    const app = await boot({
      defaults: { mode: 'shadow' },
      breakers: {
        payments: OPTIONS,
        strict: { ...OPTIONS, mode: 'enforce' },
        partner: { ...OPTIONS, key: () => 'acme' },
      },
      services: { stock: { circuitBreaker: OPTIONS } },
    });
    const fail = () => Promise.reject(DOWN);
    for (const options of [
      { circuitBreaker: 'payments' },
      { circuitBreaker: 'partner' },
      { circuitBreaker: OPTIONS, name: 'own' },
    ]) {
      const pipeline = app.pipeline(options);
      for (let i = 0; i < 3; i++) await pipeline.execute(fail).catch(() => undefined);
      const generated = pipeline.observe(() => [1]);
      expect(await new Promise((resolve) => generated.subscribe(resolve))).toBe(1);
    }
    const counted = (name: string) =>
      app.metrics.get('shadow.rejected', { stage: 'circuitBreaker', name, reason: 'open' });
    expect(['payments', 'partner', 'own'].map(counted)).toEqual([2, 2, 2]);
    expect(app.metrics.get('shadow.opened', { breaker: 'partner' })).toBe(1);
    const strict = app.pipeline({ circuitBreaker: 'strict' });
    for (let i = 0; i < 3; i++) await strict.execute(fail).catch(() => undefined);
    expect(app.breakers.get('strict').getState()).toBe('OPEN');
    expect(app.breakers.get('stock').options.mode).toBe('shadow');
    expect(app.breakers.get('payments').getState()).toBe('CLOSED');
  });
});
