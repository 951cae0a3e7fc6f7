import { Alarm } from '../common/alarm.js';
import { areTimersFaked, MAX_TIMER_MS, now } from '../common/clock.js';
import type { Wait } from '../shutdown/shutdown.js';

/** A wait that can be ended early. Like any timer it keeps the process alive. */
export class Pause implements Wait {
  /** `true` when the time is over, `false` when it was stopped before. */
  readonly over: Promise<boolean>;
  private readonly alarm = new Alarm(() => this.ring());
  private end!: (goesOn: boolean) => void;

  /** @param delayMs longer than a timer takes, such as `Infinity`: it ends only where it is stopped */
  constructor(delayMs: number) {
    this.over = new Promise((resolve) => {
      this.end = resolve;
    });
    if (delayMs <= MAX_TIMER_MS) this.alarm.set(delayMs);
  }

  /**
   * Timers count whole ms, and may ring almost one early: whoever was told when to come again would come
   * in vain.
   */
  private ring(): void {
    const leftMs = areTimersFaked() ? 0 : this.alarm.dueAt - now();
    if (leftMs > 0) this.alarm.set(Math.ceil(leftMs));
    else this.end(true);
  }

  stop(): void {
    this.alarm.stop();
    this.end(false);
  }
}
