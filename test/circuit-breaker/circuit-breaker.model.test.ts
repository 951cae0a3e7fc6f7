import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { CircuitBreakerOpenError, CircuitBreakerPolicy } from '../../lib/index.js';

/** What the model knows of a call that was let through. */
interface ModelCall {
  /** Which stay in a state it began in. */
  stay: number;
  startedAt: number;
}

interface ModelOptions {
  failureThreshold?: number;
  successThreshold: number;
  halfOpenMaxCalls: number;
  timeoutMs: number;
  timeoutFactor?: number;
  maxTimeoutMs?: number;
  timeoutJitter?: number;
  rampUpMs?: number;
  windowMs?: number;
  windowCalls?: number;
  failureRateThreshold?: number;
  minimumCalls?: number;
  slowCallDurationMs?: number;
  slowCallRateThreshold?: number;
}

/** The rules of the breaker, written down as plainly as possible. */
class Model {
  state = 'CLOSED';
  stay = 0;
  outcomes: { at: number; failed: boolean; slow: boolean }[] = [];
  probes: ModelCall[] = [];
  probeSuccesses = 0;
  openedAt = 0;
  /** How often in a row recovery has failed. */
  setbacks = 0;
  /** The calls of the ramp, each by the share that was admitted when it came; nothing without a ramp. */
  ramp: { beganAt: number; lengthMs: number; shares: number[] } | undefined;

  constructor(
    public options: ModelOptions,
    private readonly drawn: number,
  ) {}

  openMs(): number {
    const { timeoutMs, timeoutFactor = 1, timeoutJitter = 0 } = this.options;
    const { maxTimeoutMs = 10 * timeoutMs } = this.options;
    const ms = Math.min(maxTimeoutMs, timeoutMs * timeoutFactor ** this.setbacks);
    const [from, to] = [ms - ms * timeoutJitter, ms + ms * timeoutJitter];
    return from + this.drawn * (Math.min(to, maxTimeoutMs) - from);
  }

  /** @returns nothing where it rejects */
  begin(at: number): ModelCall | undefined {
    const { timeoutMs, halfOpenMaxCalls } = this.options;
    if (this.state === 'FORCED_OPEN') return undefined;
    if (this.state === 'OPEN' && at - this.openedAt >= this.openMs()) this.enter('HALF_OPEN', at);
    if (this.state === 'OPEN') return undefined;
    if (this.state === 'CLOSED' && !this.isLetBack(at)) return undefined;
    const call = { stay: this.stay, startedAt: at };
    if (this.state === 'HALF_OPEN') {
      this.probes = this.probes.filter((probe) => at - probe.startedAt < timeoutMs);
      if (this.probes.length >= halfOpenMaxCalls) return undefined;
      this.probes.push(call);
    }
    return call;
  }

  end(call: ModelCall, outcome: Outcome, at: number): void {
    const { slowCallDurationMs = Number.POSITIVE_INFINITY } = this.options;
    this.probes = this.probes.filter((probe) => probe !== call);
    if (call.stay !== this.stay) return;
    const failed = outcome === 'failure';
    const slow = at - call.startedAt > slowCallDurationMs;
    if (this.state === 'CLOSED' && outcome !== 'client error') {
      this.outcomes.push({ at, failed, slow });
      if (this.hasToOpen(at, failed)) {
        this.setbacks = this.isRampingUp(at) ? this.setbacks + 1 : 0;
        this.enter('OPEN', at);
      }
    }
    if (call.stay === this.stay && this.state === 'HALF_OPEN') {
      if (failed || (slow && this.options.slowCallRateThreshold !== undefined)) {
        this.setbacks++;
        this.enter('OPEN', at);
      } else {
        this.probeSuccesses++;
        if (this.probeSuccesses >= this.options.successThreshold) this.close(at);
      }
    }
  }

  /** By hand. */
  put(state: string, at: number): void {
    this.setbacks = 0;
    this.enter(state, at);
  }

  /** Other options hold from now on, for what is left of the window, and for all of an open time. */
  change(options: ModelOptions, at: number): void {
    const isOtherKind =
      (options.windowCalls === undefined) !== (this.options.windowCalls === undefined);
    this.outcomes = isOtherKind ? [] : this.window(at);
    this.options = options;
  }

