import { now } from '../common/clock.js';
import { AMBIENT, enclosingScope } from '../context/ambient.js';
import { promised } from '../context/promised.js';
import { refuseWithout } from '../context/refusal.js';
import type { AttemptContext, Scope } from '../context/scope.js';
import { BulkheadRejectedError, type BulkheadRejectionReason } from './bulkhead.error.js';
import {
  type BulkheadOptions,
  checkBulkheadOptions,
  type ResolvedBulkheadOptions,
  resolveBulkheadOptions,
} from './bulkhead.options.js';
import { RunTimes } from './run-times.js';
import { type Admission, Ticket } from './ticket.js';
import { TicketQueue } from './ticket-queue.js';

/** A bulkhead at this moment. */
export interface BulkheadSnapshot {
  name: string;
  running: number;
  queued: number;
  maxConcurrent: number;
  queueLimit: number;
  /** Since the bulkhead was made. */
  rejected: number;
}

/** Told of what happens to a bulkhead. @internal */
export interface BulkheadObserver {
  onChange(bulkhead: BulkheadPolicy, running: number, queued: number): void;
  onRejected(bulkhead: BulkheadPolicy, reason: BulkheadRejectionReason): void;
}

/** What the module that owns a bulkhead gives it. @internal */
export interface BulkheadHost {
  observer?: BulkheadObserver;
  captureStackTrace?: boolean;
}

/** Clocks count in fractions of a ms, and sums of fractions are not exact. */
const RESOLUTION_MS = 0.001;

/** One in so many runs is timed where nobody waits: enough to know the load before it is too much. */
const TIMED_RUNS = 8;

/**
 * Limits how many calls run at a time, so that one slow dependency cannot take everything down with
 * it. What has no slot waits in a queue, as long as it can still be in time; enqueue, dequeue and
 * leaving are O(1).
 */
export class BulkheadPolicy {
  readonly options: Readonly<ResolvedBulkheadOptions>;
  private running = 0;
  private rejected = 0;
  private closed = false;
  private untimed = 0;
  private readonly runTimes = new RunTimes();
  private readonly queue: TicketQueue;

  /** @throws ResilienceConfigurationError */
  constructor(name: string, options?: BulkheadOptions);
  /**
   * @param host is for the module that owns the bulkhead
   * @internal
   */
  constructor(name: string, options?: BulkheadOptions, host?: BulkheadHost);
  constructor(
    readonly name: string,
    options: BulkheadOptions = {},
    private readonly host: BulkheadHost = {},
  ) {
    this.options = resolveBulkheadOptions(checkBulkheadOptions(`bulkhead "${name}"`, options));
    this.queue = new TicketQueue(this.options.queueTimeoutMs, (ticket) => {
      this.refuse(ticket, 'queue-timeout');
      this.changed();
    });
  }

