import { now } from '../common/clock.js';
import { isDeadline } from '../context/ambient.js';
import { markIfAnswered } from '../context/chaos-marks.js';
import type { AttemptContext, Scope } from '../context/scope.js';
import { type ControlScope, ordersFor } from '../fleet/control-scope.js';
import { checkSharedStays } from '../fleet/sharing.js';
import { Alone } from '../stage/alone.js';
import {
  type Admission,
  type AttemptStage,
  type Retention,
  type Settlement,
  type StageAttempt,
  WAIT,
} from '../stage/attempt-stage.js';
import type { StageHost } from '../stage/stage-host.js';
import { BREAKERS, type BreakerOrder, type FleetOrder, obeyed } from './breaker-orders.js';
import { CircuitBreakerOpenError } from './circuit-breaker.error.js';
import {
  type CircuitBreakerOptions,
  type OptionsInForce,
  optionsInForce,
  type ResolvedCircuitBreakerOptions,
  withQuorum,
} from './circuit-breaker.options.js';
import { CircuitBreakerTelemetry } from './circuit-breaker.telemetry.js';
import { NO_CALLS, snapshotOf } from './circuit-snapshot.js';
import { type CircuitBreakerSnapshot, CircuitState, isForced } from './circuit-state.js';
import { failedBefore, KnownFailures } from './known-failures.js';
import { type Failure, Outcomes, tellCallsAround } from './outcomes.js';
import type { ProbeAnswer } from './probe-leases.js';
import { type Permit, Probes } from './probes.js';
import { type Recovery, recoveryAfter, retentionOf, type Transition } from './recovery.js';
import { type LocalBreaker, SharedBreaker } from './shared-breaker.js';
import { countsAsFailure, failureBy, isSlow, saysNothing } from './verdict.js';

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
  private inForce: OptionsInForce;
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
  /** Where it is shared. Calls through a closed one do not ask. */
  private readonly shared: SharedBreaker | undefined = undefined;
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
    this.inForce = this.resolved(options);
    this.telemetry = host && new CircuitBreakerTelemetry(name, host);
    if (this.options.shared) this.shared = SharedBreaker.of(this.local, this.place, host?.fleet);
  }

  get options(): Readonly<ResolvedCircuitBreakerOptions> {
    return this.inForce.options;
  }

  /** The options without the defaults, for who builds on them. @internal */
  get given(): Readonly<CircuitBreakerOptions> {
    return this.inForce.given;
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
    const counts = this.outcomes?.counts(at) ?? NO_CALLS;
    return snapshotOf(this.name, this.state, counts, this.recovery, at);
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
    this.enter({ to, reason: byFleet, by });
  }

  /**
   * From now on it goes by other options. State, forced states, permits of probes and a ramp-up that has begun
   * stay. The open time of an outage at hand is as long as the new options say, counted from when it began.
   * The window keeps the latest calls, or those that are certainly within the new time, to a twentieth of the
   * old one; it is empty where it changes between calls and a time. Calls in flight are judged by the new
   * options when they end. Whether it is shared cannot be changed.
   *
   * @throws ResilienceConfigurationError and then nothing has changed
   * @internal
   */
  change(options: CircuitBreakerOptions): void {
    const inForce = this.resolved(options);
    checkSharedStays(this.place, this.options.shared, inForce.options.shared);
    this.inForce = inForce;
    this.outcomes?.change(inForce.options, now());
    this.recovery?.change(inForce.options);
    this.probes?.change(inForce.options);
  }

  /** It is used no more. @internal */
  dispose(): void {
    this.shared?.end();
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
    const { state, forcedState } = this;
    if (forcedState !== this.usualState) return 'kept';
    return forcedState === undefined ? retentionOf(state, this.recovery, now()) : 'none';
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
      this.enter({ to: CircuitState.HALF_OPEN, reason: 'open-time-passed' }, at);
    }
    if (this.probes === undefined) throw this.rejection(at, scope);
    if (this.probes.isAround(scope, this)) return UNCOUNTED;
    return this.admitProbe(this.probes, at, scope);
  }

  /** Waits for what the fleet says; no longer than a call may, which is a probe without it then. */
  wait(attempt: StageAttempt, admitted: (ask: () => Admission) => void): () => void {
    const scope = attempt.scope as Scope;
    const shared = this.shared as SharedBreaker;
    return shared.ask(scope, (answer) => this.admitAfter(answer, shared, scope), admitted);
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
    if (probes?.has(permit) || probes?.isAround(attempt.scope?.around, this)) return;
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
    this.shared?.release(permit);
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
      this.judgeProbe(this.probes, permit, slow, at, { error });
    }
  }

  private probeAnswered(permit: Permit, slow: boolean, at: number): void {
    if (this.probes?.end(permit)) this.judgeProbe(this.probes, permit, slow, at);
  }

  /** While it is closed. */
  private recordOutcome(
    at: number,
    slow: boolean,
    scope: Scope | undefined,
    failure?: Failure,
  ): void {
    if (scope !== undefined && tellCallsAround(scope, this, failure)) this.isNested = true;
    this.outcomes ??= new Outcomes(this.options);
    this.outcomes.record(at, slow, failure);
    const reason = this.outcomes.reasonToOpen(at, failure !== undefined);
    if (reason !== undefined) {
      const error = this.outcomes.errorBehind(reason);
      this.enter({ to: CircuitState.OPEN, reason, error }, at);
    }
  }

  private admitProbe(probes: Probes, at: number, scope: Scope | undefined): Permit {
    if (!probes.haveRoom(at)) throw this.rejection(at, scope);
    if (!this.shared?.leads) return this.beginProbe(probes, at);
    if (!this.shared.mayAsk(at)) throw this.rejection(at, scope);
    return WAIT as Permit;
  }

  private beginProbe(probes: Probes, at: number): Permit {
    const permit = ++this.sequence;
    probes.begin(permit, at);
    return permit;
  }

  /**
   * The fleet has answered, or has not; meanwhile the breaker may have closed, or opened again.
   *
   * @throws CircuitBreakerOpenError
   */
  private admitAfter({ how, permit }: ProbeAnswer, shared: SharedBreaker, scope: Scope): Permit {
    const { probes, state } = this;
    const at = now();
    const isCurrent = permit === undefined ? how === 'unknown' : shared.isOf(permit);
    if (isCurrent && probes?.haveRoom(at)) {
      const probe = this.beginProbe(probes, at);
      shared.hold(probe, permit);
      return probe;
    }
    shared.giveBack(permit);
    if (state === CircuitState.CLOSED || state === CircuitState.DISABLED)
      return this.acquire(at, scope);
    throw this.rejection(at, scope);
  }

  /** @throws CircuitBreakerOpenError where it is not yet this call's turn */
  private admitToRampUp(recovery: Recovery, at: number, scope: Scope | undefined): void {
    if (recovery.isOver(at)) this.recovery = undefined;
    else if (!recovery.rampUp?.admits(at)) throw this.rejection(at, scope);
  }

  /** A slow answer is no sign of recovery where slow calls open the breaker. */
  private judgeProbe(
    probes: Probes,
    probe: Permit,
    slow: boolean,
    at: number,
    failure?: Failure,
  ): void {
    this.outcomes ??= new Outcomes(this.options);
    this.outcomes.record(at, slow, failure); // to be seen in the snapshot
    if (failure !== undefined || (slow && this.options.slowCallRateThreshold !== undefined))
      this.enter(
        { to: CircuitState.OPEN, reason: 'probe-failed', error: failure?.error, probe },
        at,
      );
    else if (!this.shared?.succeeded(probe, () => this.countSuccess(probes)))
      this.countSuccess(probes, at);
  }

  private countSuccess(probes: Probes, at?: number): void {
    if (probes === this.probes && probes.succeed())
      this.enter({ to: CircuitState.CLOSED, reason: 'probes-succeeded' }, at);
  }

  private control(order: BreakerOrder, scope: ControlScope | undefined): void {
    const orders = ordersFor(scope, this.host?.fleet?.orders, this.place);
    const { to, byHand } = obeyed(order);
    if (orders !== undefined && order === null) void this.shared?.overrule(); // before the others ask
    const by = scope?.by;
    this.enter({ to, reason: byHand, by });
    orders?.give(BREAKERS, this.name, order, by);
  }

  private enter(transition: Transition, at = now()): void {
    const { to, reason, probe } = transition;
    const from = this.state;
    const counts = this.outcomes?.counts(at) ?? NO_CALLS;
    this.state = to;
    this.closedSince = to === CircuitState.CLOSED ? this.sequence + 1 : Number.POSITIVE_INFINITY;
    this.probes = to === CircuitState.HALF_OPEN ? new Probes(this.options) : undefined;
    if (to !== CircuitState.OPEN && to !== CircuitState.FORCED_OPEN) {
      this.outcomes = undefined; // while open, the snapshot still shows what opened it
    }
    this.recovery = recoveryAfter(transition, this.recovery, this.options, at);
    const retryAfterMs = to === CircuitState.OPEN ? this.retryAfterMs(at) : undefined;
    this.shared?.entered(from, to, reason, probe);
    if (from !== to) this.telemetry?.changed(from, transition, counts, retryAfterMs);
  }

  /** What its fleet may do with it. */
  private get local(): LocalBreaker {
    const breaker = this;
    return {
      name: this.name,
      get options() {
        return breaker.options;
      },
      state: () => this.state,
      openTime: () => this.recovery?.openTime,
      open: (span) => this.enter({ to: CircuitState.OPEN, reason: 'fleet-opened', span }),
      close: () => this.enter({ to: CircuitState.CLOSED, reason: 'fleet-closed' }),
    };
  }

  private resolved(options: CircuitBreakerOptions): OptionsInForce {
    return withQuorum(optionsInForce(this.place, options), this.host?.fleet?.options.quorum);
  }

  private get forcedState(): CircuitState | undefined {
    return isForced(this.state) ? this.state : undefined;
  }

  private retryAfterMs(at: number): number {
    if (this.state === CircuitState.FORCED_OPEN) return this.options.timeoutMs; // nobody knows; not at once
    const leftMs = this.recovery?.retryAfterMs(at) ?? 0;
    return this.probes === undefined ? leftMs : (this.shared?.deniedMs(at) ?? leftMs);
  }

  private rejection(at: number, scope: Scope | undefined): CircuitBreakerOpenError {
    const retryAfterMs = this.retryAfterMs(at);
    this.telemetry?.rejected(retryAfterMs);
    return new CircuitBreakerOpenError(
      this.name,
      retryAfterMs,
      this.host?.captureStackTrace,
      this.state === CircuitState.CLOSED,
      failedBefore(scope, this, this.knownFailures) ?? this.recovery?.openTime.cause,
    );
  }
}
