import { now } from '../common/clock.js';
import { AMBIENT, beginPlain, endPlain } from '../context/ambient.js';
import { promised } from '../context/promised.js';
import type { Attempt } from '../stage/attempt.js';
import { ADMITTED } from '../stage/hooks.js';
import { StraightAttempt } from '../stage/straight.js';
import type { Plan } from './plan.js';
import { PromiseCall } from './promise-call.js';
import type { Work } from './work.js';

/**
 * A call that nothing can cut, and that nothing inside has to know of: made in no scope, without a signal,
 * a timeout or whatever else needs one. It knows only "let in at once, and answered". From whatever else
 * becomes of it, a `PromiseCall` goes on, at the same attempt with the same permits.
 */
export function callStraight<T>(
  plan: Plan,
  work: Work,
  self: unknown,
  args: unknown[],
): Promise<T> {
  const { hooks, observer, shutdown } = plan;
  const at = now();
  const attempt = new StraightAttempt(plan, at);
  const takeOver = (goOn: (call: PromiseCall<T>, attempt: Attempt<T>) => void): Promise<T> => {
    const call = new PromiseCall<T>(plan, work, self, args, undefined);
    return call.takeOver(attempt, (taken) => goOn(call, taken));
  };
  shutdown.enter();
  plan.budget?.recordFirstAttempt(at);
  let waitsAt: number;
  try {
    waitsAt = hooks.admit(attempt, at);
  } catch (refusal) {
    return takeOver((_, taken) => taken.refuse(refusal, 'failure'));
  }
  if (waitsAt !== ADMITTED) return takeOver((_, taken) => taken.goOn(waitsAt));
  attempt.ran = true;
  let result: Promise<T>;
  beginPlain(attempt);
  try {
    result = promised(work.begin(self, args, AMBIENT));
  } catch (error) {
    attempt.scope = endPlain();
    return takeOver((call, taken) => call.failAttempt(taken, error));
  }
  const scope = endPlain();
  attempt.scope = scope;
  return result.then(
    (value) => {
      try {
        const end = now();
        scope?.leave();
        hooks.finish(attempt, true);
        hooks.settle(attempt, 'success', undefined, end);
        observer.onSuccess(end - at, end);
      } finally {
        shutdown.leave();
      }
      return value;
    },
    (error) => {
      scope?.leave();
      return takeOver((call, taken) => call.failAttempt(taken, error));
    },
  );
}
