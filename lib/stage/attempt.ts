import { now } from '../common/clock.js';
import { givenUp, retriedOutside } from '../context/retried-errors.js';
import { Scope } from '../context/scope.js';
import { TimeoutError } from '../timeout/timeout.error.js';
import type { Admission, AttemptStage, Permit, Settlement, Timed } from './attempt-stage.js';
import { ADMITTED, type Admitted, type Hooks } from './hooks.js';
import type { StraightAttempt } from './straight.js';

/** What an attempt has to know about its operation. */
export interface AttemptPlan {
  readonly operation: string;
  readonly hooks: Hooks;
  /** How much it matters, where the operation says so. */
  readonly critical: boolean | undefined;
  /** What one attempt may take, in ms; `Infinity` without a timeout. */
  readonly timeoutMs: number;
  readonly captureStackTrace: boolean;
}

/** Whose attempt it is: told once how it settles, always in the async context of the call. */
export interface AttemptOwner<T> {
  readonly plan: AttemptPlan;
  /** What the attempt before failed by; not that it was refused, which is no failure of its own. */
  readonly failedBefore: unknown;
  /** Starts the real work, which tells the attempt how it goes. */
  invoke(attempt: Attempt<T>): void;
  succeeded(value: T, at: number, attempt: Attempt<T>): void;
  failed(error: unknown, attempt: Attempt<T>): void;
  /** Its own time is up; that it failed is told after this. */
  timedOut(timeoutMs: number): void;
  /** Nobody waits for the work of an attempt any more, though it may go on. */
  abandoned(attempt: Attempt<T>): void;
  /** Runs what comes from elsewhere (a timer, another call's end) in the call's async context. */
  inContext(settle: () => void): void;
  /** Something threw where the attempt was to settle: the call ends by that, rather than never. */
  broke(error: unknown): void;
}

/** How far an attempt has come. */
export enum Phase {
  /** Its stages are asked to let it in. */
  New,
  /** One of them lets it wait. */
  Queued,
  /** Its work runs, and its caller waits for that. */
  Running,
  /** Its caller knows how it went. Its work may still run: it was cut, or is a stream that has begun. */
  Settled,
}

/**
 * One attempt: in through its stages, its work, and out through them again.
 *
 * Two ends are told apart. The attempt *settles* once: by its result, by its timeout, or because the
 * caller gave up. The work behind it *finishes* when it really ends, perhaps much later; until then it
 * holds what its stages gave it.
 */
export class Attempt<T> extends Scope implements Admitted, Timed {
  previous: Timed | undefined = undefined;
  next: Timed | undefined = undefined;
  admitted = 0;
  permit0: Permit = undefined;
  permit1: Permit = undefined;
  permit2: Permit = undefined;
  permit3: Permit = undefined;
  morePermits: Permit[] | undefined = undefined;
  scope: Scope = this;
  ran = false;
  begun = false;
  /** Called when nobody waits for the work any more. */
  onAbandoned: ((reason: unknown) => void) | undefined = undefined;
  private phase = Phase.New;
  private finished = false;
  private leaveQueue: (() => void) | undefined = undefined;
  private cutEarly: { readonly reason: unknown } | undefined = undefined;
  /** So many calls had given up when it began. */
  private since = givenUp();

  /** @param opened whether its work runs in it; else what is called inside finds the scope around it */
  constructor(
    private readonly owner: AttemptOwner<T>,
    attempt: number,
    madeIn: Scope | undefined,
    readonly startedAt: number,
    readonly opened: boolean,
  ) {
    const { timeoutMs } = owner.plan;
    super(attempt, madeIn, startedAt + timeoutMs, timeoutMs);
  }

  get operation(): string {
    return this.owner.plan.operation;
  }

  get timed(): Timed {
    return this;
  }

  /** What its work runs in. */
  get inside(): Scope | undefined {
    return this.opened ? this : this.around;
  }

  override get critical(): boolean | undefined {
    return this.owner.plan.critical ?? super.critical;
  }

  override get failedBefore(): unknown {
    return this.owner.failedBefore;
  }

  override get gone(): boolean {
    return super.over && (this.finished || !this.ran || !this.owner.plan.hooks.hold);
  }

  override permitFor(stage: object): Permit {
    const { hooks } = this.owner.plan;
    const holds = (stage as { finished?: unknown }).finished !== undefined;
    return holds && (this.finished || !this.ran) ? undefined : hooks.permitOf(stage, this);
  }

  override isQueued(since: number, at: number): boolean {
    return this.leaveQueue !== undefined || super.isQueued(since, at);
  }

  override hasRetried(error: unknown): boolean {
    if (this.opened) return super.hasRetried(error);
    const { caller } = this;
    return caller === undefined
      ? retriedOutside.has(error, this.since)
      : caller.hasRetried(error, this.since);
  }

  override hasRetriedConstant(error: unknown): boolean {
    if (this.opened) return super.hasRetriedConstant(error);
    const { caller } = this;
    return caller === undefined
      ? retriedOutside.isConstant(error) || retriedOutside.hadBefore(error, this.since)
      : caller.hasRetriedConstant(error);
  }

  start(): void {
    let waitsAt: number;
    try {
      waitsAt = this.owner.plan.hooks.admit(this, this.startedAt);
    } catch (refusal) {
      this.refuse(refusal, 'failure');
      return;
    }
    this.goOn(waitsAt);
  }

