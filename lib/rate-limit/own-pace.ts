import type { TokenRate } from '../fleet/shared-tokens.js';

/** Tokens are taken ahead for so many times the time of a lease: a question more often costs more than it saves. */
const TIMES = 1.5;
/** How fast the pace follows: over so many times the time of a lease. */
const MEMORY = 4;
/** Who was not let in wants more than was let in before. */
const MORE = 1.5;

/** How many calls an instance lets begin, and so how many tokens it takes ahead, and how often it asks. */
export class OwnPace {
  /** So many tokens are used in a ms. */
  perMs = 0;
  private sum = 0;
  private since = Number.NEGATIVE_INFINITY;
  /** So many others take what there is, where that is too little. */
  private rivals = 1;

  constructor(private readonly leaseMs: number) {}

  used(weight: number): void {
    this.sum += weight;
  }

  /** So many tokens are to be taken ahead: none where calls are few, which are charged one by one. */
  ahead(at: number, { limit, intervalMs, burst }: TokenRate, isMissed: boolean): number {
    const elapsedMs = Math.max(1, at - this.since);
    const weight = Math.min(1, elapsedMs / (MEMORY * this.leaseMs));
    this.perMs += (this.sum / elapsedMs - this.perMs) * weight;
    this.sum = 0;
    this.since = at;
    const used = Math.min(this.perMs, limit / intervalMs) * TIMES * this.leaseMs;
    const wanted = isMissed ? Math.max(1, used * MORE) : used;
    return Math.floor(Math.min(wanted, Math.max(1, burst / 2)));
  }

  /** How long to wait after an answer until it is worth asking again, in ms. */
  pauseMs(
    { limit, intervalMs, burst }: TokenRate,
    wanted: number,
    instances: number,
    isShort: boolean,
  ): number {
    this.rivals = isShort ? Math.min(instances, this.rivals * 1.5) : Math.max(1, this.rivals / 2);
    const tokenMs = intervalMs / limit;
    // A bucket that is full meanwhile would lose what comes in.
    const fullMs = burst * tokenMs * Math.max(1, this.rivals / 4);
    const longest = Math.min(fullMs, Math.max(TIMES * this.leaseMs, (burst / 2) * tokenMs));
    return Math.min(longest, wanted * tokenMs * this.rivals);
  }

  followClock(beganAt: number): void {
    this.since = beganAt;
  }
}
