const nodePerformance = performance;
const nodeSetTimeout = setTimeout;

/** The longest delay a Node timer takes; above it, it would fire at once. */
export const MAX_TIMER_MS = 2_147_483_647;

/** Something that waits, and has to go on waiting where a test puts another clock in force. */
export interface ClockFollower {
  /** @param isNewEra whether instants of before mean nothing any more; else only the timers are others */
  followClock(isNewEra: boolean): void;
}

/**
 * Which clock is in force. A test may put others in its place and take them away again, as often as
 * it likes: each time a new era begins, in which instants of the one before mean nothing.
 */
export const clock = {
  era: 0,
  /** When the era began, by its own clock. What is held from before counts as of then. */
  eraBeganAt: 0,
  followers: new Set<ClockFollower>(),
};

/** Jest and Vitest see to that. Elsewhere clocks are watched from the first time that timers are faked. */
let isWatched = process.env.NODE_ENV === 'test';
let watchedPerformance = performance;
let watchedSetTimeout = setTimeout;
/** What the clock in force said last, and what Node's did then. */
let lastMs = Number.NEGATIVE_INFINITY;
let lastNodeMs = Number.NEGATIVE_INFINITY;

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
  return isWatched || areTimersFaked() ? watchedNow() : nodePerformance.now();
}

/** A clock that is another one, or that went backwards, begins a new era. */
function watchedNow(): number {
  isWatched = true;
  const current = performance;
  const at = current.now();
  const isAnother = current !== watchedPerformance;
  const isNewEra = isAnother || at < lastMs;
  const haveNewTimers = setTimeout !== watchedSetTimeout;
  const wasLookedAt = lastNodeMs;
  watchedPerformance = current;
  watchedSetTimeout = setTimeout;
  lastMs = at;
  lastNodeMs = current === nodePerformance ? at : nodePerformance.now();
  if (isNewEra) beginEra(isAnother ? beginningOf(current, wasLookedAt) : at, at);
  if (isNewEra || haveNewTimers)
    for (const follower of [...clock.followers]) follower.followClock(isNewEra);
  return at;
}

function beginEra(beganAt: number, at: number): void {
  clock.era++;
  clock.eraBeganAt = Math.min(at, beganAt);
}

/** Fakes begin at 0 when they are put in place. Node's clock went on, since it was last looked at. */
function beginningOf(current: typeof performance, wasLookedAt: number): number {
  if (current !== nodePerformance) return 0;
  return wasLookedAt === Number.NEGATIVE_INFINITY ? lastMs : wasLookedAt;
}

/** An instant, and how long ago it was: where the clock has changed, since the new one began. */
export class Since {
  private era = clock.era;

  constructor(private at: number) {}

  elapsedMs(at: number): number {
    if (this.era !== clock.era) {
      this.era = clock.era;
      this.at = clock.eraBeganAt;
    }
    return at - this.at;
  }
}