  /** Takes over from one that was to have no need of all this. */
  takeOver(begun: StraightAttempt): void {
    this.admitted = begun.admitted;
    this.permit0 = begun.permit0;
    this.permit1 = begun.permit1;
    this.permit2 = begun.permit2;
    this.permit3 = begun.permit3;
    this.morePermits = begun.morePermits;
    this.since = begun.since;
    this.scope = begun.scope ?? this;
    this.ran = begun.ran;
    if (begun.ran) this.phase = Phase.Running;
  }

  /** @returns whether anybody waited for it */
  succeed(value: T): boolean {
    if (!this.isAwaited) return false;
    this.phase = Phase.Settled;
    const at = now();
    try {
      this.owner.plan.hooks.settle(this, 'success', undefined, at);
    } catch (error) {
      this.owner.failed(error, this);
      return true;
    }
    this.owner.succeeded(value, at, this);
    return true;
  }

  /** The same for a stream that flows on: from now on only its caller's deadline holds. */
  begin(value: T): void {
    this.begun = true;
    this.succeed(value);
    this.expiresAt = Number.POSITIVE_INFINITY;
  }

  fail(error: unknown): void {
    if (!this.isAwaited) return;
    // What an impatient client did to it says nothing about what it calls.
    const surfaced = this.settle(this.hasLostPatience() ? 'nothing' : 'failure', error);
    this.owner.failed(surfaced, this);
  }

  /**
   * The work behind the attempt has really ended.
   *
   * @param answered whether with an answer
   */
  finish(answered = false): void {
    this.end();
    this.onAbandoned = undefined;
    if (this.finished) return;
    this.finished = true;
    this.owner.plan.hooks.finish(this, answered);
  }

  /** The timeout has passed. The timer is shared with other calls, and so its async context. */
  expire(): void {
    this.owner.inContext(() => {
      if (!this.isAwaited) return;
      const { operation, captureStackTrace } = this.owner.plan;
      const error = this.impatient
        ? this.outOfTime(operation, captureStackTrace) // the client's time was up before, and its timer is late
        : new TimeoutError(this.ownTimeoutMs, operation, captureStackTrace);
      if (!error.byClient) this.owner.timedOut(error.timeoutMs);
      if (this.isAwaited) this.cut(error); // else by one who heard of it
    });
  }

  /** The caller gave up, or ran out of time. */
  cancel(reason: unknown): void {
    if (this.phase === Phase.New) {
      this.cutEarly ??= { reason }; // by one who heard of it: first all stages are asked
      return;
    }
    const { isAwaited } = this;
    if (isAwaited) this.settle('cut', reason);
    this.abandon(reason);
    if (isAwaited) this.owner.failed(reason, this);
  }

  private cut(reason: unknown): void {
    const surfaced = this.settle('cut', reason);
    this.abandon(reason);
    this.owner.failed(surfaced, this);
  }

  private get isAwaited(): boolean {
    return this.phase !== Phase.Settled;
  }

  /** @returns the error to surface: that of a stage's predicate where it throws */
  private settle(how: Settlement, error: unknown): unknown {
    this.phase = Phase.Settled;
    try {
      this.owner.plan.hooks.settle(this, how, error, now());
      return error;
    } catch (predicateError) {
      return predicateError;
    }
  }

  private abandon(reason: unknown): void {
    this.leaveQueue?.();
    this.leaveQueue = undefined;
    try {
      this.abort(reason);
      this.onAbandoned?.(reason);
    } catch {} // whatever those who hear of it throw is dropped
    this.owner.abandoned(this);
    if (!this.ran) this.finish();
  }

  /** @param waitsAt the stage that lets it wait, or `ADMITTED` */
  goOn(waitsAt: number): void {
    const { cutEarly } = this;
    if (cutEarly !== undefined) {
      this.phase = Phase.Queued;
      this.cancel(cutEarly.reason);
    } else if (waitsAt === ADMITTED) {
      this.phase = Phase.Running;
      this.ran = true;
      this.owner.invoke(this);
    } else {
      this.wait(waitsAt);
    }
  }

  /** The wait is a promise, so that the work starts in its own async context, not in that of the one before it. */
  private wait(place: number): void {
    this.phase = Phase.Queued;
    const stage = this.owner.plan.hooks.stages[place] as AttemptStage;
    const admitted = new Promise<() => Admission>((settle) => {
      this.leaveQueue = stage.wait?.(this, settle);
    }).then((ask) => {
      this.leaveQueue = undefined;
      const admission = ask();
      if ('refusal' in admission) this.refuse(admission.refusal, 'failure');
      else if (this.isAwaited) this.admittedLate(place, admission.permit);
      else stage.finished?.(admission.permit, this, false); // it has not run
    });
    admitted.catch((error) => this.owner.broke(error));
  }

  private admittedLate(place: number, permit: Permit): void {
    const { hooks } = this.owner.plan;
    const at = now();
    this.phase = Phase.New;
    let waitsAt: number;
    try {
      hooks.confirm(this, at);
    } catch (rejection) {
      hooks.grant(place, this, permit);
      this.refuse(rejection, 'nothing');
      return;
    }
    hooks.grant(place, this, permit);
    try {
      waitsAt = hooks.admitFrom(place + 1, this, at);
    } catch (refusal) {
      this.refuse(refusal, 'failure');
      return;
    }
    this.goOn(waitsAt);
  }

  /** It does not begin: what it was given for its work goes back. */
  refuse(refusal: unknown, how: Settlement): void {
    if (!this.isAwaited) return;
    const surfaced = this.settle(this.hasLostPatience() ? 'nothing' : how, refusal);
    this.finish();
    this.owner.failed(surfaced, this);
  }
}
