import { giveMeaning, ResilienceError } from '../errors/resilience.error.js';

export const RATE_LIMIT_REASONS = ['limit', 'queue', 'deadline', 'shutdown'] as const;

/**
 * Why a rate limit did not let a call in: its turn would have come later than in `maxWaitMs` (`limit`), or
 * after its `deadline`; the `queue` was full, or a critical call took its place there; the application
 * closes.
 */
export type RateLimitReason = (typeof RATE_LIMIT_REASONS)[number];

const MESSAGES: Record<RateLimitReason, string> = {
  limit: 'is reached',
  queue: 'is reached, and its queue is full',
  deadline: 'would let the call in only after its deadline',
  shutdown: 'is shutting down',
};

/** The rate limit did not let the call in: no more may begin at the moment. */
export class RateLimitedError extends ResilienceError {
  /** The class's name, by which logs show it. */
  override readonly name = 'RateLimitedError';
  /** Tells the error apart from the library's others. */
  readonly code = 'RATE_LIMITED';

  constructor(
    /** The name of the rate limit. */
    readonly rateLimit: string,
    /** Why the call was refused. */
    readonly reason: RateLimitReason,
    /** After this many ms it would have been its turn. It is retried no sooner. */
    readonly retryAfterMs: number,
    captureStackTrace?: boolean,
    override readonly byClient = false,
  ) {
    super(`Rate limit "${rateLimit}" ${MESSAGES[reason]}`, captureStackTrace);
  }
}

giveMeaning(RateLimitedError, {
  code: 'RATE_LIMITED',
  http: 503,
  grpc: 8,
  message: 'The service is busy',
  delaysRetries: true,
});
