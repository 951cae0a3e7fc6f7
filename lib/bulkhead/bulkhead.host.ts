import type { InFlight } from '../shutdown/in-flight.js';
import type { BulkheadRejectionReason } from './bulkhead.error.js';

/** Told of what happens to a bulkhead. */
export interface BulkheadObserver {
  onChange(bulkhead: { readonly name: string }, running: number, queued: number): void;
  onRejected(bulkhead: { readonly name: string }, reason: BulkheadRejectionReason): void;
  /** How many may run at a time: where that is found out, whenever it is another number. */
  onLimit(bulkhead: { readonly name: string }, limit: number): void;
}

/** What the module that owns a bulkhead gives it. */
export interface BulkheadHost {
  observer?: BulkheadObserver;
  captureStackTrace?: boolean;
  /** Counts the calls that go through the bulkhead by itself. */
  inFlight?: InFlight;
}
