import { areTimersFaked, type ClockFollower, clock, now, timersInForce } from './clock.js';
import { nodeSetImmediate } from './next-turn.js';

/** In one a connection is found to be made, and in the next what has come over it. */
const INPUT_TURNS = 2;

/** What `setTimeout` returns: a number where it is not Node's (jsdom, Electron). */
type Handle = Partial<NodeJS.Timeout> | number;

/** Those that are set, and keep the process alive only where nothing else does. */
const lastResorts = new Set<Alarm>();
let isListening = false;

/** Node tells when nothing keeps the process alive any more. */
function keepProcessForNeeded(): void {
  for (const alarm of lastResorts) alarm.keepProcess();
}

/**
 * A timer that rings once, on the clock in force: where a test changes that, the rest of the wait goes
 * on by the new one.
 *
 * Where it is late by more than its own length, the event loop was blocked: by us, and not by those
 * whom we wait for. Then the input that is ready gets its turn before it rings. (Timers come before
 * input in a turn of Node's event loop, immediates after.)
 */
export class Alarm implements ClockFollower {
  private handle: Handle | undefined = undefined;
  /** Of the timers that it was set with: those of another clock would not know it. */
  private clearTimeout: (timer: unknown) => void = () => undefined;
  private delayMs = 0;
  private lengthMs = 0;
  /** When it rings, or rang last, on the monotonic clock. */
  dueAt = 0;
  private isResting = false;
  private keepsProcess = true;
  /** Whether Node counts it among what keeps the process alive. */
  private isCounted = true;

  /**
   * @param isLastResort whether it keeps the process alive only where nothing else does: of one that is
   * needed and not needed all the time, telling Node each time costs a tenth of a call
   */
  constructor(
    private readonly ring: () => void,
    private readonly isLastResort = false,
  ) {}

  get isSet(): boolean {
    return this.handle !== undefined;
  }

  /** @param lengthMs by how much it may be late; where it is set for the rest of a wait, the whole */
  set(delayMs: number, lengthMs = delayMs, at = now()): void {
    this.delayMs = delayMs;
    this.lengthMs = lengthMs;
    this.dueAt = at + delayMs;
    this.stop();
    this.start(delayMs);
  }

  stop(): void {
    if (this.handle === undefined) return;
    this.clearTimeout.call(globalThis, this.handle);
    this.handle = undefined;
    clock.followers.delete(this);
    lastResorts.delete(this);
  }

  /** Nobody needs it now: it holds no process, and is stopped where it cannot be told so. */
  rest(): void {
    const { handle } = this;
    // Stopping costs nothing where timers are faked, and a test may well count its timers.
    if (areTimersFaked() || typeof handle !== 'object' || handle.unref === undefined) this.stop();
    else if (this.isCounted) this.count(false);
    this.isResting = true;
  }

  /** Somebody needs it again. */
  wake(): void {
    this.isResting = false;
    if (!this.isLastResort && this.keepsProcess) this.count(true);
  }

  /** From now on it holds no process, though somebody needs it. */
  letProcessEnd(): void {
    this.keepsProcess = false;
    this.count(false);
  }

  /** Nothing else does. */
  keepProcess(): void {
    if (this.keepsProcess && !this.isResting) this.count(true);
  }

  private count(isCounted: boolean): void {
    this.isCounted = isCounted;
    if (typeof this.handle !== 'object') return;
    if (isCounted) this.handle.ref?.();
    else this.handle.unref?.();
  }

  followClock(isNewEra: boolean): void {
    if (this.isResting) {
      this.stop();
      return;
    }
    if (isNewEra) this.dueAt = clock.eraBeganAt + this.delayMs;
    const leftMs = this.dueAt - now();
    this.stop();
    this.start(Math.max(1, leftMs));
  }

  private start(delayMs: number): void {
    now(); // looks which clock is in force
    this.isResting = false;
    const timers = timersInForce();
    this.clearTimeout = timers.clearTimeout;
    this.handle = timers.setTimeout(this.onTimer, delayMs) as Handle;
    this.isCounted = true;
    if (!this.keepsProcess) this.count(false);
    else if (this.isLastResort && !areTimersFaked()) this.beLastResort();
    clock.followers.add(this);
  }

  private beLastResort(): void {
    this.count(false);
    lastResorts.add(this);
    if (isListening) return;
    isListening = true;
    process.on('beforeExit', keepProcessForNeeded);
  }

  private readonly onTimer = (): void => {
    if (areTimersFaked() || now() - this.dueAt <= this.lengthMs) this.onDue();
    else this.afterTurns(INPUT_TURNS, this.handle);
  };

  private afterTurns(left: number, handle: Handle | undefined): void {
    if (handle !== this.handle) return; // it was stopped
    if (left === 0) this.onDue();
    else nodeSetImmediate(() => this.afterTurns(left - 1, handle));
  }

  private onDue(): void {
    this.handle = undefined;
    clock.followers.delete(this);
    lastResorts.delete(this);
    this.ring();
  }
}
