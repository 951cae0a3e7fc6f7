import { now } from '../common/clock.js';
import { remembering } from '../common/options.js';
import { Turn } from '../common/turn.js';
import type { AttemptContext, Scope } from '../context/scope.js';
import { checkSharedStays } from '../fleet/sharing.js';
import { Alone } from '../stage/alone.js';
import {
  type AttemptStage,
  type Permit,
  type Retention,
  type Settlement,
  type Admission as StageAdmission,
  type StageAttempt,
  WAIT,
} from '../stage/attempt-stage.js';
import type { StageHost } from '../stage/stage-host.js';
import { TicketQueue } from '../stage/ticket-queue.js';
import { AdaptiveLimit } from './adaptive-limit.js';
import { BulkheadRejectedError, type BulkheadRejectionReason } from './bulkhead.error.js';
import {
  type BulkheadOptions,
  checkBulkheadOptions,
  type ResolvedBulkheadOptions,
  resolveBulkheadOptions,
} from './bulkhead.options.js';
import { BulkheadTelemetry } from './bulkhead.telemetry.js';
import type { LeasedSlots } from './leased-slots.js';
import { Loans } from './loans.js';
import { MeasuredRuns } from './measured-runs.js';
import { Borrowed, UNTIMED } from './slot-permit.js';
import { type Admission, SlotTicket } from './slot-ticket.js';
import { leasedSlotsOf } from './slots-of.js';

/** A bulkhead at this moment. */
export interface BulkheadSnapshot {
  name: string;
  running: number;
  queued: number;
  /** So many may run; with `adaptive`, at this moment; with `shared`, of all instances. */
  maxConcurrent: number;
  queueLimit: number;
  /** Since the bulkhead was made. */
  rejected: number;
  /** Of one that is shared: so many of the slots this instance has at this moment. */
  leased?: number;
}

const optionsOf = remembering((place, options: BulkheadOptions) => {
  const given = checkBulkheadOptions(place, options);
  return { given, options: resolveBulkheadOptions(place, given) };
});

/**
 * Limits how many calls run at a time, so that one slow dependency cannot take everything down with
 * it. What has no slot waits in a queue, as long as it can still be in time; enqueue, dequeue and
 * leaving are O(1).
 */
export class BulkheadPolicy implements AttemptStage {
  private inForce: ReturnType<typeof optionsOf>;
  /** So many calls may run at a time: `maxConcurrent`, what has been found out, or what was leased. */
  private limit: number;
  private running = 0;
  private rejected = 0;
  private closed = false;
  private readonly turn = new Turn();
  /** Whether free slots are for those who wait, from the next turn of the event loop on. */
  private pausing = false;
  private readonly loans = new Loans();
  private readonly runs: MeasuredRuns;
  private readonly leased: LeasedSlots | undefined;
  private readonly queue: TicketQueue<SlotTicket>;
  private readonly telemetry: BulkheadTelemetry | undefined;
  private alone: Alone | undefined = undefined;
  /** So many operations have it as a stage. */
  private operations = 0;

  /** @throws ResilienceConfigurationError */
  constructor(name: string, options?: BulkheadOptions);
  /**
   * @param host is for the module that owns the bulkhead
   * @internal
   */
  constructor(name: string, options?: BulkheadOptions, host?: StageHost);
  constructor(
    readonly name: string,
    options: BulkheadOptions = {},
    private readonly host?: StageHost,
  ) {
    this.inForce = optionsOf(`bulkhead "${name}"`, options);
    const { adaptive, minConcurrent = 1, maxConcurrent } = this.options;
    const found = adaptive ? new AdaptiveLimit(minConcurrent, maxConcurrent) : undefined;
    this.limit = found?.limit ?? maxConcurrent;
    this.runs = new MeasuredRuns(found);
    this.telemetry = host && new BulkheadTelemetry(name, host);
    if (adaptive) this.telemetry?.limited(this.limit);
    this.queue = new TicketQueue(this.options.queueTimeoutMs, (ticket) => {
      this.refuse(ticket, 'queue-timeout');
      this.changed();
    });
    this.leased = leasedSlotsOf(name, this.options, host, {
      limited: (limit) => this.limitTo(limit, now()),
      warmed: () => this.trim(),
    });
    if (this.leased !== undefined) this.limitTo(this.leased.limit, now());
  }

