import { ResilienceConfigurationError } from '../common/configuration.error.js';
import {
  checkOptions,
  duration,
  merge,
  percentage,
  positiveCount,
  predicate,
  type Rules,
} from '../common/options.js';

/** When a breaker opens, for how long, and what closes it. */
export interface CircuitBreakerOptions {
  /**
   * This many failures within the window open the breaker. Where `failureRateThreshold` is given, it
   * only counts if it is given too. @default 5, or `windowCalls` where that is less
   */
  failureThreshold?: number;
  /** This many successful probes close it again. @default 2 */
  successThreshold?: number;
  /** How long it stays open before the first probe, in ms. @default 60000 */
  timeoutMs?: number;
  /** The window, as a time in ms. @default 30000 */
  windowMs?: number;
  /** The window, as the last N calls, instead of a time. */
  windowCalls?: number;
  /** Opens when this percentage of the window's calls failed. */
  failureRateThreshold?: number;
  /** Below this many calls in the window no rate is judged. @default 10, or `windowCalls` where that is less */
  minimumCalls?: number;
  /** A call that takes longer than this, in ms, is slow. */
  slowCallDurationMs?: number;
  /** Opens when this percentage of the window's calls was slow. */
  slowCallRateThreshold?: number;
  /** So many probes run at a time. @default `successThreshold` */
  halfOpenMaxCalls?: number;
  /**
   * What counts as a failure; what does not is not counted at all. A predicate that throws surfaces
   * its error, and the call counts as a failure.
   * @default not a client error, not a rejection by another breaker or a bulkhead
   */
  isFailure?: (error: unknown) => boolean;
}

/** The options in force. */
export interface ResolvedCircuitBreakerOptions extends CircuitBreakerOptions {
  successThreshold: number;
  timeoutMs: number;
  minimumCalls: number;
  halfOpenMaxCalls: number;
}

const RULES: Rules<CircuitBreakerOptions> = {
  failureThreshold: positiveCount,
  successThreshold: positiveCount,
  timeoutMs: duration,
  windowMs: duration,
  windowCalls: positiveCount,
  failureRateThreshold: percentage,
  minimumCalls: positiveCount,
  slowCallDurationMs: duration,
  slowCallRateThreshold: percentage,
  halfOpenMaxCalls: positiveCount,
  isFailure: predicate,
};

/** @throws ResilienceConfigurationError also where options contradict each other */
export function checkCircuitBreakerOptions(place: string, given: unknown): CircuitBreakerOptions {
  const options = checkOptions<CircuitBreakerOptions>(place, given, RULES);
  if (options.windowCalls !== undefined && options.windowMs !== undefined) {
    throw new ResilienceConfigurationError(
      `${place}.windowCalls`,
      `is ${options.windowCalls} while windowMs is ${options.windowMs}; allowed: one of the two`,
    );
  }
  return options;
}

/** Later layers win field by field; a window of calls replaces one of time, and the other way round. */
export function mergeCircuitBreakerOptions(
  ...layers: (CircuitBreakerOptions | undefined)[]
): CircuitBreakerOptions {
  return layers.reduce<CircuitBreakerOptions>((below, layer) => {
    const merged = merge(below, layer);
    if (layer?.windowCalls !== undefined && layer.windowMs === undefined) delete merged.windowMs;
    if (layer?.windowMs !== undefined && layer.windowCalls === undefined) delete merged.windowCalls;
    return merged;
  }, {});
}

/** @throws ResilienceConfigurationError where a threshold can never be reached, seen over all layers */
export function resolveCircuitBreakerOptions(
  place: string,
  given: CircuitBreakerOptions,
): ResolvedCircuitBreakerOptions {
  const { windowCalls = Number.POSITIVE_INFINITY } = given;
  for (const key of ['failureThreshold', 'minimumCalls'] as const) {
    const value = given[key];
    if (value !== undefined && value > windowCalls) {
      throw new ResilienceConfigurationError(
        `${place}.${key}`,
        `is ${value}, which a window of windowCalls ${windowCalls} never holds; allowed: at most ${windowCalls}`,
      );
    }
  }
  if (given.slowCallRateThreshold !== undefined && given.slowCallDurationMs === undefined) {
    throw new ResilienceConfigurationError(
      `${place}.slowCallRateThreshold`,
      `is ${given.slowCallRateThreshold} without slowCallDurationMs; give the duration above which a call is slow`,
    );
  }
  const defaults: ResolvedCircuitBreakerOptions = {
    successThreshold: 2,
    timeoutMs: 60_000,
    minimumCalls: Math.min(10, windowCalls),
    halfOpenMaxCalls: given.successThreshold ?? 2,
  };
  if (given.windowCalls === undefined) defaults.windowMs = 30_000;
  if (given.failureRateThreshold === undefined)
    defaults.failureThreshold = Math.min(5, windowCalls);
  return { ...defaults, ...given };
}
