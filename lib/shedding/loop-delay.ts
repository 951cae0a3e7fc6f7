import { clock, now } from '../common/clock.js';

/** So often the event loop is asked how late it is, in ms. */
const EVERY_MS = 10;

/** A measurement has this share in the mean that is told. */
const WEIGHT = 0.1;

/**
 * How late the event loop is, by a timer that says when it should have rung. `monitorEventLoopDelay()` of
 * Node keeps a histogram, which says nothing about now.
 *
 * The timer holds no process.
 */
export class LoopDelay {
  private timer: NodeJS.Timeout | undefined = undefined;
  /** Of the timers that it was set with. */
  private clearTimeout = clearTimeout;
  private dueAt = 0;
  private setAt = 0;
  private era = clock.era;
  /** The mean of the last ones, in ms. */
  meanMs = 0;

  /** @param onMeasured is told how late it was, and how long ago the measurement before was */
  constructor(private readonly onMeasured: (delayMs: number, sinceMs: number) => void) {}

  get isRunning(): boolean {
    return this.timer !== undefined;
  }

  start(): void {
    this.stop();
    this.set();
  }

  stop(): void {
    if (this.timer !== undefined) this.clearTimeout.call(globalThis, this.timer);
    this.timer = undefined;
    this.meanMs = 0;
  }

  /** How late it is already, before the timer can say so: what is ready to run now has waited so long. */
  get overdueMs(): number {
    if (this.timer === undefined) return 0;
    const at = now();
    return this.era === clock.era ? at - this.dueAt : 0;
  }

  private set(): void {
    this.setAt = now();
    this.era = clock.era;
    this.dueAt = this.setAt + EVERY_MS;
    this.clearTimeout = clearTimeout;
    this.timer = setTimeout(this.ring, EVERY_MS);
    (this.timer as Partial<NodeJS.Timeout>).unref?.();
  }

  private readonly ring = (): void => {
    const at = now();
    const isSameClock = this.era === clock.era;
    const delayMs = isSameClock ? Math.max(0, at - this.dueAt) : 0;
    const sinceMs = isSameClock ? at - this.setAt : EVERY_MS;
    this.meanMs += (delayMs - this.meanMs) * WEIGHT;
    this.set();
    this.onMeasured(delayMs, sinceMs); // which may stop it
  };
}
