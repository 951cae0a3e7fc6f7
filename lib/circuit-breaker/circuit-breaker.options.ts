import { MAX_TIMER_MS } from '../common/clock.js';
import { ResilienceConfigurationError } from '../common/configuration.error.js';
import { type Mode, modeRule } from '../common/mode.js';
import {
  duration,
  factorRule,
  percentage,
  positiveCount,
  predicate,
} from '../common/option-rules.js';
import { checkerOf, checkOptions, type Rule, type Rules, remembering } from '../common/options.js';

/** When a breaker opens, for how long, and what closes it. */
export interface CircuitBreakerOptions {
  /**
   * How many failures within the window open the breaker, at least 1. Where `failureRateThreshold` is given,
   * it only counts if it is given too. @default 5, or `windowCalls` where that is less
   */
  failureThreshold?: number;
  /** How many successful probes close the breaker again, at least 1. @default 2 */
  successThreshold?: number;
  /** How long the breaker stays open before the first probe, in ms. @default 60000 */
  timeoutMs?: number;
  /**
   * Spreads `timeoutMs` evenly over this share of it to either side, so that many processes do not probe at
   * once: 0.1 for ± 10 %, 0 for exactly `timeoutMs`. From 0 to below 1. @default 0
   */
  timeoutJitter?: number;
  /**
   * Each time that recovery fails, the breaker stays open this many times as long as before; 2 doubles it, 1
   * is the least. It begins with `timeoutMs` again once the breaker has closed, and a `rampUpMs` is over.
   * @default 1
   */
  timeoutFactor?: number;
  /**
   * The breaker never stays open longer than this, in ms, whatever the factor and the jitter; at least
   * `timeoutMs`. @default 10 × `timeoutMs`
   */
  maxTimeoutMs?: number;
  /**
   * After probes have closed it, so many ms go by until all calls are let through again: at first a
   * tenth, evenly spread, then a share that grows linearly. The others are rejected.
   * @default none: all at once
   */
  rampUpMs?: number;
  /** How far back the window of counted calls goes, in ms. @default 30000 */
  windowMs?: number;
  /**
   * How many of the last calls the window has, instead of a time.
   * @default none: the window is `windowMs`
   */
  windowCalls?: number;
  /**
   * Which percentage of the window's calls, above 0 and at most 100, opens the breaker when it failed: 50 for
   * half.
   * @default none
   */
  failureRateThreshold?: number;
  /**
   * Below this many calls in the window no rate opens the breaker. @default 10, or `windowCalls` where that
   * is less
   */
  minimumCalls?: number;
  /**
   * A call that takes longer than this, in ms, is slow; for `slowCallRateThreshold`.
   * @default none
   */
  slowCallDurationMs?: number;
  /**
   * Which percentage of the window's calls, above 0 and at most 100, opens the breaker when it was slow.
   * @default none
   */
  slowCallRateThreshold?: number;
  /**
   * How many probes run at a time; of all instances together, where the breaker is shared. @default
   * `successThreshold`
   */
  halfOpenMaxCalls?: number;
  /**
   * Whether the instances of the application share it, by its name: needs `fleet` in `forRoot()`. Each opens
   * by its own calls; where `quorum` of them are open, all open for the time that is left of the last, and so
   * do those that start then. Probes are shared: `halfOpenMaxCalls` run at a time, and `successThreshold` close
   * it for all. With fewer open than the quorum, and so in a fleet that is smaller, or without a connection to
   * it, each goes on as if it was not shared.
   * @default false; the quorum is the fleet's, which is 2
   */
  shared?:
    | boolean
    | {
        /** So many instances have to be open until all are. */
        quorum?: number;
      };
  /**
   * In `shadow` it goes through its states by what really happens and tells what it would do, by `would-open`
   * and `would-reject`, and lets everybody in; with a fleet it goes by its own calls alone. Only what somebody
   * has forced it to holds. @default `defaults.mode`, which is 'enforce'
   */
  mode?: Mode;
  /**
   * What counts as a failure. What does not is an answer: while the breaker is closed it is not counted
   * at all, and half-open it is a good probe, for it proves that the dependency answers. Only what no
   * answer can be is neither: rejections, `TimeoutError`s and `AbortError`s give the probe's permit back.
   * A predicate that throws surfaces its error, and the call counts as a failure.
   * @default not a client error, not a rejection by another breaker or a bulkhead
   */
  isFailure?: (error: unknown) => boolean;
  /**
   * Which results count as failures, and fail a probe: of a stream its first value. Who made the call gets
   * the result as it is, where nothing replaces it. A predicate that throws surfaces its error, and the
   * call counts as a failure. @default none
   */
  isFailureResult?(result: unknown): boolean;
}

