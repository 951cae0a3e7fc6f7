import { Alone } from '../attempt/alone.js';
import type {
  Admission,
  AttemptStage,
  Settlement,
  StageAttempt,
} from '../attempt/attempt-stage.js';
import { isDeadline } from '../context/ambient.js';
import { markIfAnswered } from '../context/chaos-marks.js';
import type { AttemptContext, Scope } from '../context/scope.js';
import { type ControlScope, ordersFor } from '../fleet/control-scope.js';
import type { StageHost } from '../stage/stage-host.js';
import { BREAKERS, type BreakerOrder, type FleetOrder, obeyed } from './breaker-orders.js';
import { Circuit } from './circuit.js';
import type { CircuitBreakerOptions } from './circuit-breaker.options.js';
import { CircuitState } from './circuit-state.js';
import type { Permit } from './probes.js';
import { countsAsFailure, failureBy, isSlow, saysNothing } from './verdict.js';

/**
 * Stops calling a dependency that keeps failing, and lets it recover (Michael Nygard, "Release It!";
 * the states and windows follow resilience4j).
 */
export class CircuitBreakerPolicy extends Circuit implements AttemptStage {
  private alone: Alone | undefined = undefined;
  /** So many operations have it as a stage. */
  private operations = 0;

  /** @throws ResilienceConfigurationError */
  constructor(name: string, options?: CircuitBreakerOptions);
  /**
   * @param host is for the module that owns the breaker
   * @internal
   */
  constructor(name: string, options?: CircuitBreakerOptions, host?: StageHost);
  constructor(name: string, options: CircuitBreakerOptions = {}, host?: StageHost) {
    super(name, options, host);
  }

  /**
   * Calls `fn` unless the breaker is open, and learns from how that ends.
   *
   * @throws CircuitBreakerOpenError without calling
   * @throws what `fn` throws, untouched
   *
   * @example
   * await breaker.execute(({ signal }) => fetch('https://shop.test', { signal }));
   */
  execute<T>(fn: (attempt: AttemptContext) => PromiseLike<T>): Promise<T> {
    this.alone ??= new Alone(this, this.name, this.host?.inFlight, { start: 'in a scope' });
    return this.alone.run(fn);
  }

  /**
   * What opened it: the last failure that counted towards the opening, or that of the latest failed
   * probe. `undefined` while it is closed, and where no error did.
   */
  getCause(): unknown {
    return this.getState() === CircuitState.CLOSED ? undefined : this.recovery?.openTime.cause;
  }

  /**
   * Rejects every call until `reset()`, also in shadow: that is somebody's decision, and not the breaker's.
   *
   * With `{ fleet: true }` the breaker of the name does so in each instance, shared or not: at once in this
   * one and in those that are reached, in others when they are back or start. What is said without it is
   * said to this instance only, which goes by that until something newer is said to the fleet.
   *
   * @throws ResilienceConfigurationError with `{ fleet: true }` in an application that has no fleet
   *
   * @example
   * breaker.forceOpen({ by: 'alice', fleet: true }); // and breaker.reset({ fleet: true }) ends it
   */
  forceOpen(scope?: ControlScope): void {
    this.control(CircuitState.FORCED_OPEN, scope);
  }

  /** Lets every call through, and counts none, until `reset()`. @param scope as of `forceOpen()` */
  disable(scope?: ControlScope): void {
    this.control(CircuitState.DISABLED, scope);
  }

  /** Closes it, with an empty window. @param scope as of `forceOpen()` */
  reset(scope?: ControlScope): void {
    this.control(null, scope);
  }

  /** Is in a state as if calls had brought it there, for tests. @internal */
  become(state: CircuitState.CLOSED | CircuitState.OPEN | CircuitState.HALF_OPEN): void {
    if (this.state !== CircuitState.CLOSED) this.reset();
    if (state === CircuitState.CLOSED) return;
    this.enter({ to: CircuitState.OPEN, reason: 'failure-threshold' });
    if (state === CircuitState.HALF_OPEN)
      this.enter({ to: CircuitState.HALF_OPEN, reason: 'open-time-passed' });
  }

  /**
   * Somebody has told the whole fleet. A reset of before this instance was there only ends what was forced:
   * what the breaker has learnt since is its own.
   *
   * @internal
   */
  obey({ value, by, ageMs }: FleetOrder): void {
    if (value === null && ageMs > 0 && this.forcedState === undefined) return;
    const { to, byFleet } = obeyed(value);
    this.enter({ to, reason: byFleet, by });
  }

