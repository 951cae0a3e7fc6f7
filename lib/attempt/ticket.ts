import type { Expiring, TimerQueue } from '../common/timer-queue.js';
import type { Scope } from '../context/scope.js';

/** A place in the queue of a stage. */
export class Ticket<Outcome = never> {
  previous: Ticket | undefined = undefined;
  next: Ticket | undefined = undefined;
  waiting = false;
  timeout: QueueTimeout | undefined = undefined;

  /** `true` is critical, `false` may be shed. */
  readonly critical: boolean | undefined;

  /**
   * @param scope of the call that waits
   * @param deadline when nobody wants the answer any more, on the monotonic clock
   * @param settle is told how the wait ends
   * @param weight what it waits for, where that is not the same for all
   */
  constructor(
    readonly scope: Scope,
    readonly deadline: number,
    readonly settle: (outcome: Outcome) => void,
    readonly weight = 1,
  ) {
    this.critical = scope.critical;
  }
}

/** How long a ticket may wait. */
export class QueueTimeout implements Expiring<QueueTimeout> {
  previous: QueueTimeout | undefined = undefined;
  next: QueueTimeout | undefined = undefined;
  expiresAt = 0;

  /** @param queue in which it ends */
  constructor(
    readonly queue: TimerQueue<QueueTimeout>,
    readonly expire: () => void,
  ) {}
}
