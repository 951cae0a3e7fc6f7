const nodePerformance = performance;
const nodeSetTimeout = setTimeout;

/** Whether a test has put fakes in the place of time. */
export function isTimeFaked(): boolean {
  return setTimeout !== nodeSetTimeout;
}

/**
 * Milliseconds on the monotonic clock: changes of the wall clock do not move it.
 *
 * `performance` is an accessor of the global object that costs as much as the clock itself, so it is
 * asked for only where somebody may have replaced it.
 */
export function now(): number {
  return isTimeFaked() ? performance.now() : nodePerformance.now();
}

/** The longest delay a Node timer takes; above it, it would fire at once. */
export const MAX_TIMER_MS = 2_147_483_647;