  /**
   * Whether what happens inside of a call matters: not while everybody is let through, unless calls can be
   * slow, or be made inside of each other.
   */
  get needsScope(): boolean {
    return (
      this.recovery !== undefined ||
      this.isNested ||
      this.options.slowCallDurationMs !== undefined ||
      this.operations > (this.alone === undefined ? 1 : 0)
    );
  }

  /** @internal */
  joined(): void {
    this.operations++;
  }

  admit(attempt: StageAttempt, at: number): Permit {
    return this.acquire(at, attempt.scope);
  }

  wait(attempt: StageAttempt, admitted: (ask: () => Admission) => void): () => void {
    return this.askFleet(attempt.scope as Scope, admitted);
  }

  /**
   * A crowd that was let in before the breaker opened must not run after.
   *
   * @throws CircuitBreakerOpenError
   */
  confirm(permit: Permit, attempt: StageAttempt, at: number): void {
    this.askAgain(permit, attempt.scope, at);
  }

  settled(
    permit: Permit,
    attempt: StageAttempt,
    how: Settlement,
    error: unknown,
    at: number,
    result?: unknown,
  ): void {
    const { startedAt, scope } = attempt;
    if (how === 'success') {
      if (this.options.isFailureResult !== undefined)
        this.judgeResult(permit, result, startedAt, at, scope);
      else this.answered(permit, isSlow(startedAt, at, scope, this.options), at, scope);
    } else if (how === 'failure') this.failed(permit, error, startedAt, at, scope);
    else if (how === 'cut') this.cut(permit, error, startedAt, scope as Scope, at);
    else this.release(permit);
  }

  /**
   * The call ended with a result, of which `isFailureResult` says whether it is a failure.
   *
   * @throws FailedResult where it is one; what the predicate throws, and then the call counts as a failure.
   * Nothing in shadow: the call has its result.
   */
  private judgeResult(
    permit: Permit,
    result: unknown,
    startedAt: number,
    at: number,
    scope: Scope | undefined,
  ): void {
    const failure = failureBy(result, this);
    const slow = isSlow(startedAt, at, scope, this.options);
    if (failure === undefined) {
      this.answered(permit, slow, at, scope);
      return;
    }
    markIfAnswered(failure.error, scope);
    this.failedBy(failure.error, permit, slow, at, scope);
    if (!this.isShadow) throw failure.error;
  }

  /**
   * The call failed; whether that counts is for `isFailure` to say. What does not is an answer all the
   * same: of a probe it proves that the dependency answers, while the breaker is closed it is no outcome.
   *
   * @throws what `isFailure` throws, and then the call counts as a failure; in shadow its caller does not get that
   */
  private failed(
    permit: Permit,
    error: unknown,
    startedAt: number,
    at: number,
    scope: Scope | undefined,
  ): void {
    let counts = true;
    try {
      counts = countsAsFailure(error, this);
    } catch (mistake) {
      if (!this.isShadow) throw mistake;
    } finally {
      const slow = isSlow(startedAt, at, scope, this.options);
      if (counts) this.failedBy(error, permit, slow, at, scope);
      else if (saysNothing(error)) this.release(permit);
      else this.probeAnswered(permit, slow, at);
    }
  }

  /**
   * The call was cut: by a deadline, which is a failure unless it passed in queues of ours or was told
   * to a call around this one through the same breaker; or by a caller that lost interest.
   *
   * @throws what `isFailure` throws, and then the call counts as a failure
   */
  private cut(permit: Permit, reason: unknown, startedAt: number, scope: Scope, at: number): void {
    if (!isDeadline(reason) || scope.isQueued(startedAt, at) || scope.callThrough(this)?.aborted)
      this.release(permit);
    else this.failed(permit, reason, startedAt, at, scope);
  }

  private control(order: BreakerOrder, scope: ControlScope | undefined): void {
    const orders = ordersFor(scope, this.host?.fleet?.orders, this.place);
    const { to, byHand } = obeyed(order);
    if (orders !== undefined && order === null) void this.shared?.overrule(); // before the others ask
    const by = scope?.by;
    this.enter({ to, reason: byHand, by });
    orders?.give(BREAKERS, this.name, order, by);
  }
}
