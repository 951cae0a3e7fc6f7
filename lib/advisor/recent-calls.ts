import { clock, now } from '../common/clock.js';
import { LatencySketch } from '../common/latency-sketch.js';
import { isEvidence } from '../context/ambient.js';
import type { TimeoutError } from '../context/timeout.error.js';
import { isClientError } from '../errors/client-error.js';
import { errorChain } from '../errors/error-chain.js';
import { isImpatience, isRejection, isResilienceError } from '../errors/resilience.error.js';
import type { EndedAttempt } from '../pipeline/stages.js';
import { SLICE_MS, Slice } from './slice.js';

/** An hour is as long as the advisor looks back. */
const SLICES = 6;

/** In which no call was: an operation that nobody observes costs no slice of its own. */
const BEFORE = new Slice(Number.NEGATIVE_INFINITY);

/** What the calls of one operation came to in the last 50 to 60 minutes, in slices of ten. */
export class RecentCalls {
  private slices: Slice[] = [];
  private current = BEFORE;
  private era = clock.era;

  constructor(readonly operation: string) {}

  /** An attempt has answered, and with it the call. */
  answered(durationMs: number, at: number, attempt: EndedAttempt | undefined): void {
    const slice = this.sliceAt(at);
    if (attempt === undefined) {
      slice.answeredByError++;
      return;
    }
    const attemptMs = at - attempt.startedAt;
    slice.ran(at, attemptMs - attempt.waitedMs);
    slice.good(at);
    slice.answered.record(attemptMs);
    if (attempt.attempt === 1) return;
    slice.try(attempt.attempt, true);
    slice.savedAfterMs += durationMs - attemptMs;
  }

  /** @param isCut not by its own timeout, but because its call is over, or another attempt was faster */
  attemptFailed(error: unknown, attempt: EndedAttempt, isCut: boolean): void {
    if (isImpatience(error)) return; // which says something of a client
    const at = now();
    const slice = this.sliceAt(at);
    if (!attempt.ran) {
      const rejection = errorChain(error).find(isRejection);
      if (isResilienceError(rejection, 'CIRCUIT_OPEN')) slice.bad(at, 'refused');
      if (isResilienceError(rejection, 'BULKHEAD_FULL')) slice.foundNoRoom(at);
      return;
    }
    const durationMs = at - attempt.startedAt;
    slice.ran(at, durationMs - attempt.waitedMs);
    if (isCut || this.isOwnTimeout(error)) {
      slice.cut ??= new LatencySketch();
      slice.cut.record(durationMs);
    }
    if (attempt.attempt > 1) slice.try(attempt.attempt, false);
    if (isCut && !isEvidence(error)) return;
    if (isClientError(error)) slice.good(at);
    else if (!errorChain(error).some(isRejection)) slice.bad(at, 'failed');
  }

  /** A call has failed for good. */
  failed(error: unknown, durationMs: number, at: number, isAnsweredByFallback: boolean): void {
    const slice = this.sliceAt(at);
    slice.failedCalls++;
    if (isAnsweredByFallback) slice.fallbacksUsed++;
    const timeout = timeoutIn(error);
    if (timeout?.operation === this.operation) {
      if (timeout.total) slice.totalTimeouts++;
    } else if (timeout !== undefined) {
      slice.callerTimeouts++;
      slice.callerLeftMs += durationMs;
    }
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
