import { now } from '../common/clock.js';
import type { ResilienceOverrides } from '../overrides/overrides.js';
import type { Stages } from '../pipeline/stages.js';
import type { Advice, AdvisorReport, OperationAdvice } from './advice.js';
import { adviseBreaker } from './breaker-advice.js';
import { adviseBulkhead } from './bulkhead-advice.js';
import { adviseDeadline, adviseTotalTimeout } from './deadline-advice.js';
import { adviseFallback } from './fallback-advice.js';
import { mergeOverrides } from './merge-overrides.js';
import type { Observations } from './observations.js';
import { adviseRetry, adviseRetryBudget } from './retry-advice.js';
import { type Summary, summaryOf } from './summary.js';
import { adviseTimeout } from './timeout-advice.js';

/** An operation of the application, with what protects it. */
export interface AdvisedOperation {
  readonly operation: string;
  readonly stages: Stages;
}

/** An advice, and the operation at which it is told. */
interface Given {
  readonly to: Summary;
  readonly advice: Advice;
}

/** What can be said of an operation by itself. */
const OF_ONE = [adviseTimeout, adviseTotalTimeout, adviseDeadline, adviseRetry, adviseFallback];

/** What can be said of a policy, by all operations that share it. */
const OF_SHARED: [of: (stages: Stages) => unknown, advise: (all: Summary[]) => Advice[]][] = [
  [({ bulkhead }) => bulkhead, adviseBulkhead],
  [({ circuitBreaker }) => circuitBreaker, adviseBreaker],
  [({ retry }) => retry?.budget, adviseRetryBudget],
];

/**
 * Learns from the calls of the last hour which options would have been better. Injectable.
 *
 * It observes from the start with `advisor: true` in `forRoot()`, else from the first time that it is asked.
 * What it has observed is kept in memory, a few kB for each operation, and is gone with the process. Where there
 * was too little to tell, it says nothing: each kind of advice has the least that it takes.
 *
 * @example
 * for (const { operation, advice } of advisor.report().operations)
 *   for (const { option, proposed, because } of advice) console.log(operation, option, proposed, because);
 */
export class ResilienceAdvisor {
  /** @internal */
  constructor(
    private readonly observations: Observations,
    private readonly operations: () => readonly AdvisedOperation[],
    private readonly accepts: (overrides: ResilienceOverrides) => boolean,
  ) {}

  /** Begins to observe, where it does not yet. */
  observe(): void {
    this.observations.start();
  }

  /** What is advised by now. For hundreds of operations that fail it takes some ten milliseconds, so ask every few seconds at most. */
  report(): AdvisorReport {
    this.observe();
    const at = now();
    const { since = at } = this.observations;
    const summaries = this.summaries(at);
    const given = [
      ...summaries.flatMap((summary) =>
        OF_ONE.flatMap((advise) => advise(summary)).map((advice) => ({ to: summary, advice })),
      ),
      ...OF_SHARED.flatMap(([of, advise]) =>
        groupsBy(summaries, ({ stages }) => of(stages)).flatMap((sharers) =>
          advise(sharers).map((advice) => ({ to: sharers[0] as Summary, advice })),
        ),
      ),
    ];
    const { kept, overrides } = this.accepted(given);
    const operations = summaries
      .map(
        (summary): OperationAdvice => ({
          operation: summary.operation,
          calls: summary.calls,
          advice: kept.filter(({ to }) => to === summary).map(({ advice }) => advice),
        }),
      )
      .filter(({ advice }) => advice.length > 0);
    return { observedMs: at - since, operations, overrides };
  }

  /** Of what would be refused, by itself or with the rest, it is left to who reads it how to follow it. */
  private accepted(given: readonly Given[]): {
    kept: readonly Given[];
    overrides: ResilienceOverrides;
  } {
    const all = given.reduce<ResilienceOverrides>(
      (merged, { advice }) => mergeOverrides(merged, advice.overrides),
      {},
    );
    if (this.accepts(all)) return { kept: given, overrides: all };
    let overrides: ResilienceOverrides = {};
    const kept = given.map((each) => {
      const { to, advice } = each;
      const merged = mergeOverrides(overrides, advice.overrides);
      if (!this.accepts(merged)) return { to, advice: { ...advice, overrides: {} } };
      overrides = merged;
      return each;
    });
    return { kept, overrides };
  }

  /** Of the operations that were called, the busiest first. Pipelines of one name are one operation. */
  private summaries(at: number): Summary[] {
    const byName = new Map(this.operations().map((each) => [each.operation, each]));
    return [...byName.values()]
      .flatMap(({ operation, stages }) => {
        const calls = this.observations.find(operation);
        return calls === undefined ? [] : summaryOf(operation, stages, calls.read(at));
      })
      .sort((one, other) => other.calls - one.calls);
  }
}

/** Those that have the same, for each thing that is there. */
function groupsBy<T>(all: readonly T[], of: (each: T) => unknown): T[][] {
  const groups = new Map<unknown, T[]>();
  for (const each of all) {
    const key = of(each);
    if (key === undefined) continue;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [each]);
    else group.push(each);
  }
  return [...groups.values()];
}
