import { now } from './clock.js';
import { type Linked, LinkedList } from './linked-list.js';

/** Something that expires after the queue's delay unless it is removed before. */
export interface Expiring<T> extends Linked<T> {
  expiresAt: number;
  expire(): void;
}

/**
 * Delays of one length, which expire in the order in which they began: so the first one is always
 * the next, adding and removing are O(1), and one Node timer serves all. It is gone when nothing is
 * pending.
 */
export class TimerQueue<T extends Expiring<T>> {
  private readonly pending = new LinkedList<T>();
  private timer: NodeJS.Timeout | undefined = undefined;
  private armedFor: T | undefined = undefined;

  constructor(readonly delayMs: number) {}

  add(entry: T, at = now()): void {
    entry.expiresAt = at + this.delayMs;
    this.pending.append(entry);
    // Not from within `expire()` with others before it: they come first.
    if (this.pending.first === entry) this.arm(entry, this.delayMs);
  }

  remove(entry: T): void {
    this.pending.remove(entry);
    if (this.pending.first === undefined) {
      clearTimeout(this.timer);
      this.timer = undefined;
      this.armedFor = undefined;
    }
  }

  private arm(entry: T, delayMs: number): void {
    this.armedFor = entry;
    this.timer = setTimeout(this.fire, delayMs);
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
      if (entry === last) break;
    }
    const next = this.pending.first;
    if (next !== undefined && this.timer === undefined)
      this.arm(next, Math.max(1, next.expiresAt - at));
  };
}
