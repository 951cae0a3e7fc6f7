import { display, ResilienceConfigurationError } from '../common/configuration.error.js';
import {
  boolean,
  duration,
  durationOrZero,
  factorRule,
  methodOrFunction,
  oneOf,
  positiveCount,
  predicate,
  text,
} from '../common/option-rules.js';
import { check, checkerOf, mergeEither, type Rule } from '../common/options.js';
import { checkReference, isReference } from '../stage/keyed.options.js';
import type { BeforeRetry } from './before-retry.js';
import {
  checkRetryBudgetOptions,
  type RetryBudgetByKey,
  type RetryBudgetOptions,
} from './retry-budget.options.js';

/** How a wait is spread, so that callers that failed together do not come back together. */
export type Jitter = 'none' | 'full' | 'equal' | 'decorrelated';

/** Answers whether a failed attempt is worth another; `attempt` counts from 1. */
export type RetryPredicate = (error: unknown, attempt: number) => boolean;

/** Answers how long to wait before another attempt, in ms. */
export type RetryDelay = (
  attempt: number,
  error: unknown,
  previousDelayMs: number | undefined,
) => number;

/** A class of errors, for `instanceof`. */
export type ErrorClass = abstract new (...args: never[]) => unknown;

/** How a failed call is repeated. */
export interface RetryOptions<Before = PropertyKey | BeforeRetry> {
  /** Calls in all, the first included; at least 1, which repeats nothing. @default 3 */
  maxAttempts?: number;
  /** The wait before the first retry, in ms; 0 for none. @default 100 */
  baseDelayMs?: number;
  /** No wait is longer than this, in ms. @default 5000 */
  maxDelayMs?: number;
  /** How many times as long each wait is as the one before, at least 1. @default 2 */
  factor?: number;
  /**
   * With d = min(maxDelayMs, baseDelayMs · factorⁿ⁻¹) before retry n: `'none'` waits d, `'full'`
   * uniform in [0, d], `'equal'` uniform in [d/2, d], `'decorrelated'` uniform in
   * [baseDelayMs, 3 · the wait before], capped.
   *
   * After "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015).
   * @default 'full'
   */
  jitter?: Jitter;
  /**
   * The waits themselves, in ms, in place of `baseDelayMs`, `factor` and `jitter`: one after the other, of
   * which the last is that of all further retries, or a function that answers at once. It is told the number
   * of the attempt that failed, from 1, what it failed by, and the wait before it, which the first has not.
   * None is longer than `maxDelayMs`, and none shorter than a `Retry-After` asks. What the function throws
   * surfaces, as does a `ResilienceConfigurationError` where it answers no time.
   */
  delayMs?: readonly number[] | RetryDelay;
  /**
   * Runs after each wait and before the attempt, which begins when it has ended: to refresh a token, to
   * connect anew. The name of a method of the same class, or a function; `this` is the object that was
   * called. What it throws ends the call, with what the attempt failed by as its `cause`. It has as much time
   * as the call has. What it calls of its own operation is not retried. @default nothing
   */
  beforeRetry?: Before;
  /**
   * What is retried: a predicate, or classes of errors. A predicate that throws surfaces its error.
   * @default everything except client errors and `CircuitBreakerOpenError`
   */
  retryableErrors?: RetryPredicate | readonly ErrorClass[];
  /**
   * Which results are retried like errors: of a stream its first value. `attempt` counts from 1. The last
   * result is returned as it is, also where the budget, a retry inside or the end of the application
   * keep it from being retried. A predicate that throws surfaces its error.
   * @default none
   */
  retryableResults?(result: unknown, attempt: number): boolean;
  /** No attempt begins later than this after the first, in ms. @default no limit */
  maxDurationMs?: number;
  /**
   * Wait at least as long as the error, or one that it was made of (`cause`, `errors`), asks: by
   * `error.retryAfterMs`, or by a header of its answer, `retry-after-ms` or `Retry-After` (whole seconds
   * or an HTTP date; of gRPC: `grpc-retry-pushback-ms`). What is none of these is ignored. Do not retry
   * where that is longer than `maxDelayMs`, nor where the error says `x-should-retry: false` (a negative
   * pushback): it was retried to the end further in. @default true
   */
  respectRetryAfter?: boolean;
  /**
   * At entrypoints, and around them (an interceptor's `intercept`, a middleware's `use`), only safe
   * operations (GET, HEAD, OPTIONS, GraphQL queries) are repeated; `true` says that repeating this one
   * does no harm either. @default false
   */
  idempotent?: boolean;
  /**
   * What bounds the retries of everybody who calls the same upstream: the name of one in
   * `retryBudgets`, also by key (`{ name, key }`), options for one of this operation's own, or `false`
   * for none.
   * @default the budget of the operation's `@Upstream`, or one of its own where it names none
   */
  budget?: string | RetryBudgetByKey | RetryBudgetOptions | false;
  /**
   * Retry also what a call inside has already retried until it gave up. Attempts multiply: 3 × 3 make
   * 9 calls. @default false
   */
  retryNested?: boolean;
}

