import { now } from '../common/clock.js';
import { remembering } from '../common/options.js';
import type { WindowCounts } from '../common/time-window.js';
import { isDeadline } from '../context/ambient.js';
import { markIfAnswered } from '../context/chaos-marks.js';
import type { AttemptContext, Scope } from '../context/scope.js';
import { type ControlScope, ordersFor } from '../fleet/orders.js';
import { Alone } from '../stage/alone.js';
import type { AttemptStage, Retention, Settlement, StageAttempt } from '../stage/attempt-stage.js';
import type { StageHost } from '../stage/stage-host.js';
import { BREAKERS, type BreakerOrder, type FleetOrder, obeyed } from './breaker-orders.js';
import { CircuitBreakerOpenError } from './circuit-breaker.error.js';
import {
  type CircuitBreakerOptions,
  checkCircuitBreakerOptions,
  type ResolvedCircuitBreakerOptions,
  resolveCircuitBreakerOptions,
} from './circuit-breaker.options.js';
import { CircuitBreakerTelemetry } from './circuit-breaker.telemetry.js';
import {
  type CircuitBreakerSnapshot,
  CircuitState,
  type CircuitTransitionDetails,
  type CircuitTransitionReason,
} from './circuit-state.js';
import { KnownFailures } from './known-failures.js';
import { type Failure, Outcomes } from './outcomes.js';
import { type Permit, Probes } from './probes.js';
import { Recovery } from './recovery.js';
import { countsAsFailure, failureBy, isSlow, saysNothing } from './verdict.js';

const optionsOf = remembering((place, options: CircuitBreakerOptions) => {
  const given = checkCircuitBreakerOptions(place, options);
  return { given, options: resolveCircuitBreakerOptions(place, given) };
});

const NO_CALLS: WindowCounts = Object.freeze({ calls: 0, failures: 0, slow: 0 });

/** The permit of a call that is not counted. */
const UNCOUNTED: Permit = 0;

/**
 * Stops calling a dependency that keeps failing, and lets it recover (Michael Nygard, "Release It!";
 * the states and windows follow resilience4j).
 *
 * Permits are numbers in the order of the calls: one that began before the state last changed changes
 * nothing when it ends. Of calls inside calls through one breaker, the innermost is counted, and the
 * others only where they fail by something new; half-open, all of a probe is judged as one. It holds no
 * timer: whether it is time for a probe is asked when a call comes, on the monotonic clock.
 */
export class CircuitBreakerPolicy implements AttemptStage {
  readonly options: Readonly<ResolvedCircuitBreakerOptions>;
  /** The options without the defaults, for who builds on them. @internal */
  readonly given: Readonly<CircuitBreakerOptions>;
  private state = CircuitState.CLOSED;
  private sequence: Permit = UNCOUNTED;
  /** While it is closed, the first permit of this time; no permit is as late while it is not. */
  private closedSince: Permit = UNCOUNTED + 1;
  /** From the opening until everybody has been let back. */
  private recovery: Recovery | undefined = undefined;
  /** While it is half-open. */
  private probes: Probes | undefined = undefined;
  // Made when they are first needed, and dropped when they have to be empty: an idle breaker is small.
  private outcomes: Outcomes | undefined = undefined;
  private knownFailures: KnownFailures | undefined = undefined;
  private readonly telemetry: CircuitBreakerTelemetry | undefined;
  private alone: Alone | undefined = undefined;
  /** So many operations have it as a stage. */
  private operations = 0;
  /** Calls through it have been made inside of each other. */
  private isNested = false;
  /** In which a new one would be by force. */
  private usualState: CircuitState | undefined = undefined;

  /** @throws ResilienceConfigurationError */
  constructor(name: string, options?: CircuitBreakerOptions);
  /**
   * @param host is for the module that owns the breaker
   * @internal
   */
  constructor(name: string, options?: CircuitBreakerOptions, host?: StageHost);
  constructor(
    readonly name: string,
    options: CircuitBreakerOptions = {},
    private readonly host?: StageHost,
  ) {
    const inForce = optionsOf(this.place, options);
    this.given = inForce.given;
    this.options = inForce.options;
    this.telemetry = host && new CircuitBreakerTelemetry(name, host);
  }

  /**
   * Calls `fn` unless the breaker is open, and learns from how that ends.
   *
   * @throws CircuitBreakerOpenError without calling
   * @throws what `fn` throws, untouched
   */
  execute<T>(fn: (attempt: AttemptContext) => PromiseLike<T>): Promise<T> {
    this.alone ??= new Alone(this, this.name, this.host?.inFlight, { start: 'in a scope' });
    return this.alone.run(fn);
  }

