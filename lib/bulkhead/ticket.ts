import type { Expiring } from '../common/timer-queue.js';
import type { Scope } from '../context/scope.js';
import type { BulkheadRejectionReason } from './bulkhead.error.js';

/** How a wait ends: when the slot was handed over, on the monotonic clock, or why there is none. */
export type Admission = number | BulkheadRejectionReason;

/** A place in a bulkhead's queue. */
export class Ticket {
  previous: Ticket | undefined = undefined;
  next: Ticket | undefined = undefined;
  waiting = false;
  timeout: QueueTimeout | undefined = undefined;
  /** Whose slot it got, where that was lent to it. */
  lender: Scope | undefined = undefined;

  /** `true` is critical, `false` may be shed. */
  readonly critical: boolean | undefined;
  /** When nobody wants the answer any more, on the monotonic clock. */
  readonly deadline: number;

  /** @param scope of the call that waits */
  constructor(
    readonly scope: Scope,
    readonly settle: (admission: Admission) => void,
  ) {
    this.critical = scope.critical;
    this.deadline = scope.deadline;
  }
}

/** How long a ticket may wait. */
export class QueueTimeout implements Expiring<QueueTimeout> {
  previous: QueueTimeout | undefined = undefined;
  next: QueueTimeout | undefined = undefined;
  expiresAt = 0;

  constructor(readonly expire: () => void) {}
}
