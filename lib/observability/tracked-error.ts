import { timestamp as isoTime } from '../common/timestamp.js';
import type { ErrorContext } from '../errors/error-context.js';
import type { ErrorDescription, ToldError } from '../errors/error-record.js';
import type { FailedCall, FailureOutcome } from '../pipeline/stages.js';
import type { RetrySuppression } from '../retry/retry.policy.js';

/** A failure, as it was tracked. */
export interface TrackedError {
  /** What was thrown, for subscribers of `errors$`; of recent errors only with `keepErrors`. */
  error?: unknown;
  /** The error's name; `NonError` for what is not an `Error`. */
  type: string;
  /** Cut at 2 kB, and without what looks like a secret. */
  message: string;
  /** What the error came from, by its `cause`. */
  cause?: ErrorDescription | undefined;
  /** What was known of the call. */
  context: ErrorContext;
  /** Whether a fallback or a degradation hid it from the caller. */
  handled: boolean;
  /** How the call ended for its caller; only of a call. */
  outcome?: FailureOutcome | undefined;
  /** How many attempts the call made, those that were refused included; only of a call. */
  attempts?: number | undefined;
  /** How long the call took, in ms, with all attempts, waits and the fallback; only of a call. */
  durationMs?: number | undefined;
  /** Why the call was not tried again where that was worth it. */
  retrySuppressed?: RetrySuppression | undefined;
  /** What its fallback failed by, where that failed too: which is what its caller got. */
  fallbackError?: ErrorDescription | undefined;
  /** It was injected by chaos, or came of what was. */
  chaos?: true | undefined;
  /** When it was tracked, as an ISO 8601 time. */
  timestamp: string;
}

/** In one go, like `withError`: failures come by the thousand, and objects that grow are slow. */
export function shownOf(
  { type, message, cause }: ToldError,
  context: ErrorContext,
  handled: boolean,
  chaos: true | undefined,
  call: Partial<FailedCall> = {},
  fallbackError?: ErrorDescription,
): TrackedError {
  const { outcome, attempts, durationMs, retrySuppressed } = call;
  const timestamp = isoTime();
  return {
    type,
    message,
    cause,
    context,
    handled,
    outcome,
    attempts,
    durationMs,
    retrySuppressed,
    fallbackError,
    chaos,
    timestamp,
  };
}

export function withError(shown: TrackedError, error: unknown): TrackedError {
  const { type, message, cause, context, handled, timestamp } = shown;
  const { outcome, attempts, durationMs, retrySuppressed, fallbackError, chaos } = shown;
  return {
    error,
    type,
    message,
    cause,
    context,
    handled,
    outcome,
    attempts,
    durationMs,
    retrySuppressed,
    fallbackError,
    chaos,
    timestamp,
  };
}
