import type { RequestCriticality } from './overloaded.error.js';

/** By so much the level rises at a measurement that is at the limit; in proportion above, up to five times. */
const STEP = 0.1;
const MOST_STEPS = 5;

/** The level falls by one in this time, in ms; where critical requests are refused, in the other one. */
const FALL_MS = 2_000;
const FALL_CRITICAL_MS = 500;

/** Below this share of the limit it falls; between that and the limit it stays, so that it does not swing. */
const CALM = 0.5;

/** All of a class is refused from where the next one begins. */
const FIRST: Record<RequestCriticality, number> = { sheddable: 0, normal: 1, critical: 2 };

/** All is refused. */
const MOST = 3;

/** With all others refused, critical requests are refused only above this multiple of the limit. */
const HARD = 2;

/**
 * How much of what comes is refused, as a level from 0 to 3: up to 1 a share of the `sheddable` requests, up
 * to 2 all of them and a share of the normal ones, up to 3 all but a share of the critical ones.
 *
 * The level rises fast where the server is late and falls slowly where it is not, as the admission level of
 * DAGOR does (Zhou et al., "Overload Control for Scaling WeChat Microservices", SoCC 2018), with the order
 * of the criticalities of Google's servers (Beyer et al., "Site Reliability Engineering", 2016, chapter
 * 21). Between two thresholds it stays. So what is let in settles at what can be served: a switch that
 * refuses all or nothing idles half of the time, and is flooded the other half. Nobody starves but by those
 * that matter more.
 *
 * Shares are counted out rather than drawn, so that the same measurements and requests have the same answers.
 */
export class ShedLevel {
  private level = 0;
  /** What of the share has not been refused yet; it is whole when it reaches 1. */
  private owed: Record<RequestCriticality, number> = { sheddable: 0, normal: 0, critical: 0 };

  /** Whether anything is refused. */
  get isRaised(): boolean {
    return this.level > 0;
  }

  /**
   * @param load what was measured, as a share of the limit
   * @param sinceMs how long ago the measurement before was
   */
  measured(load: number, sinceMs: number): void {
    if (this.level >= FIRST.critical && load > HARD) this.level += STEP;
    else if (this.level < FIRST.critical && load > 1)
      this.level = Math.min(FIRST.critical, this.level + STEP * Math.min(load, MOST_STEPS));
    else if (this.level > FIRST.critical && load < 1) this.level -= sinceMs / FALL_CRITICAL_MS;
    else if (load < CALM) this.level -= sinceMs / FALL_MS;
    this.level = Math.min(MOST, Math.max(0, this.level));
  }

  /** Whether a request is among those to be refused. */
  refuses(criticality: RequestCriticality): boolean {
    const share = this.level - FIRST[criticality];
    if (share <= 0) return false;
    if (share >= 1) return true;
    this.owed[criticality] += share;
    if (this.owed[criticality] < 1) return false;
    this.owed[criticality]--;
    return true;
  }
}
