import type { BulkheadRejectionReason } from './bulkhead.error.js';
import type { BulkheadPolicy } from './bulkhead.policy.js';

/** Told of what happens to a bulkhead. @internal */
export interface BulkheadObserver {
  onChange(bulkhead: BulkheadPolicy, running: number, queued: number): void;
  onRejected(bulkhead: BulkheadPolicy, reason: BulkheadRejectionReason): void;
  /** How many may run at a time: where that is found out, whenever it is another number. */
  onLimit(bulkhead: BulkheadPolicy, limit: number): void;
}

/** What the module that owns a bulkhead gives it. @internal */
export interface BulkheadHost {
  observer?: BulkheadObserver;
  captureStackTrace?: boolean;
}
