import { TicketQueue } from '../attempt/ticket-queue.js';
import { Alarm } from '../common/alarm.js';
import { MAX_TIMER_MS, now } from '../common/clock.js';
import { Turn } from '../common/turn.js';
import type { Scope } from '../context/scope.js';
import type { Bucket } from './bucket.js';
import type { RateLimitReason } from './rate-limit.error.js';
import type { ResolvedRateLimitOptions } from './rate-limit.options.js';
import type { RateLimitTelemetry } from './rate-limit.telemetry.js';
import type { TokenBucket } from './token-bucket.js';
import {
  deadlineOf,
  isLate,
  RESOLUTION_MS,
  Refused,
  type TurnTicket,
  Weighed,
} from './turn-ticket.js';

/** Nobody is waited for whose answer may be ready: a timer that is late rings at once. */
const HOWEVER_LATE = Number.POSITIVE_INFINITY;

/** Whose turn it is at a rate limit, and who waits for it: every step is O(1), and there is a timer only while somebody waits. */
export class Turns {
  rejected = 0;
  /** Nobody waits: whoever does is let in, and takes its tokens out of this, whether they are there or not. */
  debtor: TokenBucket | undefined = undefined;
  private closed = false;
  private readonly turn = new Turn();
  private readonly queue: TicketQueue<TurnTicket>;
  /** Rings when it is the turn of the first in the queue. */
  private readonly alarm = new Alarm(() => this.serve(Math.max(now(), this.alarm.dueAt)));

  /**
   * @param bucket where tokens are had from
   * @param options those in force at the time
   */
  constructor(
    public bucket: Bucket,
    private readonly options: () => ResolvedRateLimitOptions,
    private readonly telemetry: RateLimitTelemetry | undefined,
  ) {
    this.queue = new TicketQueue(this.timeoutMs, (ticket) => this.expire(ticket));
  }

  get queued(): number {
    return this.queue.size;
  }

  /** @returns whether nobody waits and there are so many tokens, which are gone then */
  take(weight: number, at: number): boolean {
    return this.queue.size === 0 && this.bucket.take(weight, at);
  }

  /** For one that could not have them at once: `true` where it can now, and `undefined` where it can wait. */
  takeLater(scope: Scope | undefined, weight: number, at: number): true | undefined | Refused {
    if (this.alarm.isSet && at >= this.alarm.dueAt) this.serve(at); // the timer is late
    const ahead = this.queue.weightAhead(scope?.critical);
    if (ahead === 0 && this.bucket.take(weight, at)) return true;
    const waitMs = this.bucket.waitMs(ahead + weight, at);
    const reason = this.closed ? 'shutdown' : this.reasonAgainst(scope, waitMs, at);
    if (reason === undefined) return undefined;
    this.rejected++;
    return new Refused(reason, waitMs);
  }

  /** Why a call does not wait for a turn that comes in `waitMs`. */
  reasonAgainst(
    scope: Scope | undefined,
    waitMs: number,
    at: number,
    waiting = this.queue.size,
  ): RateLimitReason | undefined {
    const { maxWaitMs, queueLimit } = this.options();
    if (waitMs > maxWaitMs) return 'limit';
    if (isLate(at + waitMs, deadlineOf(scope))) return 'deadline';
    const displaces = scope?.critical === true && this.queue.youngestSheddable !== undefined;
    return waiting < queueLimit || displaces ? undefined : 'queue';
  }

  enqueue(ticket: TurnTicket): void {
    if (this.queue.size >= this.options().queueLimit) this.displace();
    this.queue.add(ticket);
    if (this.queue.first === ticket) this.serve(now());
    else this.changed();
  }

  leave(ticket: TurnTicket): void {
    const isFirst = this.queue.first === ticket;
    if (!this.queue.remove(ticket)) return;
    if (isFirst) this.serve(now());
    else this.changed();
  }

