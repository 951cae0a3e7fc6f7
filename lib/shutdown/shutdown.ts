import { Alarm } from '../common/alarm.js';
import { now, Since } from '../common/clock.js';
import type { InFlight } from './in-flight.js';

/** So many reactions of promises may lie between the end of a call and the next call of who waited for it. */
const REACTIONS = 20;

/** A wait that can be ended early. */
export interface Wait {
  stop(): void;
}

/**
 * The application's end. It begins with a grace, in which calls go on as ever; after that what waits
 * is ended, and nothing waits any more.
 *
 * The grace has a timer only while there is a call that it may have to end. Until then the timer keeps
 * the process alive, so that a call which hangs on nothing does not end it before its hooks have run.
 */
export class Shutdown implements InFlight {
  /** The grace is over. */
  closed = false;
  private calls = 0;
  private graceMs = 0;
  /** Once the end has begun. */
  private began: Since | undefined = undefined;
  private readonly alarm = new Alarm(() => this.close());
  private readonly waits = new Set<Wait>();
  private tellNothingLeft: (() => void) | undefined = undefined;

  /** @param onClosed ends what waits elsewhere */
  constructor(private readonly onClosed: () => void = () => undefined) {}

  enter(): void {
    this.calls++;
    if (this.began !== undefined) this.arm(this.began);
  }

  leave(): void {
    this.calls--;
    if (this.calls === 0 && this.began !== undefined) this.rest();
  }

  add(wait: Wait): void {
    this.waits.add(wait);
  }

  delete(wait: Wait): void {
    this.waits.delete(wait);
  }

  /** Begins the grace; again is no harm. */
  begin(graceMs: number): void {
    if (this.began !== undefined) return;
    this.graceMs = graceMs;
    this.began = new Since(now());
    if (graceMs === 0) this.close();
    else if (this.calls > 0) this.arm(this.began);
  }

  /** Resolves when no call is left, or when the grace is over. */
  async nothingLeft(): Promise<void> {
    while (this.calls > 0 && !this.closed) {
      await new Promise<void>((resolve) => {
        this.tellNothingLeft = resolve;
      });
      for (let i = 0; i < REACTIONS && this.calls === 0; i++) await undefined;
    }
  }

  private arm(began: Since): void {
    if (this.closed || this.alarm.isSet) return;
    const leftMs = this.graceMs - began.elapsedMs(now());
    if (leftMs > 0) this.alarm.set(leftMs);
    else this.close();
  }

  private rest(): void {
    this.alarm.stop();
    this.tellNothingLeft?.();
  }

  private close(): void {
    this.closed = true;
    for (const wait of this.waits) wait.stop();
    this.waits.clear();
    this.onClosed();
    this.rest();
  }
}
