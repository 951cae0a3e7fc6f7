import { MAX_TIMER_MS } from '../common/clock.js';
import { read } from '../common/read.js';
import { RecentValues } from '../common/recent-values.js';
import { amountIn } from '../common/remembered.js';
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
   * @param operation which it is of
   * @param previous in whose place it is: what that has learnt stays
   * @throws ResilienceConfigurationError
   */
  constructor(
    readonly operation: string,
    options: HedgeOptions,
    place: string,
    readonly budget?: BudgetSource,
    previous?: HedgePolicy,
  ) {
    this.options = resolveHedgeOptions(place, options);
    this.latest = previous?.latest ?? new RecentValues(LATEST);
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

  /** How long the latest answers took; `undefined` where that is of no use, or too little. */
  remember(): object | undefined {
    const { latest, options } = this;
    if (options.afterPercentile === undefined || latest.count < ENOUGH) return undefined;
    return { answersMs: latest.list().map((ms) => Math.round(ms * 10) / 10) };
  }

  /** The same of before a restart, unless there are answers by now. Whatever is no time is left out. */
  recall(remembered: unknown): void {
    if (this.latest.count > 0) return;
    const answersMs = read(remembered, 'answersMs');
    for (let index = 0; index < LATEST; index++) {
      const durationMs = amountIn(answersMs, index, MAX_TIMER_MS);
      if (durationMs !== undefined) this.recordAnswer(durationMs);
    }
  }

  /** @returns whether there may be another call, which is counted then */
  tryHedge(call: BudgetedCall, at: number): boolean {
    return this.budget?.of(call, at).tryRetry(at) ?? true;
  }
}
