/** An attempt that is about to begin. */
export interface UpcomingAttempt {
  /** Which one it is: 2 before the first retry. */
  readonly attempt: number;
  /** What the one before failed by; a `FailedResult` where that was its result. */
  readonly error: unknown;
  /** Aborted when nobody waits for the attempt any more. Made when it is first read. */
  readonly signal: AbortSignal;
}

/** Runs after the wait and before the attempt, which begins when its promise, if it returns one, is fulfilled. */
export type BeforeRetry = (
  // biome-ignore lint/suspicious/noExplicitAny: an object of whatever class the method belongs to
  this: any,
  retry: UpcomingAttempt,
) => unknown;

/** The method that an argument of `@Retry()` names to run before each retry, if it does. */
export function beforeRetryMethodOf(argument: unknown): PropertyKey | undefined {
  const name = (argument as { beforeRetry?: unknown } | null | undefined)?.beforeRetry;
  return typeof name === 'string' || typeof name === 'symbol' ? name : undefined;
}
