import { now } from '../common/clock.js';
import { AMBIENT, runInScope, surroundings } from '../context/ambient.js';
import { PolicyScope } from '../context/policy-scope.js';
import { promised } from '../context/promised.js';
import { refuseWithout } from '../context/refusal.js';
import type { AttemptContext, Dependent, Scope } from '../context/scope.js';
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
  borrow(scope: Scope): Scope | undefined;
  release(at?: number, holder?: Scope, lender?: Scope): void;
}

/** A call through a bulkhead on its own, without a pipeline around it. */
export function runAlone<T>(
  bulkhead: Bulkhead,
  work: Work<T>,
  inFlight: InFlight | undefined,
): Promise<T> {
  inFlight?.enter();
  try {
    return new BulkheadCall(bulkhead, inFlight).run(work);
  } catch (error) {
    inFlight?.leave();
    return Promise.reject(error);
  }
}

/** It has an async context of its own, by which a call through the same bulkhead inside it finds its slot. */
class BulkheadCall extends PolicyScope implements Dependent {
  /** Whose slot it runs in, where that is borrowed. */
  private lender: Scope | undefined = undefined;
  /** Who asked for it, whatever becomes of that meanwhile. */
  private readonly askedBy = this.caller;
  private ticket: Ticket | undefined = undefined;
  private giveUp: ((reason: unknown) => void) | undefined = undefined;

  constructor(
    private readonly bulkhead: Bulkhead,
    private readonly inFlight: InFlight | undefined,
  ) {
    super(bulkhead, surroundings());
  }

  /** @throws what `work` throws without making a promise; the reason of a caller that has given up */
  run<T>(work: Work<T>): Promise<T> {
    refuseWithout(this.askedBy);
    if (this.bulkhead.tryAcquire())
      return this.runInSlot(work, this.bulkhead.timesRun() ? now() : undefined);
    this.lender = this.bulkhead.borrow(this);
    return this.lender === undefined ? this.runLater(work) : this.runInSlot(work, undefined);
  }

  /** The caller gave up or ran out of time while it waits. */
  cancel(reason: unknown): void {
    if (this.ticket !== undefined) this.bulkhead.leave(this.ticket);
    this.giveUp?.(reason);
  }

  private async runLater<T>(work: Work<T>): Promise<T> {
    try {
      const admission = await this.waitForSlot();
      if (typeof admission === 'string') throw this.bulkhead.refusal(admission, this.askedBy);
      this.lender = this.ticket?.lender;
      this.goOn();
      return this.runInSlot(work, this.lender === undefined ? admission : undefined);
    } catch (error) {
      this.inFlight?.leave();
      throw error;
    }
  }

  private waitForSlot(): Promise<Admission> {
    return new Promise((resolve, reject) => {
      this.giveUp = reject;
      this.ticket = this.bulkhead.enqueue(this, (admission) => {
        this.askedBy?.release(this);
        resolve(admission);
      });
      if (this.ticket.waiting) this.askedBy?.adopt(this);
    });
  }

  /** @throws the reason of a caller that has given up since the slot was handed on, which is given back */
  private goOn(): void {
    try {
      refuseWithout(this.askedBy);
    } catch (error) {
      this.bulkhead.release(undefined, undefined, this.lender);
      throw error;
    }
  }

  /**
   * @param since when it got the slot, where it is timed
   * @throws what `work` throws without making a promise
   */
  private runInSlot<T>(work: Work<T>, since: number | undefined): Promise<T> {
    let result: Promise<T>;
    try {
      result = runInScope(this, begin<T>, work);
    } catch (error) {
      this.giveSlotBack();
      throw error;
    }
    return result.then(
      (value) => {
        this.inFlight?.leave();
        this.finish(since, true);
        return value;
      },
      (error) => {
        this.inFlight?.leave();
        this.finish(since, false);
        throw error;
      },
    );
  }

  private finish(since: number | undefined, answered: boolean): void {
    if (since === undefined) {
      this.giveSlotBack();
      return;
    }
    const at = now();
    const runEnd = endOfRun(this.askedBy, answered);
    if (runEnd !== undefined) this.bulkhead.measured(runEnd, since, at);
    this.giveSlotBack(at);
  }

  private giveSlotBack(at?: number): void {
    this.bulkhead.release(at, this, this.lender);
    this.leave();
  }
}

function begin<T>(work: Work<T>): Promise<T> {
  return promised(work(AMBIENT));
}
