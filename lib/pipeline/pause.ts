import { Alarm } from '../common/alarm.js';
import type { Wait } from '../shutdown/shutdown.js';

/** A wait that can be ended early. Like any timer it keeps the process alive. */
export class Pause implements Wait {
  /** `true` when the time is over, `false` when it was stopped before. */
  readonly over: Promise<boolean>;
  private readonly alarm = new Alarm(() => this.end(true));
  private end!: (goesOn: boolean) => void;

  constructor(delayMs: number) {
    this.over = new Promise((resolve) => {
      this.end = resolve;
    });
    this.alarm.set(delayMs);
  }

  stop(): void {
    this.alarm.stop();
    this.end(false);
  }
}