type WithoutDefault =
  | 'delayMs'
  | 'beforeRetry'
  | 'retryableErrors'
  | 'retryableResults'
  | 'maxDurationMs'
  | 'budget';

export type ResolvedRetryOptions = Required<Omit<RetryOptions, WithoutDefault>> &
  Pick<RetryOptions, WithoutDefault>;

const DEFAULTS: ResolvedRetryOptions = {
  maxAttempts: 3,
  baseDelayMs: 100,
  maxDelayMs: 5_000,
  factor: 2,
  jitter: 'full',
  respectRetryAfter: true,
  idempotent: false,
  retryNested: false,
};

const retryable: Rule = (value, place) => {
  if (!Array.isArray(value))
    return predicate(value, place) && `${predicate(value, place)}, or an array of error classes`;
  const isClass = (entry: unknown) =>
    typeof entry === 'function' && typeof entry.prototype === 'object';
  return value.length > 0 && value.every(isClass)
    ? undefined
    : 'a predicate, or a non-empty array of error classes';
};

const budget: Rule = (value, place) => {
  if (value === false) return undefined;
  if (typeof value === 'string') return text(value, place);
  if (typeof value !== 'object' || value === null) return 'the name of a budget, options, or false';
  if (isReference(value)) checkReference(place, value);
  else checkRetryBudgetOptions(place, value);
  return undefined;
};

const delays: Rule = (value, place) => {
  if (typeof value === 'function')
    return predicate(value, place) && 'waits in ms, or a function that returns one at once';
  return Array.isArray(value) &&
    value.length > 0 &&
    value.every((delay) => durationOrZero(delay, place) === undefined)
    ? undefined
    : `a non-empty array of waits, each ${durationOrZero(undefined, place)}, or a function that returns one`;
};

const checkEach = checkerOf<RetryOptions>(
  {
    maxAttempts: positiveCount,
    baseDelayMs: durationOrZero,
    maxDelayMs: durationOrZero,
    factor: factorRule,
    delayMs: delays,
    beforeRetry: methodOrFunction,
    jitter: oneOf('none', 'full', 'equal', 'decorrelated'),
    retryableErrors: retryable,
    retryableResults: predicate,
    maxDurationMs: duration,
    respectRetryAfter: boolean,
    idempotent: boolean,
    budget,
    retryNested: boolean,
  },
  'maxAttempts',
);

/** What `delayMs` says itself. */
const GROWTH = ['baseDelayMs', 'factor', 'jitter'] as const;

/** @throws ResilienceConfigurationError also where options contradict each other */
export function checkRetryOptions(place: string, given: unknown): RetryOptions {
  const options = checkEach(place, given);
  const other = GROWTH.find((option) => options[option] !== undefined);
  if (options.delayMs === undefined || other === undefined) return options;
  throw new ResilienceConfigurationError(
    `${place}.delayMs`,
    `is ${display(options.delayMs)} while ${other} is ${options[other]}; allowed: one of the two`,
  );
}

/** Later layers win field by field; of what says how long waits are, as one. */
export function mergeRetryOptions(...layers: (RetryOptions | undefined)[]): RetryOptions {
  return mergeEither<RetryOptions>(layers, 'delayMs', ...GROWTH);
}

/** The options that a `@Retry()` argument stands for; a number is `maxAttempts`. */
export function retryArgument(place: string, argument: unknown): RetryOptions {
  if (typeof argument !== 'number') return checkRetryOptions(place, argument);
  check(`${place} (maxAttempts)`, argument, positiveCount);
  return { maxAttempts: argument };
}

export function resolveRetryOptions(options: RetryOptions): ResolvedRetryOptions {
  return mergeRetryOptions(DEFAULTS, options) as ResolvedRetryOptions;
}
