import type { Ticket } from '../bulkhead/ticket.js';
import type { Permit } from '../circuit-breaker/circuit-breaker.policy.js';
import { isDeadline } from '../context/ambient.js';
import { Scope } from '../context/scope.js';
import { TimeoutError } from '../timeout/timeout.error.js';
import type { Timed } from '../timeout/timeout.policy.js';
import type { Plan } from './stages.js';

/** Starts the real call of an attempt, and tells the attempt how it goes. */
export type Invoke<T> = (attempt: Attempt<T>) => void;

/**
 * One attempt: through the breaker, under the timeout, with a slot of the bulkhead.
 *
 * Two ends are told apart. The attempt *settles* once: by its result, by its timeout, or because the
 * caller gave up. The call behind it *finishes* when it really ends, perhaps much later; until then it
 * holds its slot.
 */
export class Attempt<T> extends Scope implements Timed {
  previous: Timed | undefined = undefined;
  next: Timed | undefined = undefined;
  expiresAt = 0;
  /** Called when nobody waits for the call any more. */
  onAbandoned: ((reason: unknown) => void) | undefined = undefined;
  private settled = true; // until the breaker lets it begin
  private holdsSlot = false;
  private permit: Permit = 0;
  private ticket: Ticket | undefined = undefined;
  private timeoutError: TimeoutError | undefined = undefined;
  private resolve!: (value: T) => void;
  private reject!: (error: unknown) => void;

  constructor(
    private readonly plan: Plan,
    private readonly invoke: Invoke<T>,
    attempt: number,
    caller: Scope | undefined,
    private readonly startedAt: number,
  ) {
    const timeoutMs = plan.stages.timeout?.delayMs ?? Number.POSITIVE_INFINITY;
    super(attempt, caller, startedAt + timeoutMs, timeoutMs);
  }

  /** @throws CircuitBreakerOpenError at once */
  start(): Promise<T> {
    const { circuitBreaker, timeout, bulkhead } = this.plan.stages;
    if (circuitBreaker !== undefined) this.permit = circuitBreaker.acquire(this.startedAt);
    this.settled = false;
    const outcome = new Promise<T>((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    timeout?.add(this, this.startedAt);
    if (bulkhead === undefined) {
      this.invoke(this);
    } else if (bulkhead.tryAcquire()) {
      this.holdsSlot = true;
      this.invoke(this);
    } else {
      this.waitForSlot();
    }
    return outcome;
  }

  /** @returns whether anybody waited for it */
  succeed(value: T): boolean {
    if (!this.settle()) return false;
    this.ownDeadline = Number.POSITIVE_INFINITY; // a stream flows on; its caller's deadline still holds
    this.plan.stages.circuitBreaker?.succeeded(this.permit, this.startedAt);
    this.resolve(value);
    return true;
  }

  fail(error: unknown): void {
    if (!this.settle()) return;
    this.reject(this.teachBreaker(error));
  }

  /** The call behind the attempt has really ended. */
  finish(): void {
    this.end();
    this.onAbandoned = undefined;
    if (!this.holdsSlot) return;
    this.holdsSlot = false;
    this.plan.stages.bulkhead?.release();
  }

  /** The timeout has passed. Whatever user code has to hear of it waits for `lapse()`. */
  expire(): void {
    const { operation, captureStackTrace, stages } = this.plan;
    const timeoutMs = stages.timeout?.delayMs ?? this.timeoutMs;
    this.settled = true; // the timer queue has let go of it already
    this.leaveQueue();
    this.timeoutError = new TimeoutError(timeoutMs, operation, captureStackTrace);
    this.reject(this.timeoutError);
  }

  /**
   * Tells everybody that the timeout has passed: in the async context of the call, and not in that of
   * the timer, which is shared with other calls.
   *
   * @returns the error to surface
   */
  lapse(error: unknown): unknown {
    const { timeoutError } = this;
    if (timeoutError === undefined || error !== timeoutError) return error;
    this.plan.observer.onTimeout(timeoutError.timeoutMs);
    const surfaced = this.teachBreaker(timeoutError);
    this.abandon(timeoutError);
    return surfaced;
  }

  /** The caller gave up, or ran out of time. */
  cancel(reason: unknown): void {
    if (this.settle()) {
      if (isDeadline(reason)) this.teachBreaker(reason);
      else this.plan.stages.circuitBreaker?.release(this.permit);
      this.reject(reason);
    }
    this.abandon(reason);
  }

  /** @returns whether this is the end that counts */
  private settle(): boolean {
    if (this.settled) return false;
    this.settled = true;
    this.plan.stages.timeout?.remove(this);
    this.leaveQueue();
    return true;
  }

  /** @returns the error to surface: that of the breaker's predicate where it throws */
  private teachBreaker(error: unknown): unknown {
    try {
      this.plan.stages.circuitBreaker?.failed(this.permit, error, this.startedAt);
      return error;
    } catch (predicateError) {
      return predicateError;
    }
  }

  private abandon(reason: unknown): void {
    this.abort(reason);
    this.onAbandoned?.(reason);
  }

  /** The wait is a promise, so that the call starts in its own async context, not in that of the one before it. */
  private waitForSlot(): void {
    const { bulkhead } = this.plan.stages;
    new Promise<void>((admitted, refused) => {
      this.ticket = bulkhead?.enqueue(admitted, refused);
    }).then(
      () => {
        this.ticket = undefined;
        this.holdsSlot = true;
        if (this.settled) this.finish();
        else this.invoke(this);
      },
      (error) => {
        this.ticket = undefined;
        this.finish();
        this.fail(error);
      },
    );
  }

  private leaveQueue(): void {
    if (this.ticket === undefined) return;
    this.plan.stages.bulkhead?.leave(this.ticket);
    this.ticket = undefined;
  }
}
