import { now } from './clock.js';
import { nodeSetImmediate } from './next-turn.js';

/** So long, in ms, what waits for others of its kind may keep the event loop to itself. */
export const TURN_MS = 5;

/** So few steps take no time worth measuring. */
const FEW = 64;

/**
 * Lets the event loop go on amid very many small steps that lead to one another: timers and I/O would
 * wait until the last of them, also where promises lie between them.
 */
export class Turn {
  private steps = 0;
  private beganAt = 0;

  /** Counts a step. @returns whether it, and what would follow it, had better wait for the next turn */
  isUsedUp(): boolean {
    this.steps++;
    if (this.steps > FEW) return now() - this.beganAt > TURN_MS;
    if (this.steps === FEW) {
      this.beganAt = now();
      this.next(() => undefined);
    }
    return false;
  }

  /** Runs `fn` when timers and I/O have had their turn. */
  next(fn: () => void): void {
    nodeSetImmediate(() => {
      this.steps = 0;
      fn();
    });
  }
}
