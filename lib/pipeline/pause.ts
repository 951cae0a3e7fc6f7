import type { Wait } from '../shutdown/shutdown.js';

/** A wait that can be ended early. Like any timer it keeps the process alive. */
export class Pause implements Wait {
  /** `true` when the time is over, `false` when it was stopped before. */
  readonly over: Promise<boolean>;
  private timer: NodeJS.Timeout | undefined;
  private end!: (goesOn: boolean) => void;

  constructor(delayMs: number) {
    this.over = new Promise((resolve) => {
      this.end = resolve;
    });
    this.timer = setTimeout(this.end, delayMs, true);
  }

  stop(): void {
    clearTimeout(this.timer);
    this.end(false);
  }
}
