import { type Admission, type Retention, WAIT } from '../attempt/attempt-stage.js';
import { now } from '../common/clock.js';
import type { Scope } from '../context/scope.js';
import { checkSharedStays } from '../fleet/sharing.js';
import type { StageHost } from '../stage/stage-host.js';
import { CircuitBreakerOpenError } from './circuit-breaker.error.js';
import {
  type CircuitBreakerOptions,
  type OptionsInForce,
  optionsInForce,
  type ResolvedCircuitBreakerOptions,
  withQuorum,
} from './circuit-breaker.options.js';
import { CircuitBreakerTelemetry } from './circuit-breaker.telemetry.js';
import { circuitIn, type RememberedCircuit, type RememberedOutage } from './circuit-memory.js';
import { NO_CALLS, snapshotOf } from './circuit-snapshot.js';
import { type CircuitBreakerSnapshot, CircuitState, isForced } from './circuit-state.js';
import { failedBefore, KnownFailures } from './known-failures.js';
import { type Failure, Outcomes, tellCallsAround } from './outcomes.js';
import type { ProbeAnswer } from './probe-leases.js';
import { type Permit, Probes } from './probes.js';
import { Recovery, recoveryAfter, retentionOf, type Transition } from './recovery.js';
import { type LocalBreaker, SharedBreaker } from './shared-breaker.js';

/** The permit of a call that is not counted. */
const UNCOUNTED: Permit = 0;

/**
 * The states of a breaker, and what takes it from one to another: who asks to be let in, and how those fare.
 *
 * Permits are numbers in the order of the calls: one that began before the state last changed changes
 * nothing when it ends. Of calls inside calls through one breaker, the innermost is counted, and the
 * others only where they fail by something new; half-open, all of a probe is judged as one. It holds no
 * timer: whether it is time for a probe is asked when a call comes, on the monotonic clock.
 *
 * In shadow it goes through the same states by what really happens. Who would be rejected is let in, and not
 * counted, as if the call had not been made.
 */
export abstract class Circuit {
  private inForce: OptionsInForce;
  /** @internal */
  protected state = CircuitState.CLOSED;
  /** Who has put it into that state, where that was said. */
  private orderedBy: string | undefined = undefined;
  private sequence: Permit = UNCOUNTED;
  /** While it is closed, the first permit of this time; no permit is as late while it is not. */
  private closedSince: Permit = UNCOUNTED + 1;
  /** From the opening until everybody has been let back. */
  protected recovery: Recovery | undefined = undefined;
  /** While it is half-open. */
  private probes: Probes | undefined = undefined;
  /** @internal */
  // Made when they are first needed, and dropped when they have to be empty: an idle breaker is small.
  protected outcomes: Outcomes | undefined = undefined;
  private knownFailures: KnownFailures | undefined = undefined;
  private readonly telemetry: CircuitBreakerTelemetry | undefined;
  /** Where it is shared. Calls through a closed one do not ask. */
  protected readonly shared: SharedBreaker | undefined = undefined;
  /** Calls through it have been made inside of each other. */
  protected isNested = false;
  /** In which a new one would be by force. */
  private usualState: CircuitState | undefined = undefined;

  constructor(
    /** The name by which it is registered. */
    readonly name: string,
    options: CircuitBreakerOptions,
    /** @internal */
    protected readonly host?: StageHost,
  ) {
    this.inForce = this.resolved(options);
    this.telemetry = host && new CircuitBreakerTelemetry(name, host);
    if (this.options.shared) this.shared = SharedBreaker.of(this.local, this.place, host?.fleet);
  }

  /** The options in force, with defaults filled in. */
  get options(): Readonly<ResolvedCircuitBreakerOptions> {
    return this.inForce.options;
  }

  /** The options without the defaults, for who builds on them. @internal */
  get given(): Readonly<CircuitBreakerOptions> {
    return this.inForce.given;
  }