  getState(): CircuitState {
    return this.state;
  }

  getSnapshot(): CircuitBreakerSnapshot {
    const at = now();
    const { calls, failures, slow } = this.outcomes?.counts(at) ?? NO_CALLS;
    const snapshot: CircuitBreakerSnapshot = {
      name: this.name,
      state: this.state,
      failures,
      successes: calls - failures,
      calls,
      failureRate: calls === 0 ? 0 : (failures / calls) * 100,
      slowCallRate: calls === 0 ? 0 : (slow / calls) * 100,
    };
    if (this.recovery === undefined || this.recovery.isOver(at)) return snapshot;
    const { openTime, rampUp } = this.recovery;
    if (rampUp !== undefined) snapshot.rampUpShare = rampUp.share(at);
    else snapshot.openedAt = openTime.outageBeganAt;
    if (this.state === CircuitState.OPEN) snapshot.retryAfterMs = openTime.leftMs(at);
    return snapshot;
  }

  /**
   * What opened it: the last failure that counted towards the opening, or that of the latest failed
   * probe. `undefined` while it is closed, and where no error did.
   */
  getCause(): unknown {
    return this.state === CircuitState.CLOSED ? undefined : this.recovery?.openTime.cause;
  }

  /**
   * Rejects every call until `reset()`.
   *
   * With `{ fleet: true }` the breaker of the name does so in each instance, shared or not: at once in this
   * one and in those that are reached, in others when they are back or start. What is said without it is
   * said to this instance only, which goes by that until something newer is said to the fleet.
   *
   * @throws ResilienceConfigurationError with `{ fleet: true }` in an application that has no fleet
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

  /**
   * Somebody has told the whole fleet. A reset of before this instance was there only ends what was forced:
   * what the breaker has learnt since is its own.
   *
   * @internal
   */
  obey({ value, by, ageMs }: FleetOrder): void {
    if (value === null && ageMs > 0 && this.forcedState === undefined) return;
    const { to, byFleet } = obeyed(value);
    this.enter(to, byFleet, now(), undefined, by);
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

  /**
   * Where it stands, for errors of its options. Made when it is needed: there may be thousands of breakers.
   *
   * @internal
   */
  get place(): string {
    return `circuit breaker "${this.name}"`;
  }

  /** An open one is not forgotten for others, and not at all before its time is over, or by force. */
  get retention(): Retention {
    const { recovery, state, forcedState } = this;
    if (forcedState !== this.usualState) return 'kept';
    if (forcedState !== undefined) return 'none';
    if (recovery === undefined || recovery.isOver(now())) return 'none';
    if (state === CircuitState.CLOSED) return 'kept'; // while it ramps up
    return recovery.openTime.isOver(now()) ? 'idle' : 'kept';
  }

  /** @internal */
  becameUsual(): void {
    this.usualState = this.forcedState;
  }

  /** @internal */
  joined(): void {
    this.operations++;
  }

  admit(attempt: StageAttempt, at: number): Permit {
    return this.acquire(at, attempt.scope);
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
      else this.succeeded(permit, startedAt, at, scope);
    } else if (how === 'failure') this.failed(permit, error, startedAt, at, scope);
    else if (how === 'cut') this.cut(permit, error, startedAt, scope as Scope, at);
    else this.release(permit);
  }

  /**
   * Asks to make a call; the permit goes back by `succeeded`, `failed` or `release`.
   *
   * @param scope of the attempt that the call is, or is made in: it may know why the breaker is open
   * @throws CircuitBreakerOpenError
   * @internal
   */
  acquire(at = now(), scope?: Scope): Permit {
    if (this.state === CircuitState.CLOSED) {
      if (this.recovery !== undefined) this.admitToRampUp(this.recovery, at, scope);
      return ++this.sequence;
    }
    if (this.state === CircuitState.DISABLED) return UNCOUNTED;
    if (this.state === CircuitState.OPEN && this.recovery?.openTime.isOver(at)) {
      this.enter(CircuitState.HALF_OPEN, 'open-time-passed', at);
    }
    if (this.probes === undefined) throw this.rejection(at, scope);
    if (this.isPartOfProbe(this.probes, scope)) return UNCOUNTED;
    return this.admitProbe(this.probes, at, scope);
  }

