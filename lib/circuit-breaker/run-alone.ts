import { now } from '../common/clock.js';
import { AMBIENT, enclosingScope, isDeadline } from '../context/ambient.js';
import { promised } from '../context/promised.js';
import { refuseWithout } from '../context/refusal.js';
import type { AttemptContext, Scope } from '../context/scope.js';
import type { InFlight } from '../shutdown/in-flight.js';
import type { Permit } from './probes.js';

type Work<T> = (attempt: AttemptContext) => PromiseLike<T>;

/** As much of a breaker as a call has to do with. */
interface Breaker {
  readonly asksWhenCallsBegin: boolean;
  acquire(at: number, scope?: Scope): Permit;
  succeeded(permit: Permit, startedAt: number): void;
  failed(permit: Permit, error: unknown, startedAt: number): void;
  release(permit: Permit): void;
}

/** A call through a breaker on its own, without a pipeline around it. */
export function runAlone<T>(
  breaker: Breaker,
  work: Work<T>,
  inFlight: InFlight | undefined,
): Promise<T> {
  inFlight?.enter();
  const caller = enclosingScope();
  // Reading the clock is a good part of what a call costs: mostly its end is all that counts.
  const startedAt = caller !== undefined || breaker.asksWhenCallsBegin ? now() : 0;
  try {
    refuseWithout(caller, startedAt);
    const permit = breaker.acquire(startedAt, caller);
    return caller === undefined
      ? run(breaker, work, permit, startedAt, inFlight)
      : runWithin(caller, breaker, work, permit, startedAt, inFlight);
  } catch (error) {
    inFlight?.leave();
    return Promise.reject(error);
  }
}

/** @throws what `work` throws without making a promise */
function run<T>(
  breaker: Breaker,
  work: Work<T>,
  permit: Permit,
  startedAt: number,
  inFlight: InFlight | undefined,
): Promise<T> {
  let result: Promise<T>;
  try {
    result = promised(work(AMBIENT));
  } catch (error) {
    breaker.failed(permit, error, startedAt);
    throw error;
  }
  return result.then(
    (value) => {
      inFlight?.leave();
      breaker.succeeded(permit, startedAt);
      return value;
    },
    (error) => {
      inFlight?.leave();
      breaker.failed(permit, error, startedAt);
      throw error;
    },
  );
}

/** The same for a call that its caller may cut. */
async function runWithin<T>(
  caller: Scope,
  breaker: Breaker,
  work: Work<T>,
  permit: Permit,
  startedAt: number,
  inFlight: InFlight | undefined,
): Promise<T> {
  const call = { cancel: (reason: unknown) => cut(breaker, permit, reason, startedAt) };
  caller.adopt(call);
  let value: T;
  try {
    if (caller.aborted) throw caller.reason; // as it found out when it was to adopt the call
    value = await work(AMBIENT);
  } catch (error) {
    if (!caller.aborted) {
      if (caller.hasLostPatience()) breaker.release(permit);
      else breaker.failed(permit, error, startedAt);
    }
    throw error;
  } finally {
    inFlight?.leave();
    caller.release(call);
  }
  if (!caller.aborted) breaker.succeeded(permit, startedAt);
  return value;
}

/** The caller gave up or ran out of time, perhaps long before the call ends. */
function cut(breaker: Breaker, permit: Permit, reason: unknown, startedAt: number): void {
  if (!isDeadline(reason)) {
    breaker.release(permit);
    return;
  }
  try {
    breaker.failed(permit, reason, startedAt);
  } catch {} // the caller has its error already: the predicate's goes nowhere
}