  /**
   * Calls `fn` as soon as there is a slot, which it holds until it has settled.
   *
   * @throws BulkheadRejectedError without calling
   * @throws what `fn` throws, untouched; the reason of a caller that gave up before it began
   */
  execute<T>(fn: (attempt: AttemptContext) => PromiseLike<T>): Promise<T> {
    const caller = enclosingScope();
    try {
      refuseWithout(caller);
      if (!this.tryAcquire()) return this.runLater(caller, fn);
      return this.runInSlot(fn, this.timesRun() ? now() : undefined);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  private async runLater<T>(
    caller: Scope | undefined,
    fn: (attempt: AttemptContext) => PromiseLike<T>,
  ): Promise<T> {
    const admission = await this.wait(caller);
    if (typeof admission === 'string') throw this.refusal(admission);
    try {
      refuseWithout(caller); // it may have given up since the slot was handed on
    } catch (error) {
      this.release();
      throw error;
    }
    return this.runInSlot(fn, admission);
  }

  /**
   * @param since when it got the slot, where it is timed
   * @throws what `fn` throws without making a promise
   */
  private runInSlot<T>(
    fn: (attempt: AttemptContext) => PromiseLike<T>,
    since: number | undefined,
  ): Promise<T> {
    let result: Promise<T>;
    try {
      result = promised(fn(AMBIENT));
    } catch (error) {
      this.release();
      throw error;
    }
    return result.then(
      (value) => {
        this.ended(since, true);
        return value;
      },
      (error) => {
        this.ended(since, false);
        throw error;
      },
    );
  }

  private ended(since: number | undefined, answered: boolean): void {
    if (since === undefined) {
      this.release();
      return;
    }
    const at = now();
    this.measured(at - since, answered);
    this.release(at);
  }

  /** Reading the clock costs as much as the rest of a call, so it is read where the time may matter. */
  private timesRun(): boolean {
    if (this.running < this.options.maxConcurrent && this.runTimes.known)
      return ++this.untimed % TIMED_RUNS === 0;
    return true;
  }

  getSnapshot(): BulkheadSnapshot {
    const { maxConcurrent, queueLimit } = this.options;
    const { name, running, rejected } = this;
    return { name, running, queued: this.queue.size, maxConcurrent, queueLimit, rejected };
  }

  /**
   * Takes a slot if one is free; `release()` gives it back.
   * @internal
   */
  tryAcquire(): boolean {
    if (this.running >= this.options.maxConcurrent) return false;
    this.running++;
    this.changed();
    return true;
  }

  /**
   * Waits for a slot: `settle` is called with it, or with the reason why there is none, unless the
   * ticket leaves before. It may be called at once, and in the async context of another call, so the
   * one who waits asks for the error (`refusal()`) in its own.
   *
   * @param scope of the call that waits: how long it can, and how much it matters
   * @internal
   */
  enqueue(scope: Scope | undefined, settle: (admission: Admission) => void): Ticket {
    const deadline = scope?.deadline ?? Number.POSITIVE_INFINITY;
    const ticket = new Ticket(scope?.critical, deadline, settle);
    const reason = this.makeRoom(ticket);
    if (reason === undefined) {
      this.queue.add(ticket);
      this.changed();
    } else {
      this.refuse(ticket, reason);
    }
    return ticket;
  }

  /**
   * Gives a slot back, to the first in the queue that can still be in time.
   *
   * @param at the time, where it is known
   * @internal
   */
  release(at?: number): void {
    this.running--;
    if (this.queue.size > 0) this.admit(at ?? now());
    this.changed();
  }

  /**
   * Tells how long a run took: from its slot to its answer, or until it failed.
   * @internal
   */
  measured(durationMs: number, answered: boolean): void {
    this.runTimes.record(durationMs, answered);
  }

  /**
   * Takes a ticket out of the queue; one that is not in it any more is left alone.
   * @internal
   */
  leave(ticket: Ticket): void {
    if (this.queue.remove(ticket)) this.changed();
  }

  /**
   * The error for a call that was refused.
   * @internal
   */
  refusal(reason: BulkheadRejectionReason): BulkheadRejectedError {
    this.host.observer?.onRejected(this, reason);
    return new BulkheadRejectedError(this.name, reason, this.host.captureStackTrace);
  }

  /** Rejects what waits, and whatever would have to wait from now on (`reason: 'shutdown'`). */
  shutdown(): void {
    this.closed = true;
    for (let ticket = this.queue.first; ticket !== undefined; ticket = this.queue.first)
      this.refuse(ticket, 'shutdown');
    this.changed();
  }

  private admit(at: number): void {
    while (this.running < this.options.maxConcurrent) {
      const ticket = this.queue.first;
      if (ticket === undefined) return;
      if (this.isTooLate(ticket, at)) {
        this.refuse(ticket, 'deadline');
        continue;
      }
      this.queue.remove(ticket);
      this.running++;
      ticket.settle(at);
    }
  }

  /** @returns why there is no room for it in the queue */
  private makeRoom(ticket: Ticket): BulkheadRejectionReason | undefined {
    if (this.closed) return 'shutdown';
    // What is too late already need not wait to hear so.
    if (this.isTooLate(ticket, now())) return 'deadline';
    if (this.queue.size < this.options.queueLimit) return undefined;
    const displaced = ticket.critical === true ? this.queue.youngestSheddable : undefined;
    if (displaced === undefined) return 'full';
    this.refuse(displaced, 'displaced');
    return undefined;
  }

  /** Whether a typical run would not meet its deadline any more. */
  private isTooLate({ deadline }: Ticket, at: number): boolean {
    return deadline - at + RESOLUTION_MS < this.runTimes.medianMs;
  }

  private refuse(ticket: Ticket, reason: BulkheadRejectionReason): void {
    this.queue.remove(ticket);
    this.rejected++;
    ticket.settle(reason);
  }

  private wait(caller: Scope | undefined): Promise<Admission> {
    return new Promise((resolve, reject) => {
      const dependent = {
        cancel: (reason: unknown) => {
          this.leave(ticket);
          reject(reason);
        },
      };
      const ticket = this.enqueue(caller, (admission) => {
        caller?.release(dependent);
        resolve(admission);
      });
      if (ticket.waiting) caller?.adopt(dependent);
    });
  }

  private changed(): void {
    this.host.observer?.onChange(this, this.running, this.queue.size);
  }
}