  /**
   * Asks again before a call begins that has waited since: a crowd that was let in before the breaker
   * opened must not run after.
   *
   * @throws CircuitBreakerOpenError
   */
  confirm(permit: Permit, attempt: StageAttempt, at: number): void {
    if (this.state === CircuitState.CLOSED || this.state === CircuitState.DISABLED) return;
    const { probes } = this;
    if (probes?.has(permit) || (probes && this.isPartOfProbe(probes, attempt.scope?.around)))
      return;
    throw this.rejection(at, attempt.scope);
  }

  /**
   * The call ended with a result, of which `isFailureResult` says whether it is a failure.
   *
   * @throws FailedResult where it is one; what the predicate throws, and then the call counts as a failure
   */
  private judgeResult(
    permit: Permit,
    result: unknown,
    startedAt: number,
    at: number,
    scope: Scope | undefined,
  ): void {
    const failure = failureBy(result, this);
    if (failure === undefined) {
      this.succeeded(permit, startedAt, at, scope);
      return;
    }
    markIfAnswered(failure.error, scope);
    const slow = isSlow(startedAt, at, scope, this.options);
    this.recordFailure(permit, failure.error, slow, at, scope);
    throw failure.error;
  }

  /**
   * The call ended well.
   *
   * @param scope of the call, where it has one: it knows what happened inside
   */
  private succeeded(permit: Permit, startedAt: number, at: number, scope: Scope | undefined): void {
    const slow = isSlow(startedAt, at, scope, this.options);
    if (permit >= this.closedSince) {
      if (!scope?.hasOutcomes) this.recordOutcome(at, slow, scope);
    } else this.probeAnswered(permit, slow, at);
  }

