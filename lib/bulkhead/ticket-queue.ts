import { now } from '../common/clock.js';
import { LinkedList } from '../common/linked-list.js';
import { TimerQueue } from '../common/timer-queue.js';
import { QueueTimeout, type Ticket } from './ticket.js';

/**
 * Who waits for a slot: critical calls before the rest, and those that may be shed after it; first
 * in, first out among equals. Every operation is O(1).
 *
 * In an overload only the front of a queue is served in time. A critical call that waited behind
 * hundreds of others would have its place, and still be too late.
 */
export class TicketQueue {
  size = 0;
  private readonly critical = new LinkedList<Ticket>();
  private readonly ordinary = new LinkedList<Ticket>();
  private readonly sheddable = new LinkedList<Ticket>();
  private readonly timeouts: TimerQueue<QueueTimeout> | undefined;

  /**
   * @param timeoutMs how long a ticket may wait
   * @param expired told of one that has waited so long, and is not in the queue any more
   */
  constructor(
    timeoutMs: number | undefined,
    private readonly expired: (ticket: Ticket) => void,
  ) {
    this.timeouts = timeoutMs === undefined ? undefined : new TimerQueue(timeoutMs);
  }

  /** Whose turn it is. */
  get first(): Ticket | undefined {
    return this.critical.first ?? this.ordinary.first ?? this.sheddable.first;
  }

  /** The one that makes room where a critical call finds none. */
  get youngestSheddable(): Ticket | undefined {
    return this.sheddable.last;
  }

  add(ticket: Ticket): void {
    ticket.waiting = true;
    this.size++;
    this.laneOf(ticket).append(ticket);
    ticket.scope.beginWait(now());
    if (this.timeouts === undefined) return;
    ticket.timeout = new QueueTimeout(() => {
      ticket.timeout = undefined; // the timer has let go of it already
      this.remove(ticket);
      this.expired(ticket);
    });
    this.timeouts.add(ticket.timeout);
  }

  /** @returns whether it was in the queue */
  remove(ticket: Ticket): boolean {
    if (!ticket.waiting) return false;
    ticket.waiting = false;
    this.size--;
    this.laneOf(ticket).remove(ticket);
    ticket.scope.endWait(now());
    if (ticket.timeout !== undefined) this.timeouts?.remove(ticket.timeout);
    ticket.timeout = undefined;
    return true;
  }

  private laneOf({ critical }: Ticket): LinkedList<Ticket> {
    if (critical === undefined) return this.ordinary;
    return critical ? this.critical : this.sheddable;
  }
}
