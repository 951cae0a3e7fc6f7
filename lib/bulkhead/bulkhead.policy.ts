import { AsyncLocalStorage } from 'node:async_hooks';
import { LinkedList } from '../common/linked-list.js';
import { TimerQueue } from '../common/timer-queue.js';
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
import { QueueTimeout, Ticket } from './ticket.js';

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

/**
 * Limits how many calls run at a time, so that one slow dependency cannot take everything down with
 * it. What has no slot waits in a queue, first in, first out; enqueue, dequeue and leaving are O(1).
 */
export class BulkheadPolicy {
  readonly options: Readonly<ResolvedBulkheadOptions>;
  private running = 0;
  private rejected = 0;
  private closed = false;
  private readonly queue = new LinkedList<Ticket>();
  private readonly queueTimeouts: TimerQueue<QueueTimeout> | undefined;

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
    const { queueTimeoutMs } = this.options;
    this.queueTimeouts = queueTimeoutMs === undefined ? undefined : new TimerQueue(queueTimeoutMs);
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
      return this.tryAcquire() ? this.runInSlot(fn) : this.runLater(caller, fn);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  private async runLater<T>(
    caller: Scope | undefined,
    fn: (attempt: AttemptContext) => PromiseLike<T>,
  ): Promise<T> {
    await this.wait(caller);
    try {
      refuseWithout(caller); // it may have given up since the slot was handed on
    } catch (error) {
      this.release();
      throw error;
    }
    return this.runInSlot(fn);
  }

  /** @throws what `fn` throws without making a promise */
  private runInSlot<T>(fn: (attempt: AttemptContext) => PromiseLike<T>): Promise<T> {
    let result: Promise<T>;
    try {
      result = promised(fn(AMBIENT));
    } catch (error) {
      this.release();
      throw error;
    }
    return result.then(
      (value) => {
        this.release();
        return value;
      },
      (error) => {
        this.release();
        throw error;
      },
    );
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
   * Waits for a slot: `admitted` is called with it, or `refused` with a `BulkheadRejectedError`,
   * unless the ticket leaves before.
   *
   * @throws BulkheadRejectedError at once where there is no room in the queue
   * @internal
   */
  enqueue(admitted: () => void, refused: (error: BulkheadRejectedError) => void): Ticket {
    if (this.closed) throw this.rejection('shutdown');
    if (this.queue.size >= this.options.queueLimit) throw this.rejection('full');
    const ticket = new Ticket(admitted, refused);
    this.queue.append(ticket);
    if (this.queueTimeouts !== undefined) {
      // The timer is shared: who hears of the rejection does so in the context of the call.
      const inContext = AsyncLocalStorage.snapshot();
      ticket.timeout = new QueueTimeout(() => inContext(() => this.expired(ticket)));
      this.queueTimeouts.add(ticket.timeout);
    }
    this.changed();
    return ticket;
  }

  /**
   * Gives a slot back; the oldest in the queue gets it.
   * @internal
   */
  release(): void {
    const next = this.queue.first;
    if (next === undefined) {
      this.running--;
      this.changed();
      return;
    }
    this.leave(next); // the slot passes on, so `running` stays
    next.admitted();
  }

  /**
   * Takes a ticket out of the queue; one that is not in it any more is left alone.
   * @internal
   */
  leave(ticket: Ticket): void {
    if (!ticket.waiting) return;
    ticket.waiting = false;
    this.queue.remove(ticket);
    if (ticket.timeout !== undefined) this.queueTimeouts?.remove(ticket.timeout);
    this.changed();
  }

  /** Rejects what waits, and whatever would have to wait from now on (`reason: 'shutdown'`). */
  shutdown(): void {
    this.closed = true;
    for (let ticket = this.queue.first; ticket !== undefined; ticket = this.queue.first) {
      this.leave(ticket);
      ticket.refused(this.rejection('shutdown'));
    }
  }

  private expired(ticket: Ticket): void {
    ticket.timeout = undefined;
    this.leave(ticket);
    ticket.refused(this.rejection('queue-timeout'));
  }

  private wait(caller: Scope | undefined): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const admitted = () => {
        caller?.release(dependent);
        resolve();
      };
      const refused = (error: unknown) => {
        caller?.release(dependent);
        reject(error);
      };
      const ticket = this.enqueue(admitted, refused);
      const dependent = {
        cancel: (reason: unknown) => {
          this.leave(ticket);
          reject(reason);
        },
      };
      caller?.adopt(dependent);
    });
  }

  private changed(): void {
    this.host.observer?.onChange(this, this.running, this.queue.size);
  }

  private rejection(reason: BulkheadRejectionReason): BulkheadRejectedError {
    this.rejected++;
    this.host.observer?.onRejected(this, reason);
    return new BulkheadRejectedError(this.name, reason, this.host.captureStackTrace);
  }
}
