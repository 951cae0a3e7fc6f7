import { giveMeaning, ResilienceError } from '../errors/resilience.error.js';

export const BULKHEAD_REJECTION_REASONS = [
  'full',
  'queue-timeout',
  'deadline',
  'displaced',
  'shutdown',
] as const;

/**
 * Why a bulkhead did not take a call: its queue was `full`; it had waited for `queueTimeoutMs`; its
 * `deadline` was nearer than a typical run takes; it was `displaced` from a full queue by a critical
 * call; the application closes.
 */
export type BulkheadRejectionReason = (typeof BULKHEAD_REJECTION_REASONS)[number];

const MESSAGES: Record<BulkheadRejectionReason, string> = {
  full: 'is full',
  'queue-timeout': 'had no free slot in time',
  deadline: 'had no free slot early enough for a typical run to meet the deadline',
  displaced: 'is full, and a critical call took the place in its queue',
  shutdown: 'is shutting down',
};

/** The bulkhead had no room for the call, or not in time. */
export class BulkheadRejectedError extends ResilienceError {
  /** The class's name, by which logs show it. */
  override readonly name = 'BulkheadRejectedError';
  /** Tells the error apart from the library's others. */
  readonly code = 'BULKHEAD_FULL';

  constructor(
    /** The name of the bulkhead. */
    readonly bulkhead: string,
    /** Why the call was rejected. */
    readonly reason: BulkheadRejectionReason,
    captureStackTrace?: boolean,
    override readonly byClient = false,
  ) {
    super(`Bulkhead "${bulkhead}" ${MESSAGES[reason]}`, captureStackTrace);
  }
}

giveMeaning(BulkheadRejectedError, {
  code: 'BULKHEAD_FULL',
  http: 503,
  grpc: 8,
  message: 'The service is overloaded',
});