  /**
   * Where it stands, for errors of its options. Made when it is needed: there may be thousands of breakers.
   *
   * @internal
   */
  get place(): string {
    return `circuit breaker "${this.name}"`;
  }

  /** What it does with calls: in shadow it lets all of them in, where nobody has forced it. */
  getState(): CircuitState {
    return this.isShadow && !isForced(this.state) ? CircuitState.CLOSED : this.state;
  }

  /** How it stands at this moment: its state, and what its window counts. */
  getSnapshot(): CircuitBreakerSnapshot {
    const at = now();
    const counts = this.outcomes?.counts(at) ?? NO_CALLS;
    const snapshot = snapshotOf(this.name, this.state, counts, this.recovery, at);
    if (!this.isShadow) return snapshot;
    return { ...snapshot, state: this.getState(), mode: 'shadow', wouldBe: this.state };
  }

  /**
   * From now on it goes by other options. State, forced states, permits of probes and a ramp-up that has begun
   * stay. The open time of an outage at hand is as long as the new options say, counted from when it began.
   * The window keeps the latest calls, or those that are certainly within the new time, to a twentieth of the
   * old one; it is empty where it changes between calls and a time. Calls in flight are judged by the new
   * options when they end. Whether it is shared cannot be changed.
   *
   * Where the mode changes, the states go on: what would be open is open from then on, for what is left of
   * that time, and what is open lets everybody in at once.
   *
   * @throws ResilienceConfigurationError and then nothing has changed
   * @internal
   */
  change(options: CircuitBreakerOptions): void {
    const inForce = this.resolved(options);
    checkSharedStays(this.place, this.options.shared, inForce.options.shared);
    const at = now();
    const from = this.getState();
    const wasShadow = this.isShadow;
    this.inForce = inForce;
    this.outcomes?.change(inForce.options, at);
    this.recovery?.change(inForce.options);
    this.probes?.change(inForce.options);
    if (wasShadow === this.isShadow) return;
    this.tell(from, { to: this.getState(), reason: 'mode-changed' }, at);
    if (wasShadow) this.shared?.rejoin();
    else this.shared?.setAside();
  }

  /** What it has learnt; nothing of one that is as if it was new. @internal */
  remember(): RememberedCircuit | undefined {
    const at = now();
    const { recovery } = this;
    const isRecovering = recovery !== undefined && !recovery.isOver(at);
    const outcomes = this.outcomes?.remember(at);
    if (this.state === CircuitState.CLOSED && !isRecovering && outcomes === undefined)
      return undefined;
    const { rampUp, openTime } = recovery ?? {};
    return {
      version: 1,
      state: this.state === CircuitState.HALF_OPEN ? CircuitState.OPEN : this.state,
      ...(this.orderedBy !== undefined && { by: this.orderedBy }),
      ...(isRecovering && { outage: openTime?.remember(at) as RememberedOutage }),
      ...(isRecovering && rampUp && { rampedForMs: Math.round(rampUp.elapsedMs(at)) }),
      ...(outcomes !== undefined && { outcomes }),
    };
  }

