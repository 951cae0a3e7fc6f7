import type { BulkheadOptions } from '../bulkhead/bulkhead.options.js';
import type { CircuitBreakerOptions } from '../circuit-breaker/circuit-breaker.options.js';
import { anyFunction, checkOptions, type Rules, text } from '../common/options.js';
import type { HedgeOptions } from '../hedge/hedge.options.js';
import type { RetryOptions } from '../retry/retry.options.js';
import type { AnyStage, ArgumentsOf } from '../stage/define-stage.js';
import type { StageDefinition } from '../stage/stage-definition.js';

/** All that protects the calls to one service, under one name, with stages of your own. */
export type ServiceOptions<Stages extends readonly AnyStage[] = []> = ArgumentsOf<Stages> &
  Protection;

/** What the library's own stages do. */
export interface Protection {
  /** `true`: the final failure alerts; `false`: it degrades to `null`. @default neither */
  critical?: boolean;
  /** The dependency, for errors and metrics. */
  upstream?: string;
  /** What one attempt may take, in ms. @default no timeout */
  timeoutMs?: number;
  /** Options, or the name of some in `retries`. @default no retry */
  retry?: RetryOptions | string;
  /** For reads that may be made twice at once; what `observe()` runs is not. @default no hedge */
  hedge?: HedgeOptions;
  /** Options for a breaker shared under the service's name, or the name of one in `breakers`. */
  circuitBreaker?: CircuitBreakerOptions | string;
  /** Options for a bulkhead shared under the service's name, or the name of one in `bulkheads`. */
  bulkhead?: BulkheadOptions | string;
  /** Answers in place of a call that failed for good. */
  fallback?: (error: unknown) => unknown;
  /**
   * Called with each answer that comes when nobody waits for it any more (after a timeout, of a hedge
   * that lost, after the caller has given up), to close what only you can close. Streams and the bodies
   * of `Response`s are closed already. What it throws affects nothing, and is warned of once.
   */
  onDiscard?: (answer: unknown) => unknown;
}

/** @throws ResilienceConfigurationError */
export function checkServiceOptions(
  place: string,
  options: unknown,
  stages: readonly StageDefinition[],
): ServiceOptions {
  const rules = Object.fromEntries([
    ...stages.map(({ name, key = name, rule }) => [key, rule]),
    ['upstream', text],
    ['onDiscard', anyFunction],
  ]) as Rules<ServiceOptions>;
  return checkOptions<ServiceOptions>(place, options, rules);
}
