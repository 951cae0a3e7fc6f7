import type { RequestCriticality } from './overloaded.error.js';

/** By so much the level rises at a measurement that is at the limit; in proportion above, up to five times. */
const STEP = 0.1;
const MOST_STEPS = 5;

/** The level falls by one in this time, in ms. */
const FALL_MS = 2_000;

/** Below this share of the limit it falls; between that and the limit it stays, so that it does not swing. */
const CALM = 0.5;

/** All of a class is refused from where the next one begins. */
const FIRST: Record<RequestCriticality, number> = { sheddable: 0, normal: 1, critical: 2 };

/** With all others refused, critical requests are refused only above this multiple of the limit. */
const HARD = 2;

/**
 * A turn of the event loop that is already so late, as a multiple of the limit, takes no more of a class: what
 * came while it was busy is all judged before anything can be measured again.
 */
const LATE_TURN: Record<RequestCriticality, number> = { sheddable: 1, normal: 2, critical: 4 };

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

  /** Whether anything might be refused. @param late how late the turn at hand is, as a share of the limit */
  isStrained(late: number): boolean {
    return this.level > 0 || late > LATE_TURN.sheddable;
  }

  /**
   * @param load what was measured, as a share of the limit
   * @param sinceMs how long ago the measurement before was
   */
  measured(load: number, sinceMs: number): void {
    const isHard = this.level >= FIRST.critical;
    if (load > (isHard ? HARD : 1)) {
      const most = isHard || load > HARD ? FIRST.critical + 1 : FIRST.critical;
      this.level = Math.min(most, this.level + STEP * Math.min(load, MOST_STEPS));
    } else if (load < (this.level > FIRST.critical ? 1 : CALM)) {
      this.level = Math.max(0, this.level - sinceMs / FALL_MS);
    }
  }

  /** Whether a request is among those to be refused. @param late how late the turn at hand is */
  refuses(criticality: RequestCriticality, late: number): boolean {
    if (late > LATE_TURN[criticality]) return true;
    const share = this.level - FIRST[criticality];
    if (share <= 0) return false;
    if (share >= 1) return true;
    this.owed[criticality] += share;
    if (this.owed[criticality] < 1) return false;
    this.owed[criticality]--;
    return true;
  }
}
