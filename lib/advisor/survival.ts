import type { LatencySketch } from '../common/latency-sketch.js';

/** So many attempts of all take longer than so many ms. */
interface Step {
  readonly ms: number;
  readonly share: number;
}

/**
 * How long attempts take that answer in the end, from those that have answered and those that were cut
 * before they could: the product-limit estimate (Kaplan and Meier, 1958). One that was cut after 100 ms
 * says "longer than 100 ms", and is never taken for a fast one.
 *
 * What was cut at the longest time T that was waited may have been slow, or may have hung for ever, which
 * no timeout would have mended. Of a distribution with a finite mean and a tail that is no heavier than
 * a power law, no more lie beyond T than between T/2 and T: so many count as slow, and the rest as hung.
 */
export class Survival {
  private readonly steps: Step[] = [];
  /** Of all attempts, those that would have answered after the longest time that was waited; an upper limit. */
  private readonly late: number = 0;
  /** Those that hang. */
  readonly hung: number = 0;
  /** So many attempts would have answered. */
  readonly good: number;

  constructor(answered: LatencySketch, cut: LatencySketch) {
    const all = answered.total + cut.total;
    const ends = [...answered.buckets()].map(({ ms, count }) => ({ ms, count, isCut: false }));
    const cuts = [...cut.buckets()].map(({ ms, count }) => ({ ms, count, isCut: true }));
    let share = 1;
    let waiting = all;
    for (const { ms, count, isCut } of [...ends, ...cuts].sort(byTime)) {
      if (!isCut) {
        share *= 1 - count / waiting;
        this.steps.push({ ms, share });
      }
      waiting -= count;
    }
    const longestMs = Math.max(ends.at(-1)?.ms ?? 0, cuts.at(-1)?.ms ?? 0);
    const left = cut.total === 0 ? 0 : share;
    this.late = Math.min(left, this.allLongerThan(longestMs / 2) - left);
    this.hung = left - this.late;
    this.good = Math.round(all * (1 - this.hung));
  }

  /** Of the attempts that would have answered, the share that takes longer than this. */
  longerThan(ms: number): number {
    return this.ofGood(this.allLongerThan(ms));
  }

  /** The shortest time that no more than this share exceeds; `undefined` where that was not waited for. */
  exceededBy(share: number): number | undefined {
    return this.steps.find((step) => this.ofGood(step.share) <= share)?.ms;
  }

  private ofGood(shareOfAll: number): number {
    return this.hung === 1 ? 0 : Math.max(0, shareOfAll - this.hung) / (1 - this.hung);
  }

  private allLongerThan(ms: number): number {
    return this.steps.findLast((step) => step.ms <= ms)?.share ?? 1;
  }
}

/** Of one bucket, those that have answered come before those that were cut. */
function byTime(
  one: { ms: number; isCut: boolean },
  other: { ms: number; isCut: boolean },
): number {
  return one.ms - other.ms || Number(one.isCut) - Number(other.isCut);
}
