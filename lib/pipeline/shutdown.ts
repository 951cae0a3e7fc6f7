/** A wait that can be ended early. Like any timer it keeps the process alive. */
export class Pause {
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

/** The application's end: waits that are pending then end at once, and no new ones begin. */
export class Shutdown {
  closed = false;
  private readonly pauses = new Set<Pause>();

  add(pause: Pause): void {
    this.pauses.add(pause);
  }

  delete(pause: Pause): void {
    this.pauses.delete(pause);
  }

  close(): void {
    this.closed = true;
    for (const pause of this.pauses) pause.stop();
    this.pauses.clear();
  }
}
