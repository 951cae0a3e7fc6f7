import { now } from '../common/clock.js';

/** Lets one alert through in each interval and counts the others. Holds no timer. */
export class AlertThrottle {
  private lastAt = Number.NEGATIVE_INFINITY;
  private suppressed = 0;

  constructor(private readonly intervalMs: number) {}

  /** @returns how many were held back since the last; `undefined` where this one is held back too */
  pass(at = now()): number | undefined {
    if (at - this.lastAt < this.intervalMs) {
      this.suppressed++;
      return undefined;
    }
    const { suppressed } = this;
    this.lastAt = at;
    this.suppressed = 0;
    return suppressed;
  }
}