  private close(at: number): void {
    const { rampUpMs } = this.options;
    this.enter('CLOSED', at);
    if (rampUpMs !== undefined) this.ramp = { beganAt: at, lengthMs: rampUpMs, shares: [] };
  }

  private isRampingUp(at: number): boolean {
    return this.ramp !== undefined && at - this.ramp.beganAt < this.ramp.lengthMs;
  }

  /** As many calls are let back as the shares of all of them add up to, beginning with the first. */
  private isLetBack(at: number): boolean {
    if (this.ramp === undefined || !this.isRampingUp(at)) return true;
    const { beganAt, lengthMs, shares } = this.ramp;
    const letBack = () => Math.floor(0.9 + shares.reduce((sum, share) => sum + share, 0) + 1e-9);
    const before = letBack();
    const share = 0.1 + (0.9 * (at - beganAt)) / lengthMs;
    shares.push(Math.round(share * 1e4) / 1e4);
    return letBack() > before;
  }

  private enter(state: string, at: number): void {
    this.state = state;
    this.ramp = undefined;
    this.stay++;
    this.outcomes = [];
    this.probes = [];
    this.probeSuccesses = 0;
    this.openedAt = at;
  }

  window(at: number) {
    const { windowMs, windowCalls } = this.options;
    if (windowCalls !== undefined) return this.outcomes.slice(-windowCalls);
    return this.outcomes.filter((outcome) => at - outcome.at < (windowMs ?? 30_000));
  }

  private hasToOpen(at: number, failed: boolean): boolean {
    const { failureThreshold, failureRateThreshold, slowCallRateThreshold, minimumCalls } =
      this.options;
    const window = this.window(at);
    const failures = window.filter((outcome) => outcome.failed).length;
    const slow = window.filter((outcome) => outcome.slow).length;
    if (failureThreshold !== undefined && failed && failures >= failureThreshold) return true;
    if (window.length < (minimumCalls ?? 1)) return false;
    const percent = (count: number) => (count / window.length) * 100;
    return (
      (failureRateThreshold !== undefined && percent(failures) >= failureRateThreshold) ||
      (slowCallRateThreshold !== undefined && percent(slow) >= slowCallRateThreshold)
    );
  }
}

type Outcome = 'success' | 'failure' | 'client error';

type Step =
  | { do: 'begin' }
  | { do: 'end'; which: number; outcome: Outcome }
  | { do: 'wait'; ms: number }
  | { do: 'reset' | 'forceOpen' | 'disable' }
  | { do: 'change'; options: ModelOptions };

/** Calls that no `end` picks never settle. */
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: fc.constant({ do: 'begin' as const }) },
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant('end' as const),
      which: fc.nat(20),
      outcome: fc.oneof(
        { weight: 4, arbitrary: fc.constant<Outcome>('failure') },
        { weight: 4, arbitrary: fc.constant<Outcome>('success') },
        { weight: 1, arbitrary: fc.constant<Outcome>('client error') },
      ),
    }),
  },
  // Steps as long as the windows and timeouts below, to meet their edges.
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.constantFrom(1, 10, 49, 50, 51, 99, 100, 101, 250),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('reset' as const, 'forceOpen' as const, 'disable' as const),
    }),
  },
);

const recovery = {
  successThreshold: fc.integer({ min: 1, max: 3 }),
  halfOpenMaxCalls: fc.integer({ min: 1, max: 3 }),
  timeoutMs: fc.constantFrom(50, 100),
};

/** Sums and products of these are exact, so that the model can say the same in other words. */
const gradualRecovery = {
  successThreshold: fc.integer({ min: 1, max: 2 }),
  halfOpenMaxCalls: fc.integer({ min: 1, max: 2 }),
  timeoutMs: fc.constantFrom(50, 100),
  timeoutFactor: fc.constantFrom(1, 1.5, 2),
  maxTimeoutMs: fc.constantFrom(100, 200, 250, 1_000),
  timeoutJitter: fc.constantFrom(0, 0.25, 0.5),
  rampUpMs: fc.constantFrom(undefined, 100, 250),
};
const draws = fc.constantFrom(0, 0.25, 0.5, 0.75);

const CLIENT_ERROR = Object.assign(new Error(), { status: 404 });
const FAILURE = new Error('failure');

