import { now, Since } from '../common/clock.js';

/** Lets one alert through in each interval and counts the others. Holds no timer. */
export class AlertThrottle {
  private last: Since | undefined = undefined;
  private suppressed = 0;

  constructor(private readonly intervalMs: number) {}

  /** @returns how many were held back since the last; `undefined` where this one is held back too */
  pass(at = now()): number | undefined {
    if (this.last !== undefined && this.last.elapsedMs(at) < this.intervalMs) {
      this.suppressed++;
      return undefined;
    }
    const { suppressed } = this;
    this.last = new Since(at);
    this.suppressed = 0;
    return suppressed;
  }
}