  /**
   * Goes on as it was before a restart so long ago, by the options of now: an open time goes on, and what was
   * half-open probes anew. Where something has happened to it since, that is newer, and all else is left out.
   *
   * @internal
   */
  recall(remembered: unknown, agoMs: number): void {
    if (this.state !== CircuitState.CLOSED || this.sequence !== UNCOUNTED) return;
    const known = circuitIn(remembered, agoMs);
    if (known === undefined) return;
    const at = now();
    const { state, by, outage, rampedForMs, outcomes } = known;
    if (outcomes !== undefined) {
      this.outcomes = new Outcomes(this.options);
      this.outcomes.recall(outcomes, at);
    }
    const isRampingUp = state === CircuitState.CLOSED && this.options.rampUpMs !== undefined;
    const isOpen = state === CircuitState.OPEN || state === CircuitState.FORCED_OPEN;
    if (outage !== undefined && (isOpen || isRampingUp))
      this.recovery = Recovery.recalled(outage, rampedForMs, this.options, at);
    if (state === CircuitState.CLOSED) return;
    this.state = state;
    this.closedSince = Number.POSITIVE_INFINITY;
    this.orderedBy = by;
    this.tell(CircuitState.CLOSED, { to: state, reason: 'recalled', by }, at);
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

  /** It is used no more. @internal */
  dispose(): void {
    this.shared?.end();
  }

  /**
   * Asks to make a call; the permit goes back by `answered`, `failedBy` or `release`.
   *
   * @param scope of the attempt that the call is, or is made in: it may know why the breaker is open
   * @throws CircuitBreakerOpenError
   */
  protected acquire(at: number, scope?: Scope): Permit {
    if (this.state === CircuitState.CLOSED) {
      if (this.recovery !== undefined && !this.isLetBack(this.recovery, at))
        return this.refuse(at, scope);
      return ++this.sequence;
    }
    if (this.state === CircuitState.DISABLED) return UNCOUNTED;
    if (this.state === CircuitState.OPEN && this.recovery?.openTime.isOver(at)) {
      this.enter({ to: CircuitState.HALF_OPEN, reason: 'open-time-passed' }, at);
    }
    if (this.probes === undefined) return this.refuse(at, scope);
    if (this.probes.isAround(scope, this)) return UNCOUNTED;
    return this.admitProbe(this.probes, at, scope);
  }

  /** Waits for what the fleet says; no longer than a call may, which is a probe without it then. */
  protected askFleet(scope: Scope, admitted: (ask: () => Admission) => void): () => void {
    const shared = this.shared as SharedBreaker;
    return shared.ask(scope, (answer) => this.admitAfter(answer, shared, scope), admitted);
  }

  /** Asks again before a call begins that has waited since. @throws CircuitBreakerOpenError */
  protected askAgain(permit: Permit, scope: Scope | undefined, at: number): void {
    if (this.state === CircuitState.CLOSED || this.state === CircuitState.DISABLED) return;
    const { probes } = this;
    if (!probes?.has(permit) && !probes?.isAround(scope?.around, this)) this.refuse(at, scope);
  }

  /** A call has ended with an answer, which is no failure. */
  protected answered(permit: Permit, slow: boolean, at: number, scope?: Scope): void {
    if (permit >= this.closedSince) {
      if (!scope?.hasOutcomes) this.recordOutcome(at, slow, scope);
    } else this.probeAnswered(permit, slow, at);
  }

  /** A call has failed. */
  protected failedBy(
    error: unknown,
    permit: Permit,
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

  /** It proves that the dependency answers, and is no outcome while the breaker is closed. */
  protected probeAnswered(permit: Permit, slow: boolean, at: number): void {
    if (this.probes?.end(permit)) this.judgeProbe(this.probes, permit, slow, at);
  }

  /** The call said nothing about the dependency, because its caller gave up. */
  protected release(permit: Permit): void {
    this.probes?.release(permit);
    this.shared?.release(permit);
  }

  /** @internal */
  protected enter(transition: Transition, at = now()): void {
    const { to, reason, by, probe } = transition;
    const from = this.state;
    const shown = this.getState();
    const counts = this.outcomes?.counts(at) ?? NO_CALLS;
    this.state = to;
    this.orderedBy = by;
    this.closedSince = to === CircuitState.CLOSED ? this.sequence + 1 : Number.POSITIVE_INFINITY;
    this.probes = to === CircuitState.HALF_OPEN ? new Probes(this.options) : undefined;
    if (to !== CircuitState.OPEN && to !== CircuitState.FORCED_OPEN) {
      this.outcomes = undefined; // while open, the snapshot still shows what opened it
    }
    this.recovery = recoveryAfter(transition, this.recovery, this.options, at);
    if (!this.isShadow) this.shared?.entered(from, to, reason, probe);
    this.tell(shown, transition, at, counts);
    if (this.isShadow && to === CircuitState.OPEN && from !== to)
      this.telemetry?.wouldOpen(transition, counts, this.retryAfterMs(at));
  }

  /** Of its state by force, where somebody has. */
  protected get forcedState(): CircuitState | undefined {
    return isForced(this.state) ? this.state : undefined;
  }

  /** @internal */
  protected get isShadow(): boolean {
    return this.inForce.options.mode === 'shadow';
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
    if (!probes.haveRoom(at)) return this.refuse(at, scope);
    if (!this.shared?.leads) return this.beginProbe(probes, at);
    return this.shared.mayAsk(at) ? (WAIT as Permit) : this.refuse(at, scope);
  }

  private beginProbe(probes: Probes, at: number): Permit {
    const permit = ++this.sequence;
    probes.begin(permit, at);
    return permit;
  }

  /**
   * The fleet has answered, or has not; meanwhile the breaker may have closed, or opened again, or be in shadow.
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
    if (state === CircuitState.CLOSED || state === CircuitState.DISABLED || this.isShadow)
      return this.acquire(at, scope);
    return this.refuse(at, scope);
  }

  /** Whether it is this call's turn while the others are let back by and by. */
  private isLetBack(recovery: Recovery, at: number): boolean {
    if (!recovery.isOver(at)) return recovery.rampUp?.admits(at) === true;
    this.recovery = undefined;
    return true;
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

  /** What its fleet may do with it. */
  private get local(): LocalBreaker {
    const breaker = this;
    return {
      name: this.name,
      get options() {
        return breaker.options;
      },
      state: () => this.state,
      obeys: () => !this.isShadow && !isForced(this.state),
      openTime: () => this.recovery?.openTime,
      open: (span) => this.enter({ to: CircuitState.OPEN, reason: 'fleet-opened', span }),
      close: () => this.enter({ to: CircuitState.CLOSED, reason: 'fleet-closed' }),
    };
  }

  private resolved(options: CircuitBreakerOptions): OptionsInForce {
    return withQuorum(optionsInForce(this.place, options), this.host?.fleet?.options.quorum);
  }

  private retryAfterMs(at: number): number {
    if (this.state === CircuitState.FORCED_OPEN) return this.options.timeoutMs; // nobody knows; not at once
    const leftMs = this.recovery?.retryAfterMs(at) ?? 0;
    return this.probes === undefined ? leftMs : (this.shared?.deniedMs(at) ?? leftMs);
  }

  /** Where it does something else with calls than before. */
  private tell(
    from: CircuitState,
    transition: Transition,
    at: number,
    counts = this.outcomes?.counts(at) ?? NO_CALLS,
  ): void {
    const to = this.getState();
    if (to === from) return;
    const retryAfterMs = to === CircuitState.OPEN ? this.retryAfterMs(at) : undefined;
    this.telemetry?.changed(from, transition, counts, retryAfterMs);
  }

  /**
   * The call is not to be made. In shadow it is, and not counted; what somebody has forced open is open all the same.
   *
   * @throws CircuitBreakerOpenError
   */
  private refuse(at: number, scope: Scope | undefined): Permit {
    if (this.isShadow && this.state !== CircuitState.FORCED_OPEN) {
      this.telemetry?.wouldReject();
      return UNCOUNTED;
    }
    const retryAfterMs = this.retryAfterMs(at);
    this.telemetry?.rejected(retryAfterMs);
    throw new CircuitBreakerOpenError(
      this.name,
      retryAfterMs,
      this.host?.captureStackTrace,
      this.state === CircuitState.CLOSED,
      failedBefore(scope, this, this.knownFailures) ?? this.recovery?.openTime.cause,
    );
  }
}