async function flush(): Promise<void> {
  for (let i = 0; i < 6; i++) await Promise.resolve();
}

async function behavesLikeItsModel(
  options: ModelOptions,
  steps: Step[],
  drawn: number,
): Promise<void> {
  jest.spyOn(Math, 'random').mockReturnValue(drawn);
  const model = new Model(options, drawn);
  const breaker = new CircuitBreakerPolicy('modelled', options);
  const pending: { settle: (outcome: Outcome) => void; call: ModelCall | undefined }[] = [];

  const begin = async () => {
    const call = model.state === 'DISABLED' ? undefined : model.begin(performance.now());
    const admitted = call !== undefined || model.state === 'DISABLED';
    let ran = false;
    let rejection: unknown;
    breaker
      .execute(() => {
        ran = true;
        return new Promise<void>((resolve, reject) => {
          const settle = (outcome: Outcome) =>
            outcome === 'success'
              ? resolve()
              : reject(outcome === 'failure' ? FAILURE : CLIENT_ERROR);
          pending.push({ settle, call });
        });
      })
      .catch((error: unknown) => {
        rejection = error;
      });
    await flush();
    expect(ran).toBe(admitted);
    if (admitted) return;
    expect(rejection).toBeInstanceOf(CircuitBreakerOpenError);
    if (model.state === 'OPEN')
      expect(rejection).toMatchObject({
        retryAfterMs: Math.ceil(model.openMs() - (performance.now() - model.openedAt)),
      });
  };

  const end = async (which: number, outcome: Outcome) => {
    const [ending] = pending.splice(which % pending.length, 1);
    if (ending === undefined) return;
    if (ending.call !== undefined) model.end(ending.call, outcome, performance.now());
    ending.settle(outcome);
    await flush();
  };

  const states = { reset: 'CLOSED', forceOpen: 'FORCED_OPEN', disable: 'DISABLED' };
  for (const step of steps) {
    if (step.do === 'begin') await begin();
    else if (step.do === 'end') await end(step.which, step.outcome);
    else if (step.do === 'wait') jest.advanceTimersByTime(step.ms);
    else if (step.do === 'change') {
      breaker.change(step.options);
      model.change(step.options, performance.now());
    } else {
      breaker[step.do]();
      model.put(states[step.do], performance.now());
    }
    expect(breaker.getState()).toBe(model.state);
    // A window of time is counted in buckets for the snapshot, so it is exact only for calls.
    if (model.state !== 'CLOSED' || model.options.windowCalls === undefined) continue;
    const window = model.window(performance.now());
    expect(breaker.getSnapshot()).toMatchObject({
      calls: window.length,
      failures: window.filter((outcome) => outcome.failed).length,
    });
  }
  expect(jest.getTimerCount()).toBe(0);
}

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
  jest.restoreAllMocks();
});

