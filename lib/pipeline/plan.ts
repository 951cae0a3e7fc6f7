import type { AttemptPlan, ResultJudge } from '../attempt/attempt-plan.js';
import { attemptStagesOf } from '../attempt/attempt-stage.js';
import { type Hooks, hooksOf } from '../attempt/hooks.js';
import type { CoalescePolicy } from '../coalesce/coalesce.policy.js';
import type { LastGood } from '../fallback/last-good.js';
import type { BudgetSource } from '../retry/retry-budget.js';
import type { Shutdown } from '../shutdown/shutdown.js';
import { resultJudgeOf } from './result-judge.js';
import type { PipelineObserver, Stages } from './stages.js';

/** Surrounds each call, where somebody traces. */
export type Trace = <T>(call: () => Promise<T>) => Promise<T>;

/** What an operation is made of. */
export interface PlanParts {
  readonly operation: string;
  readonly stages: Stages;
  readonly observer: PipelineObserver;
  readonly shutdown: Shutdown;
  readonly captureStackTrace: boolean;
  /** Takes an answer that came when nobody waited for it any more. It does not throw. */
  readonly onDiscard?: ((answer: unknown) => unknown) | undefined;
  readonly trace?: Trace | undefined;
}

/** All that its calls have to know about an operation: what they need, and so what they pay for, is known at boot. */
export class Plan implements AttemptPlan {
  readonly operation: string;
  readonly stages: Stages;
  readonly hooks: Hooks;
  readonly observer: PipelineObserver;
  readonly shutdown: Shutdown;
  readonly captureStackTrace: boolean;
  readonly onDiscard: PlanParts['onDiscard'];
  readonly trace: Trace | undefined;
  readonly critical: boolean | undefined;
  readonly timeoutMs: number;
  readonly coalesce: CoalescePolicy | undefined;
  /** What stands in for calls that fail. */
  readonly lastGood: LastGood | undefined;
  /** What a call may take with all its attempts. */
  readonly total: Stages['totalTimeout'];
  readonly results: ResultJudge | undefined;
  /** Of retries and hedges. */
  readonly budget: BudgetSource | undefined;
  /** What it says flows inward, or there are several of an attempt at once, or of those who wait for it. */
  private readonly alwaysNeedsScope: boolean;

  constructor(parts: PlanParts) {
    const { critical, fallback, retry, hedge, timeout, totalTimeout } = parts.stages;
    this.operation = parts.operation;
    this.stages = parts.stages;
    this.hooks = hooksOf(attemptStagesOf(parts.stages));
    this.observer = parts.observer;
    this.shutdown = parts.shutdown;
    this.captureStackTrace = parts.captureStackTrace;
    this.onDiscard = parts.onDiscard;
    this.trace = parts.trace;
    this.critical = critical;
    this.timeoutMs =
      timeout === undefined || timeout.mode === 'shadow'
        ? Number.POSITIVE_INFINITY
        : timeout.delayMs;
    this.coalesce = parts.stages.coalesce;
    this.lastGood = fallback?.lastGood;
    this.total = totalTimeout;
    this.results = resultJudgeOf(retry, fallback);
    this.budget = (retry ?? hedge)?.budget;
    this.alwaysNeedsScope =
      critical !== undefined ||
      hedge !== undefined ||
      totalTimeout !== undefined ||
      this.coalesce !== undefined;
  }

  /** The same with other stages. Calls that are under way go on by those that they began with. */
  with(stages: Stages): Plan {
    return new Plan({ ...(this as PlanParts), stages });
  }

  /** Whether something of its own can end a call before its work does. */
  get mayBeCut(): boolean {
    return (
      this.timeoutMs !== Number.POSITIVE_INFINITY ||
      (this.total !== undefined && this.total.mode !== 'shadow') ||
      this.stages.hedge !== undefined
    );
  }

  /** Whether the first attempt has to run in a scope of its own, which costs more than all the rest. */
  get needsScope(): boolean {
    return this.alwaysNeedsScope || this.hooks.needScope;
  }
}
