import type { ResilienceOverrides } from '../overrides/overrides.js';

/** What an advice is about. */
export type AdviceKind =
  | 'timeout'
  | 'total-timeout'
  | 'bulkhead'
  | 'circuit-breaker'
  | 'retry'
  | 'retry-budget'
  | 'deadline'
  | 'fallback';

/** One option that is better off with another value, by what was observed. */
export interface Advice {
  /** What the advice is about. */
  kind: AdviceKind;
  /** As overrides of the operation name it, `timeout.attemptMs`, or those of what is shared: `bulkheads.payments.maxConcurrent`. */
  option: string;
  /** What is in force; `undefined` where nothing is. */
  current: number | boolean | string | undefined;
  /** What it should be; `undefined` where it is not an option of this operation that has to change. */
  proposed: number | boolean | string | undefined;
  /** A sentence for whoever decides. */
  because: string;
  /** What that follows from, by name: counts, rates per second, times in ms, shares from 0 to 1. */
  figures: Record<string, number>;
  /** What `ResilienceService.reconfigure()` takes to follow it; `{}` where it is to be followed otherwise. */
  overrides: ResilienceOverrides;
}

/** What is advised for one operation. */
export interface OperationAdvice {
  /** The operation's name: `ClassName.method`. */
  operation: string;
  /** So many of its calls were observed. */
  calls: number;
  /** What it would be better by, the most valuable first; empty where nothing is to be changed. */
  advice: Advice[];
}

/** What the advisor has to say. */
export interface AdvisorReport {
  /** For so long it has been observing, in ms; at most the last hour counts. */
  observedMs: number;
  /** Those that there is something to say of, the busiest first. */
  operations: OperationAdvice[];
  /** To follow all of it at once. */
  overrides: ResilienceOverrides;
}
