import type { BulkheadPolicy } from '../bulkhead/bulkhead.policy.js';
import { endOfRun } from '../bulkhead/run-times.js';
import type { Admission, Ticket } from '../bulkhead/ticket.js';
import type { Permit } from '../circuit-breaker/probes.js';
import { now } from '../common/clock.js';
import { Scope } from '../context/scope.js';
import { TimeoutError } from '../timeout/timeout.error.js';
import type { Timed } from '../timeout/timeout.policy.js';
import type { Plan } from './stages.js';

/** A slot of a bulkhead has no number. */
const HELD: Permit = 0;

/** Whose attempt it is: told once how it settles, always in the async context of the call. */
export interface AttemptOwner<T> {
  readonly plan: Plan;
  /** What the attempt before failed by; not that it was refused, which is no failure of its own. */
  readonly failedBefore: unknown;
  /** Starts the real work, which tells the attempt how it goes. */
  invoke(attempt: Attempt<T>): void;
  succeeded(value: T, at: number, attempt: Attempt<T>): void;
  failed(error: unknown, attempt: Attempt<T>): void;
  /** Nobody waits for the work of an attempt any more, though it may go on. */
  abandoned(attempt: Attempt<T>): void;
  /** Runs what comes from elsewhere (a timer, another call's end) in the call's async context. */
  inContext(settle: () => void): void;
  /** Something threw where the attempt was to settle: the call ends by that, rather than never. */
  broke(error: unknown): void;
}

/**
 * One attempt: through the breaker, under the timeout, with a slot of the bulkhead.
 *
 * Two ends are told apart. The attempt *settles* once: by its result, by its timeout, or because the
 * caller gave up. The work behind it *finishes* when it really ends, perhaps much later; until then it
 * holds its slot.
 */
export class Attempt<T> extends Scope implements Timed {
  previous: Timed | undefined = undefined;
  next: Timed | undefined = undefined;
  /** Its work was begun. */
  ran = false;
  /** Called when nobody waits for the work any more. */
  onAbandoned: ((reason: unknown) => void) | undefined = undefined;
  private settled = true; // until the breaker lets it begin
  private holdsSlot = false;
  /** Since when it has run in its slot, where that is measured and has not been yet. */
  private slotSince: number | undefined = undefined;
  /** Whose slot it runs in, where that is borrowed. */
  private lender: Scope | undefined = undefined;
  private permit: Permit = 0;
  private ticket: Ticket | undefined = undefined;

  constructor(
    private readonly owner: AttemptOwner<T>,
    attempt: number,
    madeIn: Scope | undefined,
    readonly startedAt: number,
  ) {
    const timeoutMs = owner.plan.stages.timeout?.delayMs ?? Number.POSITIVE_INFINITY;
    super(attempt, madeIn, startedAt + timeoutMs, timeoutMs);
  }

  override get critical(): boolean | undefined {
    return this.owner.plan.stages.critical ?? super.critical;
  }

  override get failedBefore(): unknown {
    return this.owner.failedBefore;
  }

  override get gone(): boolean {
    return this.over && !this.holdsSlot;
  }

  override permitFor(policy: object): number | undefined {
    const { circuitBreaker, bulkhead } = this.owner.plan.stages;
    if (policy === circuitBreaker) return this.permit;
    return policy === bulkhead && this.holdsSlot ? HELD : undefined;
  }

  override isQueued(since: number, at: number): boolean {
    return this.ticket !== undefined || super.isQueued(since, at);
  }

  /** @throws CircuitBreakerOpenError, BulkheadRejectedError where it cannot begin, nor wait */
  start(): void {
    const { circuitBreaker, timeout, bulkhead } = this.owner.plan.stages;
    if (circuitBreaker !== undefined) this.permit = circuitBreaker.acquire(this.startedAt, this);
    this.settled = false;
    timeout?.add(this, this.startedAt);
    if (bulkhead === undefined) {
      this.invoke();
    } else if (bulkhead.tryAcquire()) {
      this.runInSlot(bulkhead.timesRun() ? this.startedAt : undefined);
    } else {
      this.lender = bulkhead.borrow(this);
      if (this.lender === undefined) this.waitForSlot(bulkhead);
      else this.runInSlot(undefined);
    }
  }

  /** @returns whether anybody waited for it */
  succeed(value: T): boolean {
    if (!this.settle()) return false;
    const at = now();
    this.owner.plan.stages.circuitBreaker?.succeeded(this.permit, this.startedAt, at, this);
    this.owner.succeeded(value, at, this);
    return true;
  }

  /** The same for a stream that flows on: from now on only its caller's deadline holds. */
  begun(value: T): void {
    this.measure(true); // who waits in the queue needs its answer to begin in time
    this.succeed(value);
    this.expiresAt = Number.POSITIVE_INFINITY;
  }