  get options(): Readonly<ResolvedBulkheadOptions> {
    return this.inForce.options;
  }

  /** The options without the defaults, for who builds on them. @internal */
  get given(): Readonly<BulkheadOptions> {
    return this.inForce.given;
  }

  /**
   * Calls `fn` as soon as there is a slot, which it holds until it has settled.
   *
   * @throws BulkheadRejectedError without calling
   * @throws what `fn` throws, untouched; the reason of a caller that gave up before it began
   */
  execute<T>(fn: (attempt: AttemptContext) => PromiseLike<T>): Promise<T> {
    // What is made inside of such a call, nobody can tell before.
    this.alone ??= new Alone(this, this.name, this.host?.inFlight, { scope: true, start: 'never' });
    return this.alone.run(fn);
  }

  getSnapshot(): BulkheadSnapshot {
    const { name, running, rejected, queue, limit, leased, options } = this;
    const { queueLimit, maxConcurrent } = options;
    const snapshot = {
      name,
      running,
      queued: queue.size,
      maxConcurrent: limit,
      queueLimit,
      rejected,
    };
    return leased === undefined ? snapshot : { ...snapshot, maxConcurrent, leased: limit };
  }

  /**
   * A call made inside of one that holds a slot has to find it where it can have no other. Of a method that
   * is alone in using the bulkhead, and does not call itself, nothing is made inside but in a roundabout
   * way: then it is enough that whoever takes the last slot is found, and so can always go on.
   */
  get needsScope(): boolean {
    return (
      this.running + 1 >= this.limit ||
      this.operations > (this.alone === undefined ? 1 : 0) ||
      this.options.adaptive === true ||
      this.leased !== undefined ||
      this.options.queueLimit === 0
    );
  }

  /** Not while calls through it hold a slot, or wait for one. */
  get retention(): Retention {
    return this.running > 0 || this.queue.size > 0 ? 'kept' : 'none';
  }

  /** @internal */
  joined(): void {
    this.operations++;
  }

  /**
   * It goes by other options from now on. Nobody is cut: where fewer may run than do, none begins until there
   * is room; where more may, those who wait begin at once. Whoever waits does so by the `queueLimit` and
   * `queueTimeoutMs` that it came by. What it has found out (`adaptive`) is kept, within the bounds; one that
   * begins to find it out begins with what was allowed before.
   *
   * @throws ResilienceConfigurationError, also where `shared` is another
   * @internal
   */
  change(options: BulkheadOptions): void {
    const place = `bulkhead "${this.name}"`;
    const inForce = optionsOf(place, options);
    checkSharedStays(place, this.options.shared, inForce.options.shared);
    this.inForce = inForce;
    const { adaptive, minConcurrent = 1, maxConcurrent, queueTimeoutMs } = inForce.options;
    const { runs, leased } = this;
    this.queue.limitTo(queueTimeoutMs);
    if (!adaptive) runs.adaptive = undefined;
    else if (runs.adaptive !== undefined) runs.adaptive.bound(minConcurrent, maxConcurrent);
    else runs.adaptive = new AdaptiveLimit(minConcurrent, maxConcurrent, this.limit);
    if (leased === undefined) this.limitTo(runs.adaptive?.limit ?? maxConcurrent, now());
    else leased.change(maxConcurrent);
  }

  admit(attempt: StageAttempt, at: number): Permit {
    if (this.tryAcquire())
      return this.runs.isTimed(this.running >= this.limit) ? at || now() : UNTIMED;
    const holder = attempt.scope?.callThrough(this);
    return holder !== undefined && this.loans.lend(holder) ? new Borrowed(holder) : WAIT;
  }

