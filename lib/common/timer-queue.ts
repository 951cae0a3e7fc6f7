import { Alarm } from './alarm.js';
import { clock, now } from './clock.js';
import { type Linked, LinkedList } from './linked-list.js';
import { TURN_MS } from './turn.js';

/** Something that expires after the queue's delay unless it is removed before. */
export interface Expiring<T> extends Linked<T> {
  expiresAt: number;
  expire(): void;
}

/**
 * Delays of one length, which expire in the order in which they began: so the first one is always
 * the next, adding and removing are O(1), and one timer serves all.
 *
 * Setting and clearing a Node timer costs more than all the rest of a call. So the timer is not
 * cleared when nothing is pending: it goes when it fires and finds nothing, unless new entries have come
 * and want it again. It keeps the process alive while something is pending, and nothing else does.
 */
export class TimerQueue<T extends Expiring<T>> {
  private readonly pending = new LinkedList<T>();
  private readonly alarm = new Alarm(() => this.expireDue(), true);
  private era = clock.era;

  constructor(readonly delayMs: number) {}

  add(entry: T, at = now()): void {
    if (this.era !== clock.era) this.followClock();
    entry.expiresAt = at + this.delayMs;
    this.pending.append(entry);
    if (this.pending.first !== entry) return;
    // Where there is an alarm, it is set for an entry that has gone, and so not too late for this one.
    if (this.alarm.isSet) {
      this.alarm.wake();
    } else {
      this.alarm.set(this.delayMs, this.delayMs, at);
      this.era = clock.era; // which may have begun by this
    }
  }

  remove(entry: T): void {
    this.pending.remove(entry);
    if (this.pending.first === undefined && this.alarm.isSet) this.alarm.rest();
  }

  /** From now on a pending entry does not keep the process alive. */
  letProcessEnd(): void {
    this.alarm.letProcessEnd();
  }

  /** What is pending has its whole delay from the beginning of the new clock. */
  private followClock(): void {
    this.era = clock.era;
    const expiresAt = clock.eraBeganAt + this.delayMs;
    for (let entry = this.pending.first; entry !== undefined; entry = entry.next)
      entry.expiresAt = expiresAt;
  }

  private expireDue(): void {
    const began = now();
    if (this.era !== clock.era) this.followClock();
    // It is so late at least, whatever the clock says: a test may fake timers only. (Where the alarm is
    // early by a fraction of a ms, the next one is not set from what has not come yet.)
    const { dueAt } = this.alarm;
    const at = Math.max(began, dueAt);
    const from = dueAt - began < 1 ? began : at;
    const { last } = this.pending; // what is added from now on is not due, however short the delay
    try {
      for (let entry = this.pending.first; entry !== undefined; entry = this.pending.first) {
        if (entry.expiresAt - at >= 1) break; // Node's timers are exact to a millisecond
        this.pending.remove(entry);
        entry.expire();
        if (entry === last || now() - began > TURN_MS) break;
      }
    } finally {
      const next = this.pending.first; // also where one of them threw: the others wait for the alarm
      if (next !== undefined && !this.alarm.isSet)
        this.alarm.set(Math.max(1, next.expiresAt - from), this.delayMs, from);
    }
  }
}
