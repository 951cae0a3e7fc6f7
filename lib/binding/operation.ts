import type { ResolvedBulkheadOptions } from '../bulkhead/bulkhead.options.js';
import type { FallbackPolicy } from '../fallback/fallback.policy.js';
import type { Pipeline } from '../pipeline/pipeline.js';
import type { Stages } from '../pipeline/stages.js';
import type { RetryPolicy } from '../retry/retry.policy.js';

/** Who calls an operation: the application's code, a transport, or `ResilienceService`. */
export type OperationKind = 'provider' | 'handler' | 'service';

/** An operation as `ResilienceService.describe()` shows it, with the options in force. */
export interface OperationDescription {
  /** `ClassName.method`, or the name of the bundle or pipeline. */
  operation: string;
  /** A provider's method, a handler that a transport calls, or a programmatic pipeline. */
  kind: OperationKind;
  critical?: boolean;
  upstream?: string;
  stages: {
    retry?: object;
    hedge?: object;
    /** With the `name` that it is shared by. */
    circuitBreaker?: { name: string };
    timeout?: { timeoutMs: number };
    /** With the `name` that it is shared by. */
    bulkhead?: { name: string };
    /** The handler's name. */
    fallback?: { handler: string };
  };
}

/** Something that goes through a pipeline. */
export interface Operation {
  readonly kind: OperationKind;
  readonly upstream: string | undefined;
  readonly pipeline: Pipeline;
}

export function describeOperation({ kind, upstream, pipeline }: Operation): OperationDescription {
  const { operation, stages } = pipeline.plan;
  const { critical, fallback, retry, hedge, circuitBreaker, timeout, bulkhead } = stages;
  const description: OperationDescription = { operation, kind, stages: {} };
  if (critical !== undefined) description.critical = critical;
  if (upstream !== undefined) description.upstream = upstream;
  if (retry !== undefined) description.stages.retry = describeRetry(retry);
  if (hedge !== undefined) description.stages.hedge = { ...hedge.options };
  if (circuitBreaker !== undefined)
    description.stages.circuitBreaker = { name: circuitBreaker.name, ...circuitBreaker.options };
  if (timeout !== undefined) description.stages.timeout = { timeoutMs: timeout.delayMs };
  if (bulkhead !== undefined)
    description.stages.bulkhead = { name: bulkhead.name, ...bulkhead.options };
  if (fallback !== undefined) description.stages.fallback = { handler: handlerName(fallback) };
  return description;
}

/** With the budget in force, by the name that it is shared by. */
function describeRetry({ options, budget }: RetryPolicy): object {
  return { ...options, budget: budget ? { name: budget.name, ...budget.options } : false };
}

/** One line for the log at boot. */
export function summarize(operation: Operation): string {
  const { stages } = operation.pipeline.plan;
  const parts = [
    operation.upstream && `upstream ${operation.upstream}`,
    ...summaries(stages),
  ].filter(Boolean);
  return `${operation.pipeline.plan.operation} (${operation.kind}): ${parts.join(', ') || 'observed only'}`;
}

function summaries(stages: Stages) {
  const { critical, fallback, retry, hedge, circuitBreaker, timeout, bulkhead } = stages;
  return [
    critical === true && 'critical',
    critical === false && 'nice to have',
    fallback && `fallback ${handlerName(fallback)}`,
    retry && `at most ${retry.options.maxAttempts} attempts`,
    hedge && `at most ${hedge.options.maxHedged} hedged`,
    circuitBreaker && `circuit breaker ${circuitBreaker.name}`,
    timeout && `timeout ${timeout.delayMs} ms`,
    bulkhead && `bulkhead ${bulkhead.name} (${slotsOf(bulkhead.options)})`,
  ];
}

function slotsOf({ adaptive, minConcurrent, maxConcurrent }: ResolvedBulkheadOptions): string {
  return adaptive ? `${minConcurrent} to ${maxConcurrent}, adaptive` : `${maxConcurrent}`;
}

function handlerName({ handler }: FallbackPolicy): string {
  return typeof handler === 'function' ? handler.name || 'a function' : String(handler);
}
