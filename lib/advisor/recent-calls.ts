import { isClientError } from '../common/client-error.js';
import { clock, now } from '../common/clock.js';
import { LatencySketch } from '../common/latency-sketch.js';
import { isImpatience, isRejection, isResilienceError } from '../common/resilience.error.js';
import { isEvidence } from '../context/ambient.js';
import { errorChain } from '../context/error-chain.js';
import type { EndedAttempt } from '../pipeline/stages.js';
import type { TimeoutError } from '../timeout/timeout.error.js';
import { SLICE_MS, Slice } from './slice.js';

/** An hour is as long as the advisor looks back. */
const SLICES = 6;

/** What the calls of one operation came to in the last 50 to 60 minutes, in slices of ten. */
export class RecentCalls {
  private slices: Slice[] = [];
  private current = new Slice(Number.NEGATIVE_INFINITY);
  private era = clock.era;

  constructor(readonly operation: string) {}

  /** An attempt has answered, and with it the call. */
  answered(durationMs: number, at: number, attempt: EndedAttempt | undefined): void {
    const slice = this.sliceAt(at);
    slice.calls++;
    if (attempt === undefined) return; // by an error that is an answer
    const attemptMs = at - attempt.startedAt;
    slice.arrival(at);
    slice.outcome(at, false);
    slice.answered.record(attemptMs);
    slice.runs++;
    slice.runMs += attemptMs;
    slice.waitedMs += attempt.waitedMs;
    if (attempt.attempt === 1) return;
    slice.try(attempt.attempt, true);
    slice.savedAfterMs += durationMs - attemptMs;
  }

  /** @param isCut not by its own timeout, but because its call is over, or another attempt was faster */
  attemptFailed(error: unknown, attempt: EndedAttempt, isCut: boolean): void {
    if (isImpatience(error)) return; // which says something of a client
    const at = now();
    const slice = this.sliceAt(at);
    const rejection = errorChain(error).find(isRejection);
    if (!attempt.ran && rejection !== undefined) {
      if (!isResilienceError(rejection, 'BULKHEAD_FULL')) return;
      slice.rejectedByBulkhead++;
      slice.arrival(at);
      return;
    }
    const durationMs = at - attempt.startedAt;
    const isTimedOut = !isCut && this.isOwnTimeout(error);
    slice.arrival(at);
    if (attempt.ran) {
      slice.runs++;
      slice.runMs += durationMs;
      slice.waitedMs += attempt.waitedMs;
    }
    if (isCut || isTimedOut) {
      slice.cut ??= new LatencySketch();
      slice.cut.record(durationMs);
    }
    if (isTimedOut) slice.timedOut++;
    if (attempt.attempt > 1) slice.try(attempt.attempt, false);
    if (rejection === undefined && (!isCut || isEvidence(error)))
      slice.outcome(at, !isClientError(error));
  }

  /** A call has failed for good. */
  failed(error: unknown, at: number, isAnsweredByFallback: boolean): void {
    const slice = this.sliceAt(at);
    slice.calls++;
    slice.failedCalls++;
    if (isAnsweredByFallback) slice.fallbacksUsed++;
    const timeout = timeoutIn(error);
    if (timeout === undefined) return;
    if (timeout.operation !== this.operation) slice.callerTimeouts++;
    else if (timeout.total) slice.totalTimeouts++;
  }

  fallbackFailed(at: number): void {
    this.sliceAt(at).fallbacksFailed++;
  }

  suppressedByBudget(at: number): void {
    this.sliceAt(at).suppressedByBudget++;
  }

  /** The slices of the last hour, the oldest first. */
  read(at: number): readonly Slice[] {
    const first = Math.floor(at / SLICE_MS) - SLICES + 1;
    this.sliceAt(at);
    this.slices = this.slices.filter(({ number }) => number >= first);
    return this.slices;
  }

  private isOwnTimeout(error: unknown): boolean {
    const timeout = timeoutIn(error);
    return timeout !== undefined && !timeout.total && timeout.operation === this.operation;
  }

  private sliceAt(at: number): Slice {
    const { current } = this;
    return at >= current.beganAt && at < current.endsAt ? current : this.advance(at);
  }

  /** Of another clock, nothing that was seen before has a time. */
  private advance(at: number): Slice {
    if (this.era !== clock.era) this.slices = [];
    this.era = clock.era;
    const number = Math.floor(at / SLICE_MS);
    this.slices = this.slices.filter((slice) => slice.number > number - SLICES);
    this.current = new Slice(number);
    this.slices.push(this.current);
    return this.current;
  }
}

function timeoutIn(error: unknown): TimeoutError | undefined {
  return isResilienceError(error, 'TIMEOUT') ? (error as TimeoutError) : undefined;
}
