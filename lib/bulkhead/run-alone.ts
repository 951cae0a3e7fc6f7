import { now } from '../common/clock.js';
import { AMBIENT, enclosingScope, surroundings } from '../context/ambient.js';
import { PolicyScope } from '../context/policy-scope.js';
import { promised } from '../context/promised.js';
import { refuseWithout } from '../context/refusal.js';
import type { AttemptContext, Scope } from '../context/scope.js';
import type { InFlight } from '../shutdown/in-flight.js';
import type { BulkheadRejectedError, BulkheadRejectionReason } from './bulkhead.error.js';
import { endOfRun, type RunEnd } from './run-times.js';
import type { Admission, Ticket } from './ticket.js';

type Work<T> = (attempt: AttemptContext) => PromiseLike<T>;

/** As much of a bulkhead as a call has to do with. */
interface Bulkhead {
  tryAcquire(): boolean;
  timesRun(): boolean;
  enqueue(scope: Scope, settle: (admission: Admission) => void): Ticket;
  leave(ticket: Ticket): void;
  refusal(reason: BulkheadRejectionReason, scope: Scope | undefined): BulkheadRejectedError;
  measured(end: RunEnd, since: number, at: number): void;
  release(at?: number): void;
}

/** A call through a bulkhead on its own, without a pipeline around it. */
export function runAlone<T>(
  bulkhead: Bulkhead,
  work: Work<T>,
  inFlight: InFlight | undefined,
): Promise<T> {
  inFlight?.enter();
  const caller = enclosingScope();
  try {
    refuseWithout(caller);
    if (!bulkhead.tryAcquire()) return runLater(bulkhead, caller, work, inFlight);
    return runInSlot(bulkhead, caller, work, bulkhead.timesRun() ? now() : undefined, inFlight);
  } catch (error) {
    inFlight?.leave();
    return Promise.reject(error);
  }
}

async function runLater<T>(
  bulkhead: Bulkhead,
  caller: Scope | undefined,
  work: Work<T>,
  inFlight: InFlight | undefined,
): Promise<T> {
  try {
    const admission = await waitForSlot(bulkhead, caller);
    if (typeof admission === 'string') throw bulkhead.refusal(admission, caller);
    giveUpWith(caller, bulkhead);
    return runInSlot(bulkhead, caller, work, admission, inFlight);
  } catch (error) {
    inFlight?.leave();
    throw error;
  }
}

/** @throws the reason of a caller that has given up since the slot was handed on, which is given back */
function giveUpWith(caller: Scope | undefined, bulkhead: Bulkhead): void {
  try {
    refuseWithout(caller);
  } catch (error) {
    bulkhead.release();
    throw error;
  }
}

function waitForSlot(bulkhead: Bulkhead, caller: Scope | undefined): Promise<Admission> {
  return new Promise((resolve, reject) => {
    const dependent = {
      cancel: (reason: unknown) => {
        bulkhead.leave(ticket);
        reject(reason);
      },
    };
    const scope = new PolicyScope(bulkhead, surroundings());
    const ticket = bulkhead.enqueue(scope, (admission) => {
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
  bulkhead: Bulkhead,
  caller: Scope | undefined,
  work: Work<T>,
  since: number | undefined,
  inFlight: InFlight | undefined,
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
      inFlight?.leave();
      end(bulkhead, caller, since, true);
      return value;
    },
    (error) => {
      inFlight?.leave();
      end(bulkhead, caller, since, false);
      throw error;
    },
  );
}

function end(
  bulkhead: Bulkhead,
  caller: Scope | undefined,
  since: number | undefined,
  answered: boolean,
): void {
  if (since === undefined) {
    bulkhead.release();
    return;
  }
  const at = now();
  const runEnd = endOfRun(caller, answered);
  if (runEnd !== undefined) bulkhead.measured(runEnd, since, at);
  bulkhead.release(at);
}
