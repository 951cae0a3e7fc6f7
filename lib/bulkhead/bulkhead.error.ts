import { ResilienceError } from '../common/resilience.error.js';

/** Why a bulkhead did not take a call. */
export type BulkheadRejectionReason = 'full' | 'queue-timeout' | 'shutdown';

const MESSAGES: Record<BulkheadRejectionReason, string> = {
  full: 'is full',
  'queue-timeout': 'had no free slot in time',
  shutdown: 'is shutting down',
};

/** The bulkhead had no room for the call, or not in time. */
export class BulkheadRejectedError extends ResilienceError {
  override readonly name = 'BulkheadRejectedError';
  readonly code = 'BULKHEAD_FULL';

  constructor(
    readonly bulkhead: string,
    readonly reason: BulkheadRejectionReason,
    captureStackTrace?: boolean,
  ) {
    super(`Bulkhead "${bulkhead}" ${MESSAGES[reason]}`, captureStackTrace);
  }
}
