import { now } from '../common/clock.js';
import { type Linked, LinkedList } from '../common/linked-list.js';
import type { BulkheadRejectionReason } from './bulkhead.error.js';
import type { MeasuredRuns } from './measured-runs.js';
import type { Slots } from './slots.js';

/** The permit of a call that a bulkhead in shadow mode would not have let in at once. */
export class ShadowPermit implements Linked<ShadowPermit> {
  previous: ShadowPermit | undefined = undefined;
  next: ShadowPermit | undefined = undefined;
  /** Where it would be at this moment. */
  place: 'queue' | 'slot' | 'outside' = 'outside';

  constructor(
    readonly of: ShadowSlots,
    /** When it came. */
    readonly at: number,
    readonly deadline: number,
  ) {}
}

/**
 * What a bulkhead in shadow mode would have done with the calls that run. Each that comes when all slots would
 * be taken is put in a queue by count only, first in, first out, while it runs in truth; as those in the slots
 * end, the first of the queue has their slots. It is refused, in thought, where the queue is full, where it
 * has been there for longer than `queueTimeoutMs`, or where its deadline is too near. What was refused takes no
 * slot from then on.
 *
 * So it tells a little less than would happen: what waits in thought ends earlier than it would. It goes by no
 * timers, and tells of who has waited too long when the next call comes or ends. All calls matter alike to it.
 */
export class ShadowSlots {
  /** Since the bulkhead is in shadow mode. */
  wouldReject = 0;
  wouldQueue = 0;
  private waiting = 0;
  /** So many of those that run would have been refused, or have their slots lent. */
  private outside = 0;
  private readonly queue = new LinkedList<ShadowPermit>();

  constructor(
    private readonly slots: Slots,
    private readonly runs: MeasuredRuns,
    private readonly tell: (reason: BulkheadRejectionReason) => void,
  ) {}

  /** @param isLent whether it would have the slot of a call around it */
  admit(
    at: number,
    deadline: number,
    isLent: boolean,
    queueTimeoutMs: number | undefined,
  ): ShadowPermit {
    const permit = new ShadowPermit(this, at, deadline);
    this.expire(at, queueTimeoutMs);
    if (isLent) this.outside++;
    else if (this.waiting === 0 && this.free > 0) permit.place = 'slot';
    else if (this.runs.isTooLate(deadline, at, false)) this.refuse(permit, 'deadline');
    else if (this.waiting >= this.slots.queueLimit) this.refuse(permit, 'full');
    else this.enqueue(permit);
    return permit;
  }

  /** One runs no more. */
  ended(permit: unknown, queueTimeoutMs: number | undefined): void {
    if (permit instanceof ShadowPermit && permit.of === this) {
      if (permit.place === 'outside') this.outside--;
      else if (permit.place === 'queue') this.dequeue(permit);
    }
    if (this.waiting > 0) this.serve(now(), queueTimeoutMs);
  }

  /** Those who wait have the slots that are free. */
  serve(at: number, queueTimeoutMs: number | undefined): void {
    this.expire(at, queueTimeoutMs);
    for (let { first } = this.queue; first !== undefined; first = this.queue.first) {
      if (this.free <= 0) break;
      this.dequeue(first);
      if (this.runs.isTooLate(first.deadline, at, this.waiting > 0)) this.refuse(first, 'deadline');
      else first.place = 'slot';
    }
  }

  private get free(): number {
    return this.slots.limit - (this.slots.running - this.outside - this.waiting);
  }

  private expire(at: number, queueTimeoutMs = Number.POSITIVE_INFINITY): void {
    for (let { first } = this.queue; first !== undefined; first = this.queue.first) {
      if (at - first.at <= queueTimeoutMs) break;
      this.dequeue(first);
      this.refuse(first, 'queue-timeout');
    }
  }

  private enqueue(permit: ShadowPermit): void {
    permit.place = 'queue';
    this.queue.append(permit);
    this.waiting++;
    this.wouldQueue++;
  }

  private dequeue(permit: ShadowPermit): void {
    this.queue.remove(permit);
    this.waiting--;
  }

  private refuse(permit: ShadowPermit, reason: BulkheadRejectionReason): void {
    permit.place = 'outside';
    this.outside++;
    this.wouldReject++;
    this.tell(reason);
  }
}