  wait(attempt: StageAttempt, admitted: (ask: () => StageAdmission) => void): () => void {
    const scope = attempt.scope as Scope;
    const ticket = this.enqueue(scope, (admission) =>
      admitted(() => {
        if (typeof admission === 'string') return { refusal: this.refusal(admission, scope) };
        const { lender } = ticket;
        return { permit: lender === undefined ? admission : new Borrowed(lender) };
      }),
    );
    return () => {
      if (this.queue.remove(ticket)) this.changed();
    };
  }

  /** Who waits in the queue needs its answer to begin in time. */
  settled(
    permit: Permit,
    attempt: StageAttempt,
    _how: Settlement,
    _error: unknown,
    at: number,
  ): void {
    if (attempt.begun) this.measure(permit, attempt, true, at);
  }

  finished(permit: Permit, attempt: StageAttempt, answered: boolean): void {
    const lender = permit instanceof Borrowed ? permit.lender : undefined;
    if (!attempt.ran) {
      this.release(undefined, lender);
      return;
    }
    if (permit !== UNTIMED && !attempt.begun) this.measure(permit, attempt, answered, now());
    this.release(attempt.scope, lender);
  }

  /**
   * Takes a slot if one is free; `release()` gives it back.
   * @internal
   */
  tryAcquire(): boolean {
    if (this.running >= this.limit || (this.pausing && this.queue.size > 0)) return false;
    this.running++;
    this.changed();
    return true;
  }

  /**
   * Waits for a slot, or for that of a call around it: `settle` is called with it, or with the reason why
   * there is none, unless the ticket leaves before. It may be called at once, and in the async context of
   * another call, so the one who waits asks for the error (`refusal()`) in its own.
   *
   * @param scope of the call that waits: how long it can, and how much it matters
   */
  private enqueue(scope: Scope, settle: (admission: Admission) => void): SlotTicket {
    const ticket = new SlotTicket(scope, scope.deadline, settle);
    const holder = scope.callThrough(this);
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

  /**
   * Gives a slot back: to whom it was borrowed of, or to the first in the queue that can still be in time.
   *
   * @param holder the call that had it, where it has run
   * @param lender of whom it had it, where it was borrowed
   * @internal
   */
  release(holder?: Scope, lender?: Scope): void {
    // Who has borrowed it and is still at work goes on with it.
    if (holder === undefined || !this.loans.outlives(holder, lender)) this.giveBack(lender);
  }

  /** Learns from how a run went, before its slot is given back. */
  private measure(permit: Permit, { scope }: StageAttempt, answered: boolean, at: number): void {
    const limit = this.runs.learn(permit, scope, answered, at, this.running);
    if (limit !== undefined && limit !== this.limit) this.limitTo(limit, at);
  }

  private limitTo(limit: number, at: number): void {
    this.limit = limit;
    this.telemetry?.limited(limit);
    this.handOn(at);
    this.changed();
  }

  /** Those who waited for the first answer of the fleet are no more than may wait. */
  private trim(): void {
    const free = Math.max(0, this.limit - this.running);
    for (const ticket of [...this.queue].slice(free + this.options.queueLimit))
      this.refuse(ticket, 'full');
    this.changed();
  }

  /** The error for a call that was refused, which `scope` is of. */
  private refusal(reason: BulkheadRejectionReason, scope: Scope): BulkheadRejectedError {
    this.telemetry?.rejected(reason);
    const byClient = reason === 'deadline' && scope.impatient;
    return new BulkheadRejectedError(this.name, reason, this.host?.captureStackTrace, byClient);
  }

  /** Rejects what waits, and whatever would have to wait from now on (`reason: 'shutdown'`). */
  shutdown(): void {
    this.closed = true;
    this.queue.close(
      this.turn,
      (ticket) => this.refuse(ticket, 'shutdown'),
      () => this.changed(),
    );
  }

  /** It is used no more. @internal */
  dispose(): void {
    this.leased?.dispose();
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
    while (this.running < this.limit && !this.pausing) {
      const ticket = this.queue.first;
      if (ticket === undefined) return;
      if (this.turn.isUsedUp()) this.pause();
      else if (this.runs.isTooLate(ticket.deadline, at, this.queue.size > 1))
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
    if (holder !== undefined || this.queue.size < this.options.queueLimit) return undefined;
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
