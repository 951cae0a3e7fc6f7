import { RecentValues } from '../common/recent-values.js';
import type { BudgetedCall, BudgetSource } from '../retry/retry-budget.js';
import { type HedgeOptions, resolveHedgeOptions } from './hedge.options.js';

const LATEST = 100;
const ENOUGH = 10;

/**
 * Decides when a call that is slow to answer is made once more, beside the first.
 *
 * After "The Tail at Scale" (Dean and Barroso, 2013): hedged after the 95th percentile, it cuts the tail
 * of latency for some percent more load. Hedges count as retries in the budget, so that they stay few
 * when everything is slow.
 */
export class HedgePolicy {
  readonly options: Readonly<HedgeOptions & { maxHedged: number }>;
  private readonly latest: RecentValues;

  /**
   * @param known the one whose place it takes, for how long answers take
   * @throws ResilienceConfigurationError
   */
  constructor(
    options: HedgeOptions,
    place: string,
    readonly budget?: BudgetSource,
    known?: HedgePolicy,
  ) {
    this.latest = known?.latest ?? new RecentValues(LATEST);
    this.options = resolveHedgeOptions(place, options);
  }

  /** How long to wait for an answer, in ms; `undefined` while nobody can say. */
  get delayMs(): number | undefined {
    const { delayMs, afterPercentile } = this.options;
    if (afterPercentile === undefined) return delayMs;
    return this.latest.count < ENOUGH ? undefined : this.latest.percentile(afterPercentile);
  }

  /** An attempt answered. */
  recordAnswer(durationMs: number): void {
    if (this.options.afterPercentile !== undefined) this.latest.add(durationMs);
  }

  /** @returns whether there may be another call, which is counted then */
  tryHedge(call: BudgetedCall, at: number): boolean {
    return this.budget?.of(call, at).tryRetry(at) ?? true;
  }
}