describe('a breaker behaves like its model in any interleaving of calls, ends and time', () => {
  const steps = fc.array(anyStep, { maxLength: 80, size: 'max' });
  const runs = { numRuns: 150 };

  it('counting failures in a window of time', async () => {
    const options = fc.record({
      ...recovery,
      failureThreshold: fc.integer({ min: 1, max: 4 }),
      windowMs: fc.constantFrom(50, 100, 250),
    });
    await fc.assert(fc.asyncProperty(options, steps, draws, behavesLikeItsModel), runs);
  });

  it('judging rates of failures and slow calls in a window of calls', async () => {
    const options = fc.integer({ min: 1, max: 6 }).chain((windowCalls) =>
      fc.record(
        {
          ...recovery,
          windowCalls: fc.constant(windowCalls),
          failureRateThreshold: fc.constantFrom(1, 25, 33, 50, 67, 100),
          minimumCalls: fc.integer({ min: 1, max: windowCalls }),
          failureThreshold: fc.integer({ min: 1, max: windowCalls }),
          slowCallDurationMs: fc.constantFrom(10, 50),
          slowCallRateThreshold: fc.constantFrom(50, 100),
        },
        {
          requiredKeys: [
            'successThreshold',
            'halfOpenMaxCalls',
            'timeoutMs',
            'windowCalls',
            'failureRateThreshold',
            'minimumCalls',
            'slowCallDurationMs',
          ],
        },
      ),
    );
    await fc.assert(fc.asyncProperty(options, steps, draws, behavesLikeItsModel), runs);
  });

  it('judging slow calls in a window of calls', async () => {
    const options = fc.integer({ min: 2, max: 5 }).chain((windowCalls) =>
      fc.record({
        ...recovery,
        windowCalls: fc.constant(windowCalls),
        failureThreshold: fc.constant(windowCalls),
        minimumCalls: fc.constant(windowCalls),
        slowCallDurationMs: fc.constant(10),
        slowCallRateThreshold: fc.constantFrom(60, 100),
      }),
    );
    await fc.assert(fc.asyncProperty(options, steps, draws, behavesLikeItsModel), runs);
  });

  it('counting failures in a window of calls', async () => {
    const options = fc.integer({ min: 1, max: 6 }).chain((windowCalls) =>
      fc.record({
        ...recovery,
        windowCalls: fc.constant(windowCalls),
        failureThreshold: fc.integer({ min: 1, max: windowCalls }),
      }),
    );
    await fc.assert(fc.asyncProperty(options, steps, draws, behavesLikeItsModel), runs);
  });

  it('recovering gradually, and less hopefully each time', async () => {
    const options = fc.record({
      ...gradualRecovery,
      failureThreshold: fc.integer({ min: 1, max: 2 }),
      windowCalls: fc.constant(4),
    });
    await fc.assert(fc.asyncProperty(options, steps, draws, behavesLikeItsModel), runs);
  });
});

describe('a breaker behaves like its model also where its options change in between', () => {
  const runs = { numRuns: 150 };
  const anyOptions: fc.Arbitrary<ModelOptions> = fc.oneof(
    fc.record({
      ...gradualRecovery,
      failureThreshold: fc.integer({ min: 1, max: 4 }),
      windowMs: fc.constantFrom(50, 100, 250),
    }),
    fc.integer({ min: 1, max: 6 }).chain((windowCalls) =>
      fc.record({
        ...gradualRecovery,
        windowCalls: fc.constant(windowCalls),
        failureThreshold: fc.integer({ min: 1, max: windowCalls }),
        minimumCalls: fc.integer({ min: 1, max: windowCalls }),
        failureRateThreshold: fc.constantFrom(33, 50, 100),
      }),
    ),
  );
  const change = anyOptions.map((options): Step => ({ do: 'change', options }));

  it('to other sizes of its window, other kinds of it, and other ways to recover', async () => {
    const steps = fc.array(
      fc.oneof({ weight: 5, arbitrary: anyStep }, { weight: 1, arbitrary: change }),
      { maxLength: 80, size: 'max' },
    );
    await fc.assert(fc.asyncProperty(anyOptions, steps, draws, behavesLikeItsModel), runs);
  });
});

describe('a breaker judges rates in a window of time within the precision of its buckets', () => {
  it('between all calls of 95 % and all calls of 100 % of the window', async () => {
    const calls = fc.array(fc.record({ waitMs: fc.nat(300), failed: fc.boolean() }), {
      minLength: 1,
      maxLength: 60,
      size: 'max',
    });
    await fc.assert(
      fc.asyncProperty(calls, async (script) => {
        const breaker = new CircuitBreakerPolicy('rate', {
          windowMs: 1_000,
          failureRateThreshold: 100,
          minimumCalls: 1_000,
        });
        const outcomes: { at: number; failed: boolean }[] = [];
        for (const { waitMs, failed } of script) {
          jest.advanceTimersByTime(waitMs);
          const at = performance.now();
          await breaker
            .execute(() => (failed ? Promise.reject(FAILURE) : Promise.resolve()))
            .catch(() => undefined);
          outcomes.push({ at, failed });
          const within = (ms: number) => outcomes.filter((outcome) => at - outcome.at < ms);
          const { calls: counted, failures } = breaker.getSnapshot();
          expect(counted).toBeGreaterThanOrEqual(within(950).length);
          expect(counted).toBeLessThanOrEqual(within(1_000).length);
          const latest = outcomes.slice(outcomes.length - counted); // and no others than the latest
          expect(failures).toBe(latest.filter((outcome) => outcome.failed).length);
        }
      }),
      { numRuns: 100 },
    );
  });
});
