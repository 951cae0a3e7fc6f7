import { LatencySketch } from '../common/latency-sketch.js';

/** So long is a slice, in ms. */
export const SLICE_MS = 600_000;
/** Arrivals are counted by so long, in ms. */
export const STEP_MS = 10_000;
const SECONDS = SLICE_MS / 1_000;
/** Attempts are told apart up to this one; those after it count as it. */
const MAX_ATTEMPTS = 10;
/** What a count of a second can hold. */
const MOST = 65_535;

/** What the calls of an operation came to in ten minutes. */
export class Slice {
  readonly answered = new LatencySketch();
  /** For how long those were waited for that were cut: they would have taken longer. Made when there is one. */
  cut: LatencySketch | undefined = undefined;
  /** Attempts that reached the bulkhead, or what is called, in each step. */
  readonly arrivals = new Uint32Array(SLICE_MS / STEP_MS);
  /** By the second, the good and the failed; made when there is a failed one. */
  private seconds: Uint16Array | undefined = undefined;
  /** Of the attempts that ran: what they took, and for how long of that they had waited to begin. */
  runs = 0;
  runMs = 0;
  waitedMs = 0;
  /** Of `cut`, those that their own timeout has cut. */
  timedOut = 0;
  rejectedByBulkhead = 0;
  /** Calls that have ended. */
  calls = 0;
  failedCalls = 0;
  totalTimeouts = 0;
  /** Calls that ran out of the time that their caller had left for them. */
  callerTimeouts = 0;
  /** By the number of the attempt: how many there were, and how many of them were the call's answer. */
  readonly tries: number[] = new Array(MAX_ATTEMPTS + 1).fill(0);
  readonly saved: number[] = new Array(MAX_ATTEMPTS + 1).fill(0);
  /** What calls waited for an answer that a later attempt gave, before that began. */
  savedAfterMs = 0;
  suppressedByBudget = 0;
  fallbacksUsed = 0;
  fallbacksFailed = 0;
  /** When it began and ends, in ms on the monotonic clock. */
  readonly beganAt: number;
  readonly endsAt: number;

  constructor(readonly number: number) {
    this.beganAt = number * SLICE_MS;
    this.endsAt = this.beganAt + SLICE_MS;
  }

  /** An attempt was let through, and has ended. */
  arrival(at: number): void {
    const step = ((at - this.beganAt) / STEP_MS) | 0;
    this.arrivals[step] = (this.arrivals[step] as number) + 1;
  }

  try(attempt: number, isAnswer: boolean): void {
    const index = Math.min(attempt, MAX_ATTEMPTS);
    this.tries[index] = (this.tries[index] as number) + 1;
    if (isAnswer) this.saved[index] = (this.saved[index] as number) + 1;
  }

  /** The same of how it went, where that says something of what is called. */
  outcome(at: number, failed: boolean): void {
    if (this.seconds === undefined) {
      if (!failed) return;
      this.seconds = this.evenly(at);
    }
    const place = 2 * (((at - this.beganAt) / 1_000) | 0) + (failed ? 1 : 0);
    this.seconds[place] = Math.min(MOST, (this.seconds[place] as number) + 1);
  }

  /** The good and the failed of a second. */
  second(number: number): readonly [good: number, failed: number] {
    const { seconds } = this;
    if (seconds === undefined) {
      const inStep = this.arrivals[Math.floor((number * 1_000) / STEP_MS)] as number;
      return [(inStep * 1_000) / STEP_MS, 0];
    }
    return [seconds[2 * number] as number, seconds[2 * number + 1] as number];
  }

  /** Until the first failure all were good, of which only the steps are known. */
  private evenly(at: number): Uint16Array {
    const seconds = new Uint16Array(2 * SECONDS);
    const passed = Math.floor((at - this.beganAt) / 1_000);
    for (let second = 0; second < passed; second++)
      seconds[2 * second] = Math.min(MOST, Math.round(this.second(second)[0]));
    return seconds;
  }
}