/** The options in force. */
export interface ResolvedCircuitBreakerOptions extends CircuitBreakerOptions {
  successThreshold: number;
  timeoutMs: number;
  timeoutJitter: number;
  timeoutFactor: number;
  maxTimeoutMs: number;
  minimumCalls: number;
  halfOpenMaxCalls: number;
}

const jitterRule: Rule = (value) =>
  typeof value === 'number' && value >= 0 && value < 1
    ? undefined
    : 'a number from 0 to below 1, such as 0.1 for ± 10 %';

const checkShared = checkerOf({ quorum: positiveCount }, 'quorum');

const sharedRule: Rule = (value, place) => {
  if (typeof value === 'object' && value !== null) checkShared(place, value);
  else if (typeof value !== 'boolean')
    return 'true, false, or { quorum } with the number of instances that have to be open until all are';
  return undefined;
};

const RULES: Rules<CircuitBreakerOptions> = {
  failureThreshold: positiveCount,
  successThreshold: positiveCount,
  timeoutMs: duration,
  timeoutJitter: jitterRule,
  timeoutFactor: factorRule,
  maxTimeoutMs: duration,
  rampUpMs: duration,
  windowMs: duration,
  windowCalls: positiveCount,
  failureRateThreshold: percentage,
  minimumCalls: positiveCount,
  slowCallDurationMs: duration,
  slowCallRateThreshold: percentage,
  halfOpenMaxCalls: positiveCount,
  shared: sharedRule,
  mode: modeRule,
  isFailure: predicate,
  isFailureResult: predicate,
};

/** @throws ResilienceConfigurationError also where options contradict each other */
export function checkCircuitBreakerOptions(place: string, given: unknown): CircuitBreakerOptions {
  const options = checkOptions<CircuitBreakerOptions>(place, given, RULES, 'failureThreshold');
  if (options.windowCalls !== undefined && options.windowMs !== undefined) {
    throw new ResilienceConfigurationError(
      `${place}.windowCalls`,
      `is ${options.windowCalls} while windowMs is ${options.windowMs}; allowed: one of the two`,
    );
  }
  return options;
}

/** Those that a breaker was given, and those that follow from them. */
export interface OptionsInForce {
  readonly given: Readonly<CircuitBreakerOptions>;
  readonly options: Readonly<ResolvedCircuitBreakerOptions>;
}

export const optionsInForce = remembering(
  (place, options: CircuitBreakerOptions): OptionsInForce => {
    const given = checkCircuitBreakerOptions(place, options);
    return { given, options: resolveCircuitBreakerOptions(place, given) };
  },
);

/** Of a breaker that is shared, those with the quorum in force. @param quorum where they say none */
export function withQuorum(inForce: OptionsInForce, quorum: number | undefined): OptionsInForce {
  const { given, options } = inForce;
  const { shared } = options;
  if (shared === undefined || shared === false || quorum === undefined) return inForce;
  const inFleet = { quorum: (shared === true ? undefined : shared.quorum) ?? quorum };
  return { given, options: { ...options, shared: inFleet } };
}

/** @throws ResilienceConfigurationError where all layers together make no sense */
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
  const { timeoutMs = 60_000 } = given;
  if (given.maxTimeoutMs !== undefined && given.maxTimeoutMs < timeoutMs) {
    throw new ResilienceConfigurationError(
      `${place}.maxTimeoutMs`,
      `is ${given.maxTimeoutMs} while timeoutMs is ${timeoutMs}; allowed: at least ${timeoutMs}`,
    );
  }
  const defaults: ResolvedCircuitBreakerOptions = {
    successThreshold: 2,
    timeoutMs,
    timeoutJitter: 0,
    timeoutFactor: 1,
    maxTimeoutMs: Math.min(10 * timeoutMs, MAX_TIMER_MS),
    minimumCalls: Math.min(10, windowCalls),
    halfOpenMaxCalls: given.successThreshold ?? 2,
  };
  if (given.windowCalls === undefined) defaults.windowMs = 30_000;
  if (given.failureRateThreshold === undefined)
    defaults.failureThreshold = Math.min(5, windowCalls);
  return { ...defaults, ...given };
}
