import { check, duration } from '../common/options.js';
import { type Expiring, TimerQueue } from '../common/timer-queue.js';

/** Something that takes time, and is told when it has taken too much. */
export interface Timed extends Expiring<Timed> {}

/** The time that one attempt may take, and the one timer of all that are running. */
export class TimeoutPolicy extends TimerQueue<Timed> {
  /** @throws ResilienceConfigurationError */
  constructor(timeoutMs: number, place = 'timeoutMs') {
    check(place, timeoutMs, duration);
    super(timeoutMs);
  }
}
