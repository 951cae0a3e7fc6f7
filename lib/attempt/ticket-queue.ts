import { now } from '../common/clock.js';
import { LinkedList } from '../common/linked-list.js';
import { TimerQueue } from '../common/timer-queue.js';
import type { Turn } from '../common/turn.js';
import { QueueTimeout, type Ticket } from './ticket.js';

/** Those that matter alike. */
class Lane extends LinkedList<Ticket> {
  /** Of all of them. */
  weight = 0;
}

/**
 * Who waits for a stage: critical calls before the rest, and those that may be shed after it; first
 * in, first out among equals. Every operation is O(1).
 *
 * In an overload only the front of a queue is served in time. A critical call that waited behind
 * hundreds of others would have its place, and still be too late.
 */
export class TicketQueue<T extends Ticket> {
  size = 0;
  private readonly critical = new Lane();
  private readonly ordinary = new Lane();
  private readonly sheddable = new Lane();
  private timeouts: TimerQueue<QueueTimeout> | undefined = undefined;

  /**
   * @param timeoutMs how long a ticket may wait
   * @param expired told of one that has waited so long: it is still in the queue
   */
  constructor(
    timeoutMs: number | undefined,
    private readonly expired: (ticket: T) => void,
  ) {
    this.limitTo(timeoutMs);
  }

  /** Whoever comes from now on may wait so long; the others for as long as they were told. */
  limitTo(timeoutMs: number | undefined): void {
    if (timeoutMs === this.timeouts?.delayMs) return;
    this.timeouts = timeoutMs === undefined ? undefined : new TimerQueue(timeoutMs);
  }

  /** Whose turn it is. */
  get first(): T | undefined {
    return (this.critical.first ?? this.ordinary.first ?? this.sheddable.first) as T | undefined;
  }

  /** The one that makes room where a critical call finds none. */
  get youngestSheddable(): T | undefined {
    return this.sheddable.last as T | undefined;
  }

  /** What all together wait for whose turn is before that of a newcomer. */
  weightAhead(critical: boolean | undefined): number {
    if (critical === true) return this.critical.weight;
    const weight = this.critical.weight + this.ordinary.weight;
    return critical === undefined ? weight : weight + this.sheddable.weight;
  }

  /** In the order of their turns. */
  *[Symbol.iterator](): Generator<T> {
    for (const lane of [this.critical, this.ordinary, this.sheddable])
      for (let ticket = lane.first; ticket !== undefined; ticket = ticket.next) yield ticket as T;
  }

  add(ticket: T): void {
    ticket.waiting = true;
    this.size++;
    const lane = this.laneOf(ticket);
    lane.append(ticket);
    lane.weight += ticket.weight;
    ticket.scope.beginWait(now());
    if (this.timeouts === undefined) return;
    ticket.timeout = new QueueTimeout(this.timeouts, () => {
      ticket.timeout = undefined; // the timer has let go of it already
      this.expired(ticket);
    });
    this.timeouts.add(ticket.timeout);
  }

  /** @returns whether it was in the queue */
  remove(ticket: T): boolean {
    if (!ticket.waiting) return false;
    ticket.waiting = false;
    this.size--;
    const lane = this.laneOf(ticket);
    lane.remove(ticket);
    lane.weight = lane.first === undefined ? 0 : lane.weight - ticket.weight; // sums of fractions are not exact
    ticket.scope.endWait(now());
    const { timeout } = ticket;
    if (timeout !== undefined) timeout.queue.remove(timeout);
    ticket.timeout = undefined;
    return true;
  }

  /**
   * Has all of them refused, as many in one turn of the event loop as may be.
   *
   * @param refuse takes a ticket out of the queue
   * @param afterTurn what is to follow in each of these turns
   */
  close(turn: Turn, refuse: (ticket: T) => void, afterTurn: () => void): void {
    for (let { first } = this; first !== undefined; first = this.first) {
      if (turn.isUsedUp()) {
        turn.next(() => this.close(turn, refuse, afterTurn));
        break;
      }
      refuse(first);
    }
    afterTurn();
  }

  private laneOf({ critical }: T): Lane {
    if (critical === undefined) return this.ordinary;
    return critical ? this.critical : this.sheddable;
  }
}
