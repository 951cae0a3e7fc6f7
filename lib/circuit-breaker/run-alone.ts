import { now } from '../common/clock.js';
import { AMBIENT, beginPlain, endPlain, runInScope, surroundings } from '../context/ambient.js';
import { PolicyScope } from '../context/policy-scope.js';
import { promised } from '../context/promised.js';
import { refuseWithout } from '../context/refusal.js';
import type { AttemptContext, Dependent, Scope } from '../context/scope.js';
import type { InFlight } from '../shutdown/in-flight.js';
import type { Permit } from './probes.js';

type Work<T> = (attempt: AttemptContext) => PromiseLike<T>;

/** As much of a breaker as a call has to do with. */
interface Breaker {
  readonly asksWhenCallsBegin: boolean;
  acquire(at: number, scope?: Scope): Permit;
  succeeded(permit: Permit, startedAt: number, at?: number, scope?: Scope): void;
  failed(permit: Permit, error: unknown, startedAt: number, at?: number, scope?: Scope): void;
  cut(permit: Permit, reason: unknown, startedAt: number, scope: Scope): void;
  release(permit: Permit): void;
}

/** A call through a breaker on its own, without a pipeline around it. */
export function runAlone<T>(
  breaker: Breaker,
  work: Work<T>,
  inFlight: InFlight | undefined,
): Promise<T> {
  inFlight?.enter();
  const around = surroundings();
  // Reading the clock is a good part of what a call costs, and an async context of its own is more than
  // all the rest: mostly its end is all that counts.
  const isPlain = around === undefined && !breaker.asksWhenCallsBegin;
  const startedAt = isPlain ? 0 : now();
  try {
    refuseWithout(around, startedAt);
    const permit = breaker.acquire(startedAt, around);
    return isPlain
      ? run(breaker, work, permit, inFlight)
      : new BreakerCall(breaker, around, permit, startedAt, inFlight).run(work);
  } catch (error) {
    inFlight?.leave();
    return Promise.reject(error);
  }
}

/**
 * A call that nobody can cut, while it does not matter when calls begin.
 *
 * @throws what `work` throws without making a promise
 */
function run<T>(
  breaker: Breaker,
  work: Work<T>,
  permit: Permit,
  inFlight: InFlight | undefined,
): Promise<T> {
  let result: Promise<T>;
  beginPlain(breaker, permit);
  try {
    result = promised(work(AMBIENT));
  } catch (error) {
    breaker.failed(permit, error, 0, undefined, endPlain());
    throw error;
  }
  const scope = endPlain();
  return result.then(
    (value) => {
      inFlight?.leave();
      scope?.leave();
      breaker.succeeded(permit, 0, undefined, scope);
      return value;
    },
    (error) => {
      inFlight?.leave();
      scope?.leave();
      breaker.failed(permit, error, 0, undefined, scope);
      throw error;
    },
  );
}

/** The same for a call that its caller may cut, or that has to know what happens inside. */
class BreakerCall extends PolicyScope implements Dependent {
  constructor(
    private readonly breaker: Breaker,
    around: Scope | undefined,
    private readonly ownPermit: Permit,
    private readonly startedAt: number,
    private readonly inFlight: InFlight | undefined,
  ) {
    super(breaker, around, ownPermit);
  }

  async run<T>(work: Work<T>): Promise<T> {
    const { caller } = this;
    caller?.adopt(this);
    let value: T;
    try {
      if (this.aborted) throw this.reason; // as its caller found out when it was to adopt the call
      value = await runInScope(this, begin, work);
    } catch (error) {
      if (!this.aborted) this.failed(error, caller);
      throw error;
    } finally {
      this.inFlight?.leave();
      caller?.release(this);
      this.leave();
    }
    if (!this.aborted) this.breaker.succeeded(this.ownPermit, this.startedAt, now(), this);
    return value;
  }

  /** The caller gave up or ran out of time, perhaps long before the call ends. */
  cancel(reason: unknown): void {
    if (this.aborted) return;
    try {
      this.breaker.cut(this.ownPermit, reason, this.startedAt, this);
    } catch {} // the caller has its error already: the predicate's goes nowhere
    this.aborted = true;
    this.reason = reason;
  }

  private failed(error: unknown, caller: Scope | undefined): void {
    if (caller?.hasLostPatience()) this.breaker.release(this.ownPermit);
    else this.breaker.failed(this.ownPermit, error, this.startedAt, now(), this);
  }
}

function begin<T>(work: Work<T>): Promise<T> {
  return promised(work(AMBIENT));
}
