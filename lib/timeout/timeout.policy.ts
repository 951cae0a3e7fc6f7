import type { AttemptStage, Permit, StageAttempt, Timed } from '../attempt/attempt-stage.js';
import { duration } from '../common/option-rules.js';
import { check } from '../common/options.js';
import { TimerQueue } from '../common/timer-queue.js';

/** The time that one attempt may take, and the one timer of all that are running. */
export class TimeoutPolicy extends TimerQueue<Timed> implements AttemptStage {
  /** What is called inside has its deadline, and is cut with it. */
  readonly needsScope = true;
  /** Unlike one in shadow. */
  readonly mode = undefined;

  /** @throws ResilienceConfigurationError */
  constructor(timeoutMs: number, place = 'timeoutMs') {
    check(place, timeoutMs, duration);
    super(timeoutMs);
  }

  admit(attempt: StageAttempt, at: number): Permit {
    this.add(attempt.timed as Timed, at);
    return this;
  }

  settled(_permit: Permit, attempt: StageAttempt): void {
    this.remove(attempt.timed as Timed);
  }
}
