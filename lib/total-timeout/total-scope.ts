import type { Expiring } from '../common/timer-queue.js';
import { markIfSlowed } from '../context/chaos-marks.js';
import { Scope } from '../context/scope.js';
import { TimeoutError } from '../context/timeout.error.js';

/** The call whose time it is. */
export interface TotalOwner {
  readonly plan: { readonly operation: string; readonly captureStackTrace: boolean };
  /** Runs what comes from elsewhere in the call's async context. */
  inContext(fn: () => void): void;
  /** Its attempts and waits end by this error. */
  ranOut(error: TimeoutError): void;
}

/** Whose time has a timer in common with that of other calls. */
export interface TotalTime {
  /** In ms. */
  readonly delayMs: number;
  /** It limits nothing any more. */
  remove(scope: TotalScope): void;
  /** A call of the operation has used it up. */
  ranOut(operation: string): void;
}

/** What the attempts of a call run in: their deadline is the nearer one of the total's and the caller's. */
export class TotalScope extends Scope implements Expiring<TotalScope> {
  previous: TotalScope | undefined = undefined;
  next: TotalScope | undefined = undefined;

  constructor(
    private readonly policy: TotalTime,
    private readonly owner: TotalOwner,
    madeIn: Scope | undefined,
    at: number,
  ) {
    super(1, madeIn, at + policy.delayMs, policy.delayMs);
  }

  /** What surfaces from an attempt surfaces from the call. */
  override noteRetried(error: unknown, passes = false): void {
    this.caller?.noteRetried(error, passes);
  }

  /** The time has passed. The timer is shared with other calls, and so its async context. */
  expire(): void {
    this.owner.inContext(() => this.owner.ranOut(this.runOut()));
  }

  /**
   * The time may be up although its timer is late.
   *
   * @throws the error by which the call ends
   */
  refuseLate(at: number): void {
    if (this.expiresAt <= at) throw this.runOut();
  }

  /** There is no attempt any more that it would limit. */
  leave(): void {
    this.policy.remove(this);
    this.end();
  }

  private runOut(): TimeoutError {
    const { operation, captureStackTrace } = this.owner.plan;
    const error = this.impatient
      ? this.outOfTime(operation, captureStackTrace) // the client's time was up before
      : new TimeoutError(this.ownTimeoutMs, operation, captureStackTrace, false, true);
    markIfSlowed(error, this);
    if (!error.byClient) this.policy.ranOut(operation);
    this.abort(error);
    return error;
  }
}
