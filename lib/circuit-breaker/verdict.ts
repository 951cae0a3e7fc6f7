import { isClientError } from '../common/client-error.js';
import { ask } from '../common/options.js';
import { isImpatience, isRejection, isResilienceError } from '../common/resilience.error.js';
import { isAbort, isDeadline } from '../context/ambient.js';
import type { Scope } from '../context/scope.js';
import type { CircuitBreakerOptions } from './circuit-breaker.options.js';

/** @throws what `isFailure` throws */
export function countsAsFailure(error: unknown, { isFailure }: CircuitBreakerOptions): boolean {
  if (isImpatience(error)) return false;
  if (isFailure !== undefined) return ask('isFailure', isFailure(error));
  return !isClientError(error) && !isRejection(error);
}

/** Whether it says nothing of the dependency, since no answer came: the call was refused, or cut. */
export function saysNothing(error: unknown): boolean {
  return isResilienceError(error) || isDeadline(error) || isAbort(error);
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
