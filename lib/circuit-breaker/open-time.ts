import { Since, wallNow } from '../common/clock.js';
import { timestamp } from '../common/timestamp.js';
import type { OpenSpan } from '../fleet/shared-verdicts.js';
import type { ResolvedCircuitBreakerOptions } from './circuit-breaker.options.js';
import type { RememberedOutage } from './circuit-memory.js';

/**
 * One time that a breaker is open. Where recovery keeps failing, each is longer than the one before it,
 * and none is quite as long as those of other processes: exponential backoff with jitter (Marc Brooker,
 * "Exponential Backoff And Jitter"), here for the probes of many instances that opened at once.
 */
export class OpenTime {
  /** Of the first one of this outage, on the wall clock, as an ISO 8601 time. */
  outageBeganAt: string;
  /** What opened the breaker; of a probe that failed without an error, what had opened it before. */
  readonly cause: unknown;
  /** What the next one grows from: jitter does not add up. */
  private baseMs: number;
  private lengthMs: number;
  /** So many times recovery had failed before it began. */
  private failedRecoveries: number;
  private readonly since: Since;

  /**
   * @param error what opened the breaker, where it was an error
   * @param before the open time after which recovery failed; without one, it is the first
   * @param span what the fleet has decided, in the place of what follows from the options
   */
  constructor(
    options: Readonly<ResolvedCircuitBreakerOptions>,
    startedAt: number,
    error?: unknown,
    before?: OpenTime,
    span?: OpenSpan,
  ) {
    this.since = new Since(startedAt);
    this.outageBeganAt = before?.outageBeganAt ?? timestamp();
    this.cause = error ?? before?.cause;
    this.failedRecoveries = before === undefined ? 0 : before.failedRecoveries + 1;
    const { timeoutMs, timeoutFactor, timeoutJitter, maxTimeoutMs } = options;
    const ownMs =
      before === undefined ? timeoutMs : Math.min(maxTimeoutMs, before.baseMs * timeoutFactor);
    this.baseMs = span?.baseMs ?? ownMs;
    this.lengthMs = span?.openMs ?? jittered(this.baseMs, timeoutJitter, maxTimeoutMs);
  }

  /** Other options hold for all of it, as if it had begun by them. */
  change({
    timeoutMs,
    timeoutFactor,
    timeoutJitter,
    maxTimeoutMs,
  }: Readonly<ResolvedCircuitBreakerOptions>): void {
    this.baseMs = Math.min(maxTimeoutMs, timeoutMs * timeoutFactor ** this.failedRecoveries);
    this.lengthMs = jittered(this.baseMs, timeoutJitter, maxTimeoutMs);
  }

  remember(at: number): RememberedOutage {
    const { failedRecoveries, lengthMs, outageBeganAt } = this;
    const beganAgoMs = Math.max(0, wallNow() - Date.parse(outageBeganAt));
    const openForMs = Math.max(0, Math.round(this.since.elapsedMs(at)));
    return { beganAgoMs, openForMs, lengthMs, failedRecoveries };
  }

  /** One of before a restart goes on: as long as it was, but no longer or shorter than the options allow by now. */
  static recalled(
    { beganAgoMs, openForMs, lengthMs, failedRecoveries }: RememberedOutage,
    options: Readonly<ResolvedCircuitBreakerOptions>,
    at: number,
  ): OpenTime {
    const openTime = new OpenTime(options, at - openForMs);
    openTime.outageBeganAt = new Date(wallNow() - beganAgoMs).toISOString();
    openTime.failedRecoveries = failedRecoveries;
    openTime.change(options);
    const { timeoutJitter, maxTimeoutMs } = options;
    const [shortest, longest] = rangeOf(openTime.baseMs, timeoutJitter, maxTimeoutMs);
    openTime.lengthMs = Math.min(longest, Math.max(shortest, lengthMs));
    return openTime;
  }

  isOver(at: number): boolean {
    return this.since.elapsedMs(at) >= this.lengthMs;
  }

  /** What is left of it, for other instances. */
  span(at: number): OpenSpan {
    return { openMs: this.leftMs(at), baseMs: this.baseMs };
  }

  /** In whole ms, so that who waits that long is not too early. */
  leftMs(at: number): number {
    return Math.max(0, Math.ceil(this.lengthMs - this.since.elapsedMs(at)));
  }
}

/**
 * The maximum bounds the range, not what was drawn from it: else half of those that have grown to the
 * maximum would be open for exactly that long, all together.
 */
function jittered(baseMs: number, jitter: number, maxMs: number): number {
  if (jitter === 0) return baseMs;
  const [shortest, longest] = rangeOf(baseMs, jitter, maxMs);
  return shortest + Math.random() * (longest - shortest);
}

function rangeOf(baseMs: number, jitter: number, maxMs: number): [number, number] {
  return [baseMs * (1 - jitter), Math.min(maxMs, baseMs * (1 + jitter))];
}
