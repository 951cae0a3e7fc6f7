const nodePerformance = performance;
const nodeSetTimeout = setTimeout;

/** The longest delay a Node timer takes; above it, it would fire at once. */
export const MAX_TIMER_MS = 2_147_483_647;

/** Something that waits, and has to go on waiting where a test puts another clock in force. */
export interface ClockFollower {
  /** @param isNewEra whether instants of before mean nothing any more; else only the timers are others */
  followClock(isNewEra: boolean): void;
}

/** Time in the place of Node's. */
export interface ClockSource {
  /** In ms, from 0 on. */
  now(): number;
  /** The same as a date, in ms since 1970. */
  wallNow(): number;
  setTimeout(run: () => void, delayMs: number): unknown;
  clearTimeout(timer: unknown): void;
}

/** That of the library, where a test has put one in the place of Node's: code of others does not live by it. */
let source: ClockSource | undefined;

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
let watchedClock: Pick<ClockSource, 'now'> = performance;
let watchedSetTimeout: unknown = setTimeout;
/** What the clock in force said last, and what Node's did then. */
let lastMs = Number.NEGATIVE_INFINITY;
let lastNodeMs = Number.NEGATIVE_INFINITY;

/** Puts the library on another clock, or back on Node's. What waits goes on by the new one at once. */
export function useClock(another: ClockSource | undefined): void {
  now(); // until when the one before has gone on
  source = another;
  watchedNow();
}

/** Whether a test has put fakes in the place of timers. */
export function areTimersFaked(): boolean {
  return source !== undefined || setTimeout !== nodeSetTimeout;
}

/** What sets timers, and clears those that it has set. */
export function timersInForce(): Pick<ClockSource, 'setTimeout' | 'clearTimeout'> {
  return source ?? (globalThis as Pick<ClockSource, 'setTimeout' | 'clearTimeout'>);
}

/**
 * The date, in ms since 1970, for what the library remembers and tells. What others tell it, or are told, goes by
 * the clocks of others.
 */
export function wallNow(): number {
  return source?.wallNow() ?? Date.now();
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
  const current = source ?? performance;
  const timers = timersInForce().setTimeout;
  const at = current.now();
  const isAnother = current !== watchedClock;
  const isNewEra = isAnother || at < lastMs;
  const haveNewTimers = timers !== watchedSetTimeout;
  const wasLookedAt = lastNodeMs;
  watchedClock = current;
  watchedSetTimeout = timers;
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
function beginningOf(current: typeof watchedClock, wasLookedAt: number): number {
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
