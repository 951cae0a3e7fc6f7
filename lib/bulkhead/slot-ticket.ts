import { Ticket } from '../attempt/ticket.js';
import type { Scope } from '../context/scope.js';
import type { BulkheadRejectionReason } from './bulkhead.error.js';

/** How a wait ends: when the slot was handed over, on the monotonic clock, or why there is none. */
export type Admission = number | BulkheadRejectionReason;

/** A place in a bulkhead's queue. */
export class SlotTicket extends Ticket<Admission> {
  /** Whose slot it got, where that was lent to it. */
  lender: Scope | undefined = undefined;
}