  fail(error: unknown): void {
    if (!this.settle()) return;
    if (!this.hasLostPatience()) {
      this.owner.failed(this.teachBreaker(error), this);
      return;
    }
    this.owner.plan.stages.circuitBreaker?.release(this.permit);
    this.owner.failed(error, this);
  }

  /**
   * The work behind the attempt has really ended.
   *
   * @param answered whether with an answer
   */
  finish(answered = false): void {
    this.end();
    this.onAbandoned = undefined;
    if (!this.holdsSlot) return;
    this.holdsSlot = false;
    this.measure(answered);
    this.owner.plan.stages.bulkhead?.release(undefined, this, this.lender);
  }

  /** The timeout has passed. The timer is shared with other calls, and so its async context. */
  expire(): void {
    this.settled = true; // the timer queue has let go of it already
    this.owner.inContext(() => {
      const { operation, captureStackTrace, observer } = this.owner.plan;
      const error = this.impatient
        ? this.outOfTime(operation, captureStackTrace) // the client's time was up before, and its timer is late
        : new TimeoutError(this.ownTimeoutMs, operation, captureStackTrace);
      if (!error.byClient) observer.onTimeout(error.timeoutMs);
      const surfaced = this.teachCut(error);
      this.abandon(error);
      this.owner.failed(surfaced, this);
    });
  }

  /** The caller gave up, or ran out of time. */
  cancel(reason: unknown): void {
    const waitedFor = this.settle();
    if (waitedFor) this.teachCut(reason);
    this.abandon(reason);
    if (waitedFor) this.owner.failed(reason, this);
  }

  /** @returns whether this is the end that counts */
  private settle(): boolean {
    if (this.settled) return false;
    this.settled = true;
    this.owner.plan.stages.timeout?.remove(this);
    return true;
  }

  /** @returns the error to surface: that of the breaker's predicate where it throws */
  private teachBreaker(error: unknown): unknown {
    try {
      const { circuitBreaker } = this.owner.plan.stages;
      circuitBreaker?.failed(this.permit, error, this.startedAt, now(), this);
      return error;
    } catch (predicateError) {
      return predicateError;
    }
  }

  /** The same where a deadline has passed, or the caller gave up. */
  private teachCut(reason: unknown): unknown {
    try {
      this.owner.plan.stages.circuitBreaker?.cut(this.permit, reason, this.startedAt, this);
      return reason;
    } catch (predicateError) {
      return predicateError;
    }
  }

  private abandon(reason: unknown): void {
    this.leaveQueue();
    try {
      this.abort(reason);
      this.onAbandoned?.(reason);
    } catch {} // whatever those who hear of it throw is dropped
    this.owner.abandoned(this);
  }

  private invoke(): void {
    this.ran = true;
    this.owner.invoke(this);
  }

  private runInSlot(since: number | undefined): void {
    this.holdsSlot = true;
    this.slotSince = since;
    this.invoke();
  }

  private measure(answered: boolean): void {
    if (this.slotSince === undefined) return;
    const end = endOfRun(this, answered);
    if (end !== undefined) this.owner.plan.stages.bulkhead?.measured(end, this.slotSince, now());
    this.slotSince = undefined;
  }

  /** The wait is a promise, so that the work starts in its own async context, not in that of the one before it. */
  private waitForSlot(bulkhead: BulkheadPolicy): void {
    let ticket: Ticket;
    const admitted = new Promise<Admission>((settle) => {
      ticket = bulkhead.enqueue(this, settle);
      this.ticket = ticket;
    }).then((admission) => {
      this.ticket = undefined;
      this.lender = ticket.lender;
      if (typeof admission === 'string') {
        const error = bulkhead.refusal(admission, this);
        this.finish();
        this.fail(error);
      } else if (this.settled) {
        this.end();
        bulkhead.release(undefined, undefined, this.lender); // it has not run
      } else {
        this.beginLate(bulkhead, admission);
      }
    });
    admitted.catch((error) => this.owner.broke(error));
  }

  private beginLate(bulkhead: BulkheadPolicy, at: number): void {
    try {
      this.owner.plan.stages.circuitBreaker?.confirm(this.permit, at, this);
    } catch (rejection) {
      this.end();
      bulkhead.release(at, undefined, this.lender);
      this.refuse(rejection);
      return;
    }
    this.runInSlot(this.lender === undefined ? at : undefined);
  }

  /** By its own breaker, which learns nothing from that. */
  private refuse(rejection: unknown): void {
    if (!this.settle()) return;
    this.owner.plan.stages.circuitBreaker?.release(this.permit);
    this.owner.failed(rejection, this);
  }

  private leaveQueue(): void {
    if (this.ticket === undefined) return;
    this.owner.plan.stages.bulkhead?.leave(this.ticket);
    this.ticket = undefined;
  }
}
