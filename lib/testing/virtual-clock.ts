import { AsyncLocalStorage } from 'node:async_hooks';
import { inspect } from 'node:util';
import { type ClockSource, MAX_TIMER_MS, nodeSetImmediate, useClock } from '../bench.js';
import { ResilienceConfigurationError } from '../index.js';
import { oneTurn, quiet } from './quiet.js';

/** A timer of the library. In one of Node's, whether it keeps the process alive would make a difference. */
interface Timer {
  readonly dueAt: number;
  /** Of two that are due at once, the one that was set before is first. */
  readonly order: number;
  /** Sets it in the async context of who has set it. */
  readonly ring: () => void;
}

/** Time for the library, which passes only when a test says so. */
export interface VirtualClock {
  /** How far it has gone, in ms; it begins at 0. */
  readonly nowMs: number;
  /**
   * Lets so much time pass: rings each timer of the library that becomes due, in its order. Before, between and after,
   * all happens that needs no time: promises, immediates, files, and answers of servers in this process, such as
   * `scriptedUpstream()`. Answers of other hosts, and timers of other code, are not waited for.
   *
   * @param ms 0 lets all happen that is due now
   */
  advance(ms: number): Promise<void>;
  /** Puts the library back on the real clock, where what waits goes on. */
  restore(): void;
  /** Gives the real time back, at the end of a `using` block. */
  [Symbol.dispose](): void;
}

let inForce: Source | undefined;

/**
 * Puts the library of this process on a clock that stands still until `advance()`: backoffs, open times, windows,
 * rate limits, queues, timeouts, hedges and ages go by it. Nothing global is faked: timers and dates of other code
 * stay real.
 *
 * @throws ResilienceConfigurationError where one is in force already
 *
 * @example
 * const clock = virtualClock();
 * const answer = payments.charge(order); // fails, and waits before it tries again
 * await clock.advance(100);
 */
export function virtualClock(): VirtualClock {
  if (inForce !== undefined)
    throw new ResilienceConfigurationError(
      'virtualClock()',
      `is called while another is in force, which was made ${inForce.madeAt}; allowed: one at a time in a process, also of tests that run at once: restore() the one before in afterEach(), or make it by \`using clock = virtualClock()\``,
    );
  const source = new Source(callerOf(virtualClock));
  inForce = source;
  useClock(source);
  const restore = () => {
    if (inForce !== source) return;
    inForce = undefined;
    useClock(undefined);
  };
  return {
    get nowMs() {
      return source.nowMs;
    },
    advance: (ms) => source.advance(ms),
    restore,
    [Symbol.dispose]: restore,
  };
}

/** What the library lives by meanwhile. */
class Source implements ClockSource {
  nowMs = 0;
  private readonly beganAt = Date.now();
  private readonly timers = new Set<Timer>();
  private set = 0;
  private advancing: Promise<void> = Promise.resolve();
  private isRingingNow = false;

  /** @param madeAt where in the code, for who finds it in force */
  constructor(readonly madeAt: string) {}

  readonly now = (): number => this.nowMs;

  readonly wallNow = (): number => this.beganAt + Math.floor(this.nowMs);

  readonly setTimeout = (run: () => void, delayMs: number): Timer => {
    const inContext = AsyncLocalStorage.snapshot();
    const timer: Timer = {
      dueAt: this.nowMs + Math.min(Math.max(0, delayMs), MAX_TIMER_MS),
      order: this.set++,
      ring: () => inContext(run),
    };
    this.timers.add(timer);
    if (timer.dueAt <= this.nowMs) this.ringSoon();
    return timer;
  };

  readonly clearTimeout = (timer: unknown): void => {
    this.timers.delete(timer as Timer);
  };

  /** One after the other, where a test does not wait for the one before. */
  advance(ms: number): Promise<void> {
    if (!(Number.isFinite(ms) && ms >= 0))
      throw new ResilienceConfigurationError(
        'advance()',
        `is given ${inspect(ms)}; allowed: a number of ms from 0`,
      );
    const done = this.advancing.then(() => this.run(ms));
    this.advancing = done.catch(() => undefined);
    return done;
  }

  private async run(ms: number): Promise<void> {
    await quiet();
    const until = this.nowMs + ms;
    for (let next = this.next(until); next !== undefined; next = this.next(until)) {
      this.nowMs = Math.max(this.nowMs, next.dueAt);
      this.ring(next);
      // Of many that are due at once, each has the promises of those before behind it, and only the last waits for more.
      await (this.next(this.nowMs) === undefined ? quiet() : oneTurn());
    }
    this.nowMs = until;
  }

  private next(until: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.timers)
      if (timer.dueAt <= until && (first === undefined || comesBefore(timer, first))) first = timer;
    return first;
  }

  private ring(timer: Timer): void {
    this.timers.delete(timer);
    timer.ring();
  }

  /** What waits for no time at all needs nobody to let it pass. */
  private ringSoon(): void {
    if (this.isRingingNow) return;
    this.isRingingNow = true;
    nodeSetImmediate(() => {
      this.isRingingNow = false;
      const due = this.next(this.nowMs);
      if (due === undefined) return;
      this.ring(due);
      this.ringSoon();
    });
  }
}

/** `at payments.test.ts:12:5`, as a stack says it. */
// biome-ignore lint/complexity/noBannedTypes: whatever is called by a test
function callerOf(called: Function): string {
  const at: { stack?: string } = {};
  Error.captureStackTrace(at, called);
  return at.stack?.split('\n')[1]?.trim() ?? 'somewhere';
}

function comesBefore(one: Timer, other: Timer): boolean {
  return one.dueAt < other.dueAt || (one.dueAt === other.dueAt && one.order < other.order);
}