  giveBack(permit: number | Weighed, at: number): void {
    if (!(permit instanceof Weighed)) this.bucket.giveBack(1, permit, at);
    else if (permit.bucket === this.bucket) this.bucket.giveBack(permit.weight, permit.receipt, at);
    if (this.queue.size > 0) this.serve(at);
  }

  /** What was just taken. */
  permit(weight: number): number | Weighed {
    const { bucket } = this;
    return weight === 1 && this.options().shared !== true
      ? bucket.receipt
      : new Weighed(weight, bucket.receipt, bucket);
  }

  /** Turns come at another time than was thought: those for whom that is too late need not wait. */
  planAnew(at: number, burst: number): void {
    let ahead = 0;
    for (const ticket of this.debtor === undefined ? [...this.queue] : []) {
      const { weight, timeout } = ticket;
      const waitMs = this.bucket.waitMs(ahead + weight, at);
      const waitsUntil = timeout?.expiresAt ?? Number.POSITIVE_INFINITY;
      if (weight > burst || at + waitMs > waitsUntil) this.refuse(ticket, 'limit', waitMs);
      else if (isLate(at + waitMs, ticket.deadline)) this.refuse(ticket, 'deadline', waitMs);
      else ahead += weight;
    }
    this.serve(at);
  }

  /** Who comes from now on waits by other options. */
  letWait(): void {
    this.queue.limitTo(this.timeoutMs);
  }

  /** Refuses what waits, and whatever would have to wait from now on. */
  close(): void {
    this.closed = true;
    this.queue.close(
      this.turn,
      (ticket) => this.refuse(ticket, 'shutdown', this.bucket.waitMs(ticket.weight, now())),
      () => this.serve(now()),
    );
  }

  /** Lets in those whose turn it is, and waits for that of the next. */
  serve(at: number): void {
    const { queue, bucket, alarm } = this;
    alarm.stop();
    for (let ticket = queue.first; ticket !== undefined; ticket = queue.first) {
      if (this.turn.isUsedUp()) {
        this.turn.next(() => this.serve(now()));
        break;
      }
      const { weight } = ticket;
      if (this.takeFor(weight, at)) {
        queue.remove(ticket);
        ticket.settle(this.permit(weight));
        continue;
      }
      const waitMs = bucket.waitMs(weight, at);
      if (isLate(at + waitMs, ticket.deadline)) {
        this.refuse(ticket, 'deadline', waitMs);
      } else {
        const delayMs = Math.min(Math.max(1, Math.ceil(waitMs)), MAX_TIMER_MS);
        alarm.set(delayMs, HOWEVER_LATE, at);
        break;
      }
    }
    this.changed();
  }

  /** For one that has waited. */
  private takeFor(weight: number, at: number): boolean {
    this.debtor?.owe(weight, at);
    if (this.debtor !== undefined) return true;
    return weight === 1 ? this.bucket.takeLate(at) : this.bucket.take(weight, at);
  }

  /** One whose turn comes in the last moment has it. */
  private get timeoutMs(): number {
    return Math.min(this.options().maxWaitMs + RESOLUTION_MS, MAX_TIMER_MS);
  }

  private displace(): void {
    const { youngestSheddable } = this.queue;
    if (youngestSheddable !== undefined) this.refuseNow(youngestSheddable, 'queue');
  }

  /** It has waited as long as it may. */
  private expire(ticket: TurnTicket): void {
    this.serve(now());
    if (ticket.waiting && this.debtor === undefined) this.refuseNow(ticket, 'limit');
    this.changed();
  }

  private refuseNow(ticket: TurnTicket, reason: RateLimitReason): void {
    const ahead = this.queue.weightAhead(ticket.critical);
    this.refuse(ticket, reason, this.bucket.waitMs(ahead, now()));
  }

  private refuse(ticket: TurnTicket, reason: RateLimitReason, waitMs: number): void {
    this.queue.remove(ticket);
    this.rejected++;
    ticket.settle(new Refused(reason, waitMs));
  }

  private changed(): void {
    this.telemetry?.changed(this.queue.size);
  }
}
