/** Milliseconds on the monotonic clock: changes of the wall clock do not move it. */
export function now(): number {
  return performance.now();
}

/** The longest delay a Node timer takes; above it, it would fire at once. */
export const MAX_TIMER_MS = 2_147_483_647;
