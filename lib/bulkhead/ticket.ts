import type { Expiring } from '../common/timer-queue.js';
import type { BulkheadRejectedError } from './bulkhead.error.js';

/** A place in a bulkhead's queue. */
export class Ticket {
  previous: Ticket | undefined = undefined;
  next: Ticket | undefined = undefined;
  waiting = true;
  timeout: QueueTimeout | undefined = undefined;

  constructor(
    /** Called with the slot. */
    readonly admitted: () => void,
    readonly refused: (error: BulkheadRejectedError) => void,
  ) {}
}

/** How long a ticket may wait. */
export class QueueTimeout implements Expiring<QueueTimeout> {
  previous: QueueTimeout | undefined = undefined;
  next: QueueTimeout | undefined = undefined;
  expiresAt = 0;

  constructor(readonly expire: () => void) {}
}
