import { TicketQueue } from '../attempt/ticket-queue.js';
import { now } from '../common/clock.js';
import { Turn } from '../common/turn.js';
import type { Scope } from '../context/scope.js';
import type { BulkheadRejectionReason } from './bulkhead.error.js';
import type { BulkheadTelemetry } from './bulkhead.telemetry.js';
import type { LeasedSlots } from './leased-slots.js';
import { Loans } from './loans.js';
import type { MeasuredRuns } from './measured-runs.js';
import { type Admission, SlotTicket } from './slot-ticket.js';

/** Who runs in a bulkhead, and who waits: enqueue, dequeue and leaving are O(1). */
export class Slots {
  running = 0;
  rejected = 0;
  /** So many may wait. */
  queueLimit = 0;
  /** Nobody waits: whoever does is let in. */
  isOpen = false;
  /** Where they are had from, if the fleet shares them. */
  leased: LeasedSlots | undefined = undefined;
  private closed = false;
  private readonly turn = new Turn();
  /** Whether free slots are for those who wait, from the next turn of the event loop on. */
  private pausing = false;
  private readonly loans = new Loans();
  private readonly queue: TicketQueue<SlotTicket>;

  /** @param limit so many calls may run at a time: as configured, as has been found out, or as was leased */
  constructor(
    public limit: number,
    queueTimeoutMs: number | undefined,
    private readonly runs: MeasuredRuns,
    private readonly telemetry: BulkheadTelemetry | undefined,
  ) {
    this.queue = new TicketQueue(queueTimeoutMs, (ticket) => {
      if (this.isOpen) this.handOver(ticket, now());
      else this.refuse(ticket, 'queue-timeout');
      this.changed();
    });
  }

  get queued(): number {
    return this.queue.size;
  }

  /** Takes one if one is free; `release()` gives it back. */
  tryAcquire(): boolean {
    if (this.running >= this.limit || (this.pausing && this.queue.size > 0)) return false;
    this.take();
    return true;
  }

  /** The same whether one is free or not. */
  take(): void {
    this.running++;
    this.changed();
  }

  /** @returns whether a call around it has lent it its own, if that has one */
  borrow(lender: Scope | undefined): lender is Scope {
    return lender !== undefined && this.loans.lend(lender);
  }

  /**
   * Waits for a slot, or for that of a call around it: `settle` is called with it, or with the reason why
   * there is none, unless the ticket leaves before. It may be called at once, and in the async context of
   * another call, so the one who waits asks for the error in its own.
   *
   * @param scope of the call that waits: how long it can, and how much it matters
   * @param holder a call around it that has a slot
   */
  enqueue(
    scope: Scope,
    holder: Scope | undefined,
    settle: (admission: Admission) => void,
  ): SlotTicket {
    const ticket = new SlotTicket(scope, scope.deadline, settle);
    const reason = this.makeRoom(ticket, holder);
    if (reason === undefined) {
      this.queue.add(ticket);
      if (holder !== undefined) this.loans.reserve(holder, ticket);
      this.changed();
    } else {
      this.refuse(ticket, reason);
      if (reason === 'full') this.leased?.missed();
    }
    return ticket;
  }

  leave(ticket: SlotTicket): void {
    if (this.queue.remove(ticket)) this.changed();
  }

  /**
   * Gives a slot back: to whom it was borrowed of, or to the first in the queue that can still be in time.
   *
   * @param holder the call that had it, where it has run
   * @param lender of whom it had it, where it was borrowed
   */
  release(holder: Scope | undefined, lender: Scope | undefined): void {
    // Who has borrowed it and is still at work goes on with it.
    if (holder === undefined || !this.loans.outlives(holder, lender)) this.giveBack(lender);
  }

  /** Whoever has one keeps it. */
  limitTo(limit: number, at: number): void {
    this.limit = limit;
    this.handOn(at);
    this.changed();
  }

  /** Whoever waits does so by the `queueTimeoutMs` that it came by. */
  letWait(queueLimit: number, queueTimeoutMs: number | undefined): void {
    this.queueLimit = queueLimit;
    this.queue.limitTo(queueTimeoutMs);
  }

  /** Those who waited for the first answer of the fleet are no more than may wait. */
  trim(): void {
    const free = Math.max(0, this.limit - this.running);
    if (!this.isOpen)
      for (const ticket of [...this.queue].slice(free + this.queueLimit))
        this.refuse(ticket, 'full');
    this.changed();
  }

  /** Rejects what waits, and whatever would have to wait from now on. */
  close(): void {
    this.closed = true;
    this.queue.close(
      this.turn,
      (ticket) => this.refuse(ticket, 'shutdown'),
      () => this.changed(),
    );
  }

  private giveBack(lender: Scope | undefined): void {
    if (lender !== undefined) {
      this.lendOn(lender);
      return;
    }
    this.running--;
    if (this.queue.size > 0) this.handOn(now());
    this.changed();
  }

  private lendOn(lender: Scope): void {
    if (this.turn.isUsedUp()) {
      this.turn.next(() => this.lendOn(lender));
      return;
    }
    const next = this.loans.next(lender);
    if (next === undefined) {
      const loan = this.loans.end(lender);
      if (loan.ended) this.giveBack(loan.lender);
      return;
    }
    this.queue.remove(next);
    next.lender = lender;
    next.settle(now());
    this.changed();
  }

  private handOn(at: number): void {
    while ((this.running < this.limit || this.isOpen) && !this.pausing) {
      const ticket = this.queue.first;
      if (ticket === undefined) return;
      if (this.turn.isUsedUp()) this.pause();
      else if (!this.isOpen && this.runs.isTooLate(ticket.deadline, at, this.queue.size > 1))
        this.refuse(ticket, 'deadline');
      else this.handOver(ticket, at);
    }
  }

  private handOver(ticket: SlotTicket, at: number): void {
    this.queue.remove(ticket);
    this.running++;
    ticket.settle(at);
  }

  /** Runs that end at once hand their slots on in one turn of the event loop, however many wait. */
  private pause(): void {
    this.pausing = true;
    this.turn.next(() => {
      this.pausing = false;
      this.handOn(now());
      this.changed();
    });
  }

  /** @returns why there is no room for it in the queue */
  private makeRoom(
    ticket: SlotTicket,
    holder: Scope | undefined,
  ): BulkheadRejectionReason | undefined {
    if (this.closed) return 'shutdown';
    // What is too late already need not wait to hear so.
    if (
      ticket.deadline !== Number.POSITIVE_INFINITY &&
      this.runs.isTooLate(ticket.deadline, now(), false)
    )
      return 'deadline';
    // It waits for no more than what goes on beside it, however many others wait.
    if (holder !== undefined || this.queue.size < this.queueLimit) return undefined;
    if (this.leased?.isCold === true) return undefined;
    const displaced = ticket.critical === true ? this.queue.youngestSheddable : undefined;
    if (displaced === undefined) return 'full';
    this.refuse(displaced, 'displaced');
    return undefined;
  }

  private refuse(ticket: SlotTicket, reason: BulkheadRejectionReason): void {
    this.queue.remove(ticket);
    this.rejected++;
    ticket.settle(reason);
  }

  private changed(): void {
    this.telemetry?.changed(this.running, this.queue.size);
    this.leased?.used(this.running, this.queue.size);
  }
}
