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
 * What was cut at the longest time T that was waited may have been late, or may have hung for ever, which
 * no timeout would have mended. How many were late follows from the octaves before T: each has a share of the one
 * before it. At most that share stays what it is, as in the tail of a power law, whose mean is finite
 * where it is below a half; at least it goes on falling as it did before, as in that of a lognormal distribution.
 */
export class Survival {
  private readonly steps: Step[] = [];
  /** Of all attempts, those that would have answered after the longest time that was waited, within limits. */
  private readonly late: number;
  readonly lateAtLeast: number;
  /** Of all attempts, at least so many hang. */
  readonly hung: number;
  /** At most so many attempts would have answered. */
  readonly good: number;
  /** So long was waited at most, in ms. */
  readonly longestMs: number;

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
    this.longestMs = Math.max(ends.at(-1)?.ms ?? 0, cuts.at(-1)?.ms ?? 0);
    const left = cut.total === 0 ? 0 : share;
    const [most, least] = this.beyond(this.longestMs);
    this.late = Math.min(left, most);
    this.lateAtLeast = Math.min(left, least);
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

  /** How many answer later than this, at most and at least, by the octaves before it. */
  private beyond(ms: number): readonly [most: number, least: number] {
    const octave = (number: number) =>
      this.allLongerThan(ms / 2 ** (number + 1)) - this.allLongerThan(ms / 2 ** number);
    const [last, second, third] = [octave(0), octave(1), octave(2)];
    const share = Math.min(0.5, last / second || 0);
    const before = Math.max(share, Math.min(1, second / third || 0));
    const next = before === 0 ? 0 : share ** 2 / before;
    return [(last * share) / (1 - share), (last * next) / (1 - next)];
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
