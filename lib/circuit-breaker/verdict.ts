import { ask } from '../common/answers.js';
import { ResilienceConfigurationError } from '../common/configuration.error.js';
import { isInstance } from '../common/is-error.js';
import { isAbort, isDeadline } from '../context/ambient.js';
import type { Scope } from '../context/scope.js';
import { isClientError } from '../errors/client-error.js';
import { FailedResult, NO_RESULT } from '../errors/failed-result.js';
import { isImpatience, isRejection, isResilienceError } from '../errors/resilience.error.js';
import type { CircuitBreakerOptions } from './circuit-breaker.options.js';
import type { Failure } from './outcomes.js';

/** Whose predicates are asked. */
interface Judging {
  readonly options: CircuitBreakerOptions;
  readonly place: string;
}

/** @throws what `isFailure` throws */
export function countsAsFailure(error: unknown, breaker: Judging): boolean {
  if (isImpatience(error)) return false;
  const { isFailure } = breaker.options;
  if (isFailure !== undefined) return ask(breaker, 'isFailure', isFailure(error));
  return !isClientError(error) && !isRejection(error) && !isMistake(error);
}

/** Why a result counts as a failure: by what `isFailureResult` says of it, or throws. */
export function failureBy(result: unknown, breaker: Judging): Failure | undefined {
  const { isFailureResult } = breaker.options;
  if (isFailureResult === undefined || result === NO_RESULT) return undefined;
  try {
    if (!ask(breaker, 'isFailureResult', isFailureResult(result))) return undefined;
    return { error: new FailedResult(result) };
  } catch (error) {
    return { error };
  }
}

/** Whether it says nothing of the dependency, since no answer came: the call was refused, or cut. */
export function saysNothing(error: unknown): boolean {
  return isResilienceError(error) || isDeadline(error) || isAbort(error) || isMistake(error);
}

/** A mistake of ours kept the call from being made: a function of the options answered what it must not. */
function isMistake(error: unknown): boolean {
  return isInstance(error, ResilienceConfigurationError);
}

/** Time in queues of ours is not the dependency's. */
export function isSlow(
  startedAt: number,
  at: number,
  scope: Scope | undefined,
  { slowCallDurationMs }: CircuitBreakerOptions,
): boolean {
  if (slowCallDurationMs === undefined) return false;
  return at - startedAt - (scope?.queuedMs(at) ?? 0) > slowCallDurationMs;
}
