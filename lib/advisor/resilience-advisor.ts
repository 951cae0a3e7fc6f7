import { now } from '../common/clock.js';
import type { Stages } from '../pipeline/stages.js';
import type { Advice, AdvisorReport, OperationAdvice } from './advice.js';
import { mergeOverrides } from './merge-overrides.js';
import type { Observations } from './observations.js';
import { summaryOf } from './summary.js';
import { adviseTimeout } from './timeout-advice.js';

/** An operation of the application, with what protects it. */
export interface AdvisedOperation {
  readonly operation: string;
  readonly stages: Stages;
}

/**
 * Learns from the calls of the last hour which options would have been better. Injectable.
 *
 * It observes from the start with `advisor: true` in `forRoot()`, else from the first time that it is asked.
 * Where there was too little to tell, it says nothing.
 */
export class ResilienceAdvisor {
  /** @internal */
  constructor(
    private readonly observations: Observations,
    private readonly operations: () => readonly AdvisedOperation[],
  ) {}

  /** Begins to observe, where it does not yet. */
  observe(): void {
    this.observations.start();
  }

  /** What is advised by now. It takes a few milliseconds where there are hundreds of operations. */
  report(): AdvisorReport {
    this.observe();
    const at = now();
    const operations: OperationAdvice[] = [];
    for (const { operation, stages } of this.operations()) {
      const calls = this.observations.find(operation);
      if (calls === undefined) continue;
      const summary = summaryOf(calls.read(at));
      const advice: Advice[] = adviseTimeout(operation, stages, summary);
      if (advice.length > 0) operations.push({ operation, attempts: summary.attempts, advice });
    }
    operations.sort((one, other) => other.attempts - one.attempts);
    const all = operations.flatMap(({ advice }) => advice.map(({ overrides }) => overrides));
    const { since = at } = this.observations;
    return { observedMs: at - since, operations, overrides: mergeOverrides(all) };
  }
}
