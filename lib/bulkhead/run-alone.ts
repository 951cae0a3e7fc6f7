import { now } from '../common/clock.js';
import { AMBIENT, enclosingScope, isDeadline } from '../context/ambient.js';
import { promised } from '../context/promised.js';
import { refuseWithout } from '../context/refusal.js';
import type { AttemptContext, Scope } from '../context/scope.js';
import type { BulkheadPolicy } from './bulkhead.policy.js';
import type { Admission } from './ticket.js';

type Work<T> = (attempt: AttemptContext) => PromiseLike<T>;

/** A call through a bulkhead on its own, without a pipeline around it. */
export function runAlone<T>(bulkhead: BulkheadPolicy, work: Work<T>): Promise<T> {
  const caller = enclosingScope();
  try {
    refuseWithout(caller);
    if (!bulkhead.tryAcquire()) return runLater(bulkhead, caller, work);
    return runInSlot(bulkhead, caller, work, bulkhead.timesRun() ? now() : undefined);
  } catch (error) {
    return Promise.reject(error);
  }
}

async function runLater<T>(
  bulkhead: BulkheadPolicy,
  caller: Scope | undefined,
  work: Work<T>,
): Promise<T> {
  const admission = await waitForSlot(bulkhead, caller);
  if (typeof admission === 'string') throw bulkhead.refusal(admission);
  try {
    refuseWithout(caller); // it may have given up since the slot was handed on
  } catch (error) {
    bulkhead.release();
    throw error;
  }
  return runInSlot(bulkhead, caller, work, admission);
}

function waitForSlot(bulkhead: BulkheadPolicy, caller: Scope | undefined): Promise<Admission> {
  return new Promise((resolve, reject) => {
    const dependent = {
      cancel: (reason: unknown) => {
        bulkhead.leave(ticket);
        reject(reason);
      },
    };
    const ticket = bulkhead.enqueue(caller, (admission) => {
      caller?.release(dependent);
      resolve(admission);
    });
    if (ticket.waiting) caller?.adopt(dependent);
  });
}

/**
 * @param since when it got the slot, where it is timed
 * @throws what `work` throws without making a promise
 */
function runInSlot<T>(
  bulkhead: BulkheadPolicy,
  caller: Scope | undefined,
  work: Work<T>,
  since: number | undefined,
): Promise<T> {
  let result: Promise<T>;
  try {
    result = promised(work(AMBIENT));
  } catch (error) {
    bulkhead.release();
    throw error;
  }
  return result.then(
    (value) => {
      end(bulkhead, caller, since, true);
      return value;
    },
    (error) => {
      end(bulkhead, caller, since, false);
      throw error;
    },
  );
}

function end(
  bulkhead: BulkheadPolicy,
  caller: Scope | undefined,
  since: number | undefined,
  answered: boolean,
): void {
  if (since === undefined) {
    bulkhead.release();
    return;
  }
  const at = now();
  const dropped = caller?.aborted === true && isDeadline(caller.reason);
  bulkhead.measured(dropped ? 'deadline' : answered ? 'answer' : 'error', since, at);
  bulkhead.release(at);
}
