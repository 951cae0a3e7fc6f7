import { Since } from '../common/clock.js';

/** The share of the calls that is admitted at first. */
const FIRST_SHARE = 0.1;
/** Shares are added up in whole numbers, which add up exactly. */
const ONE_CALL = 10_000;

/**
 * Lets the calls back to a dependency that has just recovered, instead of all of them at once: its
 * caches are cold, and its pools empty. The share grows linearly, as in Envoy's slow start (aggression
 * 1, min_weight_percent 10, but without the flat beginning).
 *
 * Each call adds the share to a credit, and one that makes it a whole call is admitted, the first at
 * once: no luck is needed to spread them evenly, as none is for the steps of a Bresenham line.
 */
export class RampUp {
  private credit = ONE_CALL - partOf(FIRST_SHARE);

  private readonly since: Since;

  constructor(
    startedAt: number,
    private readonly lengthMs: number,
  ) {
    this.since = new Since(startedAt);
  }

  /** How long it has gone on, in ms. */
  elapsedMs(at: number): number {
    return this.since.elapsedMs(at);
  }

  isOver(at: number): boolean {
    return this.since.elapsedMs(at) >= this.lengthMs;
  }

  /** Of the calls that are admitted at this moment, above 0 and below 1 until it is over. */
  share(at: number): number {
    return FIRST_SHARE + (1 - FIRST_SHARE) * (this.since.elapsedMs(at) / this.lengthMs);
  }

  /** Whether the call that comes now may run. */
  admits(at: number): boolean {
    this.credit += partOf(this.share(at));
    if (this.credit < ONE_CALL) return false;
    this.credit -= ONE_CALL;
    return true;
  }

  /**
   * When the call that was just refused may come again. Those that are refused are sent to different
   * times of what is left of the ramp: if all came back at its end, that would be the stampede.
   */
  retryAfterMs(at: number): number {
    const leftMs = this.lengthMs - this.since.elapsedMs(at);
    return Math.ceil((leftMs * (ONE_CALL - this.credit)) / ONE_CALL);
  }
}

function partOf(share: number): number {
  return Math.round(share * ONE_CALL);
}
