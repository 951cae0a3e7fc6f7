import { AsyncLocalStorage } from 'node:async_hooks';
import { EventHeap, type HeapEvent } from './event-heap.js';

/** What `Date.now()` says when the virtual clock is at 0. */
const EPOCH = Date.UTC(2026, 0, 1);

/** Turns of the real event loop that are asked for at once; each runs one event. */
const TURNS = 64;

/** The longest delay that Node's timers take; a longer one fires at once. */
const MAX_TIMER_MS = 2_147_483_647;

/** What Node hands out for a timer; that it keeps no process alive makes no difference here. */
export class VirtualTimer {
  event: HeapEvent | undefined = undefined;

  ref = () => this;
  unref = () => this;
  hasRef = () => true;
}

/**
 * Time that passes only when it is told to, from one event to the next. While it is installed, all
 * code in the process lives in it: `performance.now`, `Date`, and the timers (but not
 * `setImmediate`, by which the clock itself lets promises run).
 *
 * Each event has a turn of the event loop of its own, as a timer of Node has: all promise jobs that
 * it leads to, however long their chains, have run before the next event. So the order of things is
 * Node's, and is the same every time.
 */
export class VirtualClock {
  nowMs = 0;
  private readonly events = new EventHeap();
  private uninstall: (() => void) | undefined = undefined;

  /** An event of the world: it runs in no call's async context. */
  schedule(atMs: number, run: () => void): HeapEvent {
    return this.events.push(Math.max(atMs, this.nowMs), run);
  }

  /** Lets time pass, and all happen that is due up to then. */
  run(untilMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      let over = false;
      const turn = (last: boolean) => {
        if (over) return;
        const event = this.events.pop(untilMs);
        if (event === undefined) {
          over = true;
          this.nowMs = untilMs;
          resolve();
          return;
        }
        this.nowMs = event.atMs;
        try {
          event.run();
        } catch (error) {
          over = true;
          reject(error);
        }
        if (last) turns();
      };
      // Node drains the promise jobs between any two immediates, so one pass of its loop can run many.
      const turns = () => {
        for (let left = TURNS - 1; left >= 0; left--) setImmediate(turn, left === 0);
      };
      turns();
    });
  }

  /** Puts the process on this clock, until `restore()`. */
  install(): void {
    const { performance, Date: RealDate } = globalThis;
    const { setTimeout, clearTimeout, setInterval, clearInterval } = globalThis;
    const realNow = performance.now;
    const clock = this;
    class VirtualDate extends RealDate {
      constructor(...args: unknown[]) {
        super(...((args.length === 0 ? [VirtualDate.now()] : args) as [number]));
      }
      static override now(): number {
        return EPOCH + Math.floor(clock.nowMs);
      }
    }
    const clear = (real: (timer: never) => void) => (timer: unknown) => {
      if (!(timer instanceof VirtualTimer))
        real(timer as never); // one from before
      else if (timer.event !== undefined) timer.event.cancelled = true;
    };
    Object.assign(globalThis, {
      Date: VirtualDate,
      setTimeout: (fn: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) =>
        this.timer(() => fn(...args), ms, false),
      setInterval: (fn: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) =>
        this.timer(() => fn(...args), ms, true),
      clearTimeout: clear(clearTimeout),
      clearInterval: clear(clearInterval),
    });
    performance.now = () => this.nowMs;
    this.uninstall = () => {
      const timers = { setTimeout, clearTimeout, setInterval, clearInterval };
      Object.assign(globalThis, { Date: RealDate, ...timers });
      performance.now = realNow;
    };
  }

  restore(): void {
    this.uninstall?.();
    this.uninstall = undefined;
  }

  /** Like Node's: at least 1 ms, whole milliseconds, in the async context that set it. */
  private timer(fire: () => void, ms: number | undefined, repeats: boolean): VirtualTimer {
    const delayMs = ms !== undefined && ms >= 1 && ms <= MAX_TIMER_MS ? Math.trunc(ms) : 1;
    const inContext = AsyncLocalStorage.snapshot();
    const timer = new VirtualTimer();
    const set = () => {
      timer.event = this.schedule(this.nowMs + delayMs, () => {
        if (repeats) set();
        inContext(fire);
      });
    };
    set();
    return timer;
  }
}
