const nodePerformance = performance;
const nodeSetTimeout = setTimeout;
const isTest = process.env.NODE_ENV === 'test'; // Jest and Vitest see to that

/** Whether a test has put fakes in the place of timers. */
export function areTimersFaked(): boolean {
  return setTimeout !== nodeSetTimeout;
}

/**
 * Milliseconds on the monotonic clock: changes of the wall clock do not move it.
 *
 * `performance` is an accessor of the global object that costs as much as the clock itself, so it is
 * asked for only where somebody may have put a fake in its place.
 */
export function now(): number {
  return isTest || areTimersFaked() ? performance.now() : nodePerformance.now();
}

/** The longest delay a Node timer takes; above it, it would fire at once. */
export const MAX_TIMER_MS = 2_147_483_647;