  /**
   * The call failed; whether that counts is for `isFailure` to say. What does not is an answer all the
   * same: of a probe it proves that the dependency answers, while the breaker is closed it is no outcome.
   *
   * @throws what `isFailure` throws, and then the call counts as a failure
   * @internal
   */
  failed(permit: Permit, error: unknown, startedAt: number, at = now(), scope?: Scope): void {
    let counts = true;
    try {
      counts = countsAsFailure(error, this);
    } finally {
      const slow = isSlow(startedAt, at, scope, this.options);
      if (counts) this.recordFailure(permit, error, slow, at, scope);
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

  /** The call said nothing about the dependency, because its caller gave up. */
  private release(permit: Permit): void {
    this.probes?.release(permit);
  }

  private recordFailure(
    permit: Permit,
    error: unknown,
    slow: boolean,
    at: number,
    scope: Scope | undefined,
  ): void {
    this.knownFailures ??= new KnownFailures();
    this.knownFailures.add(error);
    if (permit >= this.closedSince) {
      if (scope?.hasOutcome(error)) return; // a call inside has failed by it, and was counted
      this.recordOutcome(at, slow, scope, { error });
    } else if (this.probes?.end(permit)) {
      this.judgeProbe(this.probes, slow, at, { error });
    }
  }

  private probeAnswered(permit: Permit, slow: boolean, at: number): void {
    if (this.probes?.end(permit)) this.judgeProbe(this.probes, slow, at);
  }

  /** While it is closed. */
  private recordOutcome(
    at: number,
    slow: boolean,
    scope: Scope | undefined,
    failure?: Failure,
  ): void {
    if (scope !== undefined) this.tellCallsAround(scope, failure);
    this.outcomes ??= new Outcomes(this.options);
    this.outcomes.record(at, slow, failure);
    const reason = this.outcomes.reasonToOpen(at, failure !== undefined);
    if (reason !== undefined)
      this.enter(CircuitState.OPEN, reason, at, this.outcomes.errorBehind(reason));
  }

  /** Calls around this one through the same breaker have its outcome as well. */
  private tellCallsAround(scope: Scope, failure: Failure | undefined): void {
    for (let call = scope.callThrough(this); call !== undefined; call = call.callThrough(this)) {
      this.isNested = true;
      call.noteOutcome(failure);
    }
  }

  /** A call inside a probe needs no permit of its own, and is judged by the outcome of the probe. */
  private isPartOfProbe(probes: Probes, scope: Scope | undefined): boolean {
    for (let call = scope; call !== undefined; call = call.around)
      if (probes.include((call.permitFor(this) as Permit | undefined) ?? UNCOUNTED)) return true;
    return false;
  }

  private admitProbe(probes: Probes, at: number, scope: Scope | undefined): Permit {
    if (!probes.haveRoom(at)) throw this.rejection(at, scope);
    const permit = ++this.sequence;
    probes.begin(permit, at);
    return permit;
  }

  /** @throws CircuitBreakerOpenError where it is not yet this call's turn */
  private admitToRampUp(recovery: Recovery, at: number, scope: Scope | undefined): void {
    if (recovery.isOver(at)) this.recovery = undefined;
    else if (!recovery.rampUp?.admits(at)) throw this.rejection(at, scope);
  }

  /** A slow answer is no sign of recovery where slow calls open the breaker. */
  private judgeProbe(probes: Probes, slow: boolean, at: number, failure?: Failure): void {
    this.outcomes ??= new Outcomes(this.options);
    this.outcomes.record(at, slow, failure); // to be seen in the snapshot
    if (failure !== undefined || (slow && this.options.slowCallRateThreshold !== undefined))
      this.enter(CircuitState.OPEN, 'probe-failed', at, failure?.error);
    else if (probes.succeed()) this.enter(CircuitState.CLOSED, 'probes-succeeded', at);
  }

  private control(order: BreakerOrder, scope: ControlScope | undefined): void {
    const orders = ordersFor(scope, this.host?.fleet?.orders, this.place);
    const { to, byHand } = obeyed(order);
    this.enter(to, byHand);
    orders?.give(BREAKERS, this.name, order);
  }

  private enter(
    to: CircuitState,
    reason: CircuitTransitionReason,
    at = now(),
    error?: unknown,
    by?: string,
  ): void {
    const from = this.state;
    const counts = this.outcomes?.counts(at);
    const { calls, failures } = counts ?? NO_CALLS;
    this.state = to;
    this.closedSince = to === CircuitState.CLOSED ? this.sequence + 1 : Number.POSITIVE_INFINITY;
    this.probes = to === CircuitState.HALF_OPEN ? new Probes(this.options) : undefined;
    if (to !== CircuitState.OPEN && to !== CircuitState.FORCED_OPEN) {
      this.outcomes = undefined; // while open, the snapshot still shows what opened it
    }
    this.recover(to, reason, at, error);
    if (from === to) return;
    const details: CircuitTransitionDetails = {
      calls,
      failures,
      failureRate: calls === 0 ? 0 : (failures / calls) * 100,
    };
    if (error !== undefined) details.error = error;
    if (by !== undefined) details.by = by;
    if (to === CircuitState.OPEN) details.retryAfterMs = this.retryAfterMs(at);
    this.telemetry?.changed(from, to, reason, details);
  }

  private recover(
    to: CircuitState,
    reason: CircuitTransitionReason,
    at: number,
    error: unknown,
  ): void {
    const { recovery } = this;
    if (to === CircuitState.HALF_OPEN) return;
    if (to === CircuitState.OPEN && recovery?.isOver(at) === false) recovery.fail(at, error);
    else if (to === CircuitState.OPEN || to === CircuitState.FORCED_OPEN)
      this.recovery = new Recovery(this.options, at, error);
    else if (reason !== 'probes-succeeded' || !recovery?.rampsUp(at)) this.recovery = undefined;
  }

  private get forcedState(): CircuitState | undefined {
    const { state } = this;
    return state === CircuitState.FORCED_OPEN || state === CircuitState.DISABLED
      ? state
      : undefined;
  }

  private retryAfterMs(at: number): number {
    if (this.state === CircuitState.FORCED_OPEN) return this.options.timeoutMs; // nobody knows; not at once
    return this.recovery?.retryAfterMs(at) ?? 0;
  }

  /** A call that has failed already knows better than the breaker, of which others may have learnt since. */
  private causeFor(scope: Scope | undefined): unknown {
    for (let each = scope; each !== undefined; each = each.around) {
      const { failedBefore } = each;
      if (failedBefore === undefined) continue;
      const isThroughThis = each === scope || each.permitFor(this) !== undefined;
      if (isThroughThis || this.knownFailures?.has(failedBefore)) return failedBefore;
    }
    return this.recovery?.openTime.cause;
  }

  private rejection(at: number, scope: Scope | undefined): CircuitBreakerOpenError {
    const retryAfterMs = this.retryAfterMs(at);
    this.telemetry?.rejected(retryAfterMs);
    return new CircuitBreakerOpenError(
      this.name,
      retryAfterMs,
      this.host?.captureStackTrace,
      this.state === CircuitState.CLOSED,
      this.causeFor(scope),
    );
  }
}
