import { inspect } from 'node:util';
import {
  type BulkheadPolicy,
  type CircuitBreakerPolicy,
  CircuitState,
  type RateLimitPolicy,
  ResilienceConfigurationError,
} from '../index.js';
import { check, counted } from './check.js';

/** A circuit breaker, to be put into a state and to be asked for it. */
export class BreakerInTest {
  /** @internal */
  constructor(
    /** The breaker itself. */
    readonly policy: CircuitBreakerPolicy,
  ) {}

  /** The state that it is in; in shadow mode, the one that it would be in. */
  get state(): CircuitState {
    const { state, wouldBe } = this.policy.getSnapshot();
    return wouldBe ?? state;
  }

  /** Opens it as failures would: its open time begins. */
  open(): void {
    this.policy.become(CircuitState.OPEN);
  }

  /** Makes it half-open, as at the end of its open time: the next calls are its probes. */
  halfOpen(): void {
    this.policy.become(CircuitState.HALF_OPEN);
  }

  /** Closes it, with an empty window. */
  close(): void {
    this.policy.become(CircuitState.CLOSED);
  }

  /** Asserts that it is open, by itself or by force. @throws AssertionError */
  toBeOpen(): void {
    this.toBe([CircuitState.OPEN, CircuitState.FORCED_OPEN], this.toBeOpen);
  }

  /** Asserts that it is half-open. @throws AssertionError */
  toBeHalfOpen(): void {
    this.toBe([CircuitState.HALF_OPEN], this.toBeHalfOpen);
  }

  /** Asserts that it is closed. @throws AssertionError */
  toBeClosed(): void {
    this.toBe([CircuitState.CLOSED], this.toBeClosed);
  }

  // biome-ignore lint/complexity/noBannedTypes: whatever is called by a test
  private toBe(states: readonly CircuitState[], by: Function): void {
    const { name } = this.policy;
    const { failures, calls } = this.policy.getSnapshot();
    const [expected] = states;
    check(
      states.includes(this.state),
      `circuit breaker "${name}" was to be ${expected}, and is ${this.state}, with ${counted(failures, 'failure')} in ${counted(calls, 'call')}`,
      { actual: this.state, expected, operator: by.name },
      by,
    );
  }
}

/** A bulkhead, to be filled and to be asked how full it is. */
export class BulkheadInTest {
  private held: (() => void)[] = [];

  /** @internal */
  constructor(
    /** The bulkhead itself. */
    readonly policy: BulkheadPolicy,
  ) {}

  /** Holds all slots that are free, until `free()`. */
  fill(): void {
    const { running, maxConcurrent } = this.policy.getSnapshot();
    for (let left = maxConcurrent - running; left > 0; left--)
      this.policy
        .execute(() => new Promise<void>((resolve) => this.held.push(resolve)))
        .catch(() => undefined);
  }

  /** Gives back what `fill()` holds. */
  free(): void {
    for (const release of this.held.splice(0)) release();
  }

  /** Asserts that all slots are taken. @throws AssertionError */
  toBeFull(): void {
    const { name, running, maxConcurrent, queued } = this.policy.getSnapshot();
    check(
      running >= maxConcurrent,
      `bulkhead "${name}" was to be full, and has ${counted(running, 'call')} in ${counted(maxConcurrent, 'slot')}, and ${queued} in its queue`,
      { actual: running, expected: maxConcurrent, operator: 'toBeFull' },
      this.toBeFull,
    );
  }

  /** Asserts that no call holds a slot, or waits for one. @throws AssertionError */
  toBeIdle(): void {
    const { name, running, queued } = this.policy.getSnapshot();
    check(
      running + queued === 0,
      `bulkhead "${name}" was to be idle, and has ${counted(running, 'call')}, and ${queued} in its queue`,
      { actual: { running, queued }, expected: { running: 0, queued: 0 }, operator: 'toBeIdle' },
      this.toBeIdle,
    );
  }
}

/** A rate limit, to be used up and to be asked what is left of it. */
export class RateLimitInTest {
  /** @internal */
  constructor(
    /** The rate limit itself. */
    readonly policy: RateLimitPolicy,
  ) {}

  /**
   * Lets nobody in for a time, as if the partner had asked for it; then calls begin at the rate of the limit.
   *
   * @param forMs how long, in ms above 0; its interval by default
   * @throws ResilienceConfigurationError where it is no such time
   */
  exhaust(forMs = this.policy.getSnapshot().intervalMs): void {
    if (!(Number.isFinite(forMs) && forMs > 0))
      throw new ResilienceConfigurationError(
        'exhaust()',
        `is given ${inspect(forMs)}; allowed: ms above 0`,
      );
    this.policy.pause(forMs);
  }

  /** Asserts that no call could begin at once. @throws AssertionError */
  toBeExhausted(): void {
    const { name, available, limit, intervalMs } = this.policy.getSnapshot();
    check(
      available === 0,
      `rate limit "${name}" was to be exhausted, and lets in ${counted(available, 'call')} more, by ${limit} in ${intervalMs} ms`,
      { actual: available, expected: 0, operator: 'toBeExhausted' },
      this.toBeExhausted,
    );
  }
}
