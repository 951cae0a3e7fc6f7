import { areTimersFaked, now } from './clock.js';
import { type Linked, LinkedList } from './linked-list.js';
import { TURN_MS } from './turn.js';

/** Something that expires after the queue's delay unless it is removed before. */
export interface Expiring<T> extends Linked<T> {
  expiresAt: number;
  expire(): void;
}

/**
 * Delays of one length, which expire in the order in which they began: so the first one is always
 * the next, adding and removing are O(1), and one Node timer serves all.
 *
 * Setting and clearing a Node timer costs more than all the rest of a call. So the timer is not
 * cleared when nothing is pending: it lets the process end (`unref`), and goes when it fires and
 * finds nothing, unless new entries have come and want it again.
 */
export class TimerQueue<T extends Expiring<T>> {
  private readonly pending = new LinkedList<T>();
  private timer: NodeJS.Timeout | undefined = undefined;
  /** The entry that the timer was set for, while it is pending. */
  private armedFor: T | undefined = undefined;
  private keepsProcess = true;

  constructor(readonly delayMs: number) {}

  add(entry: T, at = now()): void {
    entry.expiresAt = at + this.delayMs;
    this.pending.append(entry);
    if (this.pending.first !== entry) return;
    // Where there is a timer, it is set for an entry that has gone, and so not too late for this one.
    if (this.timer === undefined) this.arm(entry, this.delayMs);
    else if (this.keepsProcess) this.timer.ref();
  }

  remove(entry: T): void {
    this.pending.remove(entry);
    if (entry === this.armedFor) this.armedFor = undefined;
    if (this.pending.first === undefined && this.timer !== undefined) this.rest(this.timer);
  }

  /** From now on a pending entry does not keep the process alive. */
  letProcessEnd(): void {
    this.keepsProcess = false;
    this.timer?.unref();
  }

  private arm(entry: T, delayMs: number): void {
    this.armedFor = entry;
    this.timer = setTimeout(this.fire, delayMs);
    if (!this.keepsProcess) this.timer.unref();
  }

  private rest(timer: NodeJS.Timeout): void {
    if (areTimersFaked()) {
      clearTimeout(timer); // costs nothing then, and a test may well count its timers
      this.timer = undefined;
    } else {
      timer.unref();
    }
  }

  private readonly fire = (): void => {
    const at = now();
    const due = this.armedFor;
    const { last } = this.pending; // what is added from now on is not due, however short the delay
    this.timer = undefined;
    this.armedFor = undefined;
    // The one that the timer was set for has expired, whatever the clock says (a test may fake
    // timers only); Node's timers are exact to a millisecond, so the others may be that early.
    for (let entry = this.pending.first; entry !== undefined; entry = this.pending.first) {
      if (entry !== due && entry.expiresAt - at >= 1) break;
      this.pending.remove(entry);
      entry.expire();
      if (entry === last || now() - at > TURN_MS) break;
    }
    const next = this.pending.first;
    if (next !== undefined && this.timer === undefined)
      this.arm(next, Math.max(1, next.expiresAt - at));
  };
}
