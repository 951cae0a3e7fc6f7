import type { FailedAttempt, RetryPolicy } from '../../lib/retry/retry.policy.js';

/** A first attempt that failed, of a call with all the time in the world. */
export const failed = (error: unknown, fields: Partial<FailedAttempt> = {}): FailedAttempt => ({
  call: { self: undefined, args: [] },
  error,
  attempt: 1,
  previousDelayMs: undefined,
  elapsedMs: 0,
  remainingMs: Number.POSITIVE_INFINITY,
  isNested: false,
  at: 0,
  ...fields,
});

/** The wait before the next attempt, in ms; `undefined` where there is none. */
export function delayAfter(policy: RetryPolicy, attempt: FailedAttempt): number | undefined {
  const decision = policy.decide(attempt);
  return decision && 'delayMs' in decision ? decision.delayMs : undefined;
}
