import { now } from '../common/clock.js';
import { innermost, type Scope } from './scope.js';

/**
 * What is called from abandoned work, or when no time is left, must not start.
 *
 * @throws the reason of a caller that was aborted, or a `TimeoutError` where its deadline has passed
 */
export function refuseWithout(madeIn: Scope | undefined, at?: number): void {
  const caller = innermost(madeIn);
  if (caller === undefined) return;
  if (caller.aborted) throw caller.reason;
  if (caller.deadline <= (at ?? now())) throw caller.outOfTime();
}
