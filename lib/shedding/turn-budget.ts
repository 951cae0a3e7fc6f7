import type { RequestCriticality } from './overloaded.error.js';

/** A turn that is already so late, as a multiple of the limit, takes no more of a class. */
const LATE: Record<RequestCriticality, number> = { sheddable: 1, normal: 2, critical: 4 };

/** Of what can be answered within the limit, a turn takes so much of a class. */
const SHARE: Record<RequestCriticality, number> = { sheddable: 0.5, normal: 1, critical: 4 };

/** A turn that is this multiple of the limit late has had work all the time: it tells how much can be done. */
const BUSY = 1;

/** A turn takes so many in any case: one pause says little about what can be done. */
const FEWEST = 5;

/** A turn has this share in the mean of what can be done. */
const WEIGHT = 0.5;

/**
 * How much a single turn of the event loop takes. What came while the loop was busy is judged all at once,
 * before anything can be measured again: with all of it let in, each turn would be as many times longer than
 * the one before as more comes than can be done.
 *
 * Work that is done at once shows in how late the turn is already. What is done later, after an answer of
 * somebody else's, is counted: a turn takes as many as can be answered within the limit.
 */
export class TurnBudget {
  private taken = 0;
  private answered = 0;
  /** Answers in a ms, where the loop is busy. */
  private pace = 0;
  private most = Number.POSITIVE_INFINITY;

  entered(): void {
    this.taken++;
  }

  left(): void {
    this.answered++;
  }

  /**
   * A turn has ended.
   *
   * @param load how late it was, as a share of the limit
   * @param sinceMs how long it took
   * @param limitMs the limit
   */
  ended(load: number, sinceMs: number, limitMs: number): void {
    if (load < BUSY) {
      this.pace = 0;
      this.most = Number.POSITIVE_INFINITY;
    } else {
      const pace = this.answered / sinceMs;
      this.pace = this.pace === 0 ? pace : this.pace + (pace - this.pace) * WEIGHT;
      this.most = Math.max(FEWEST, this.pace * limitMs);
    }
    this.taken = 0;
    this.answered = 0;
  }

  /** Whether a request of a class is too much. @param late how late the turn is already, as a share of the limit */
  refuses(criticality: RequestCriticality, late: number): boolean {
    return late > LATE[criticality] || this.taken >= this.most * SHARE[criticality];
  }
}
