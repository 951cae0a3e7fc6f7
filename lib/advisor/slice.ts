import { LatencySketch } from '../common/latency-sketch.js';

/** So long is a slice, in ms. */
export const SLICE_MS = 600_000;
/** The load is measured by so long, in ms. */
export const STEP_MS = 10_000;
export const STEPS = SLICE_MS / STEP_MS;
const STEPS_PER_MS = 1 / STEP_MS;
export const SECONDS = SLICE_MS / 1_000;

/** Attempts are told apart up to this one; those after it count as it. */
const MAX_ATTEMPTS = 10;

/** What is kept of a step, side by side. */
const LOAD = 3;
/** What is kept of a second, side by side. */
const OUTCOMES = 3;
/** What a count of a second can hold. */
const MOST = 65_535;

/** How much there was to do in a step. */
export interface Load {
  /** Attempts that ran, and for how long together, in ms; without their waits. */
  readonly runs: number;
  readonly heldMs: number;
  /** Those for which the bulkhead had no room. */
  readonly rejected: number;
}

/** How attempts of a second went. */
export interface Outcomes {
  readonly good: number;
  readonly failed: number;
  /** By the circuit breaker, which was open: nobody knows how they would have gone. */
  readonly refused: number;
}

export type Outcome = keyof Outcomes;
const PLACES: Record<Outcome, number> = { good: 0, failed: 1, refused: 2 };

/** What the calls of an operation came to in ten minutes. */
export class Slice {
  readonly answered = new LatencySketch();
  /** For how long those were waited for that were cut: they would have taken longer. Made when there is one. */
  cut: LatencySketch | undefined = undefined;
  /** Calls that were answered by an error of theirs, as "not found" is. */
  answeredByError = 0;
  failedCalls = 0;
  totalTimeouts = 0;
  /** Calls that ran out of the time that their caller had left for them, and how much that was, in ms. */
  callerTimeouts = 0;
  callerLeftMs = 0;
  /** By the number of the attempt: how many there were, and how many of them were the call's answer. */
  readonly tries: number[] = new Array(MAX_ATTEMPTS + 1).fill(0);
  readonly saved: number[] = new Array(MAX_ATTEMPTS + 1).fill(0);
  /** What calls that a later attempt has answered waited before it began. */
  savedAfterMs = 0;
  suppressedByBudget = 0;
  fallbacksUsed = 0;
  fallbacksFailed = 0;
  /** When it began and ends, in ms on the monotonic clock. */
  readonly beganAt: number;
  readonly endsAt: number;
  private readonly steps = new Float32Array(LOAD * STEPS);
  /** Made when an attempt has not gone well. */
  private seconds: Uint16Array | undefined = undefined;

  constructor(readonly number: number) {
    this.beganAt = number * SLICE_MS;
    this.endsAt = this.beganAt + SLICE_MS;
  }

  /** An attempt has run for so long. */
  ran(at: number, heldMs: number): void {
    const { steps } = this;
    const place = LOAD * (((at - this.beganAt) * STEPS_PER_MS) | 0);
    steps[place] = (steps[place] as number) + 1;
    steps[place + 1] = (steps[place + 1] as number) + heldMs;
  }

  /** The bulkhead had no room for an attempt. */
  foundNoRoom(at: number): void {
    const { steps } = this;
    const place = LOAD * (((at - this.beganAt) * STEPS_PER_MS) | 0) + 2;
    steps[place] = (steps[place] as number) + 1;
  }

  /** An attempt was well: while all are, that is all there is to know. */
  good(at: number): void {
    if (this.seconds !== undefined) this.note(this.seconds, at, 'good');
  }

  /** The same of one that was not. */
  bad(at: number, how: Outcome): void {
    this.seconds ??= this.allGoodUntil(at);
    this.note(this.seconds, at, how);
  }

  try(attempt: number, isAnswer: boolean): void {
    const index = Math.min(attempt, MAX_ATTEMPTS);
    this.tries[index] = (this.tries[index] as number) + 1;
    if (isAnswer) this.saved[index] = (this.saved[index] as number) + 1;
  }

  /** @param step from 0 */
  load(step: number): Load {
    const { steps } = this;
    const place = LOAD * step;
    return {
      runs: steps[place] as number,
      heldMs: steps[place + 1] as number,
      rejected: steps[place + 2] as number,
    };
  }

  /** @param second from 0 */
  outcomes(second: number): Outcomes {
    const { seconds } = this;
    if (seconds === undefined) return { good: this.evenly(second), failed: 0, refused: 0 };
    const place = OUTCOMES * second;
    return {
      good: seconds[place] as number,
      failed: seconds[place + 1] as number,
      refused: seconds[place + 2] as number,
    };
  }

  get hasFailures(): boolean {
    return this.seconds !== undefined;
  }

  private note(seconds: Uint16Array, at: number, how: Outcome): void {
    const place = OUTCOMES * (((at - this.beganAt) / 1_000) | 0) + PLACES[how];
    seconds[place] = Math.min(MOST, (seconds[place] as number) + 1);
  }

  private allGoodUntil(at: number): Uint16Array {
    const seconds = new Uint16Array(OUTCOMES * SECONDS);
    const passed = Math.floor((at - this.beganAt) / 1_000);
    for (let second = 0; second < passed; second++)
      seconds[OUTCOMES * second] = Math.min(MOST, Math.round(this.evenly(second)));
    return seconds;
  }

  /** Of a second, as many as there were in its step on average. */
  private evenly(second: number): number {
    return (this.load(Math.floor((second * 1_000) / STEP_MS)).runs * 1_000) / STEP_MS;
  }
}
