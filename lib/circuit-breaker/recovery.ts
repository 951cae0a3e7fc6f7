import type { ResolvedCircuitBreakerOptions } from './circuit-breaker.options.js';
import { OpenTime } from './open-time.js';
import { RampUp } from './ramp-up.js';

/**
 * What lasts from the opening of a breaker until everybody has been let back: an open time, which is
 * longer each time that recovery fails, and where it is asked for a ramp after probes have closed it.
 */
export class Recovery {
  /** The latest: the next one grows from it. */
  openTime: OpenTime;
  /** Once probes have closed the breaker. */
  rampUp: RampUp | undefined = undefined;

  /** @param error what opened the breaker, where it was an error */
  constructor(
    private readonly options: Readonly<ResolvedCircuitBreakerOptions>,
    openedAt: number,
    error?: unknown,
  ) {
    this.openTime = new OpenTime(options, openedAt, error);
  }

  /** The breaker opens again before everybody was let back. */
  fail(at: number, error: unknown): void {
    this.openTime = new OpenTime(this.options, at, error, this.openTime);
    this.rampUp = undefined;
  }

  /** Probes have closed the breaker. @returns whether calls are let back by and by from now on */
  rampsUp(at: number): boolean {
    const { rampUpMs } = this.options;
    if (rampUpMs === undefined) return false;
    this.rampUp = new RampUp(at, rampUpMs);
    return true;
  }

  /** Whether everybody has been let back. */
  isOver(at: number): boolean {
    return this.rampUp?.isOver(at) === true;
  }

  /** After so many ms it is worth trying again; half-open none, as soon as a probe has ended. */
  retryAfterMs(at: number): number {
    return this.rampUp?.retryAfterMs(at) ?? this.openTime.leftMs(at);
  }
}
