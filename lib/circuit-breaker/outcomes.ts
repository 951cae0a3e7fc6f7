import { type SlidingWindow, TimeWindow, type WindowCounts } from '../common/time-window.js';
import type { Scope } from '../context/scope.js';
import type { ResolvedCircuitBreakerOptions } from './circuit-breaker.options.js';
import type { CircuitTransitionReason } from './circuit-state.js';
import { CallWindow, FailureTimes } from './sliding-window.js';

/** How a call failed. */
export interface Failure {
  readonly error: unknown;
}

/** How the latest calls ended, and whether that is bad enough to open the breaker. */
export class Outcomes {
  private readonly window: SlidingWindow;
  private failureTimes: FailureTimes | undefined = undefined;
  /** The latest in the window, to say what opened the breaker. */
  private lastFailure: (Failure & { slow: boolean }) | undefined = undefined;

  constructor(private readonly options: Readonly<ResolvedCircuitBreakerOptions>) {
    const { windowCalls, windowMs } = options;
    this.window =
      windowMs === undefined ? new CallWindow(windowCalls as number) : new TimeWindow(windowMs);
  }

  counts(at: number): WindowCounts {
    return this.window.counts(at);
  }

  record(at: number, slow: boolean, failure: Failure | undefined): void {
    this.window.record(at, failure !== undefined, slow);
    if (failure !== undefined) this.lastFailure = { error: failure.error, slow };
    else if (this.window.failures === 0) this.lastFailure = undefined; // it has left the window
  }

  /** Why the breaker has to open after the outcome that was just recorded, if it has to. */
  reasonToOpen(at: number, failed: boolean): CircuitTransitionReason | undefined {
    const { failureRateThreshold, slowCallRateThreshold, minimumCalls } = this.options;
    const { calls, failures, slow } = this.window;
    if (failed && this.isTooMany(failures, at)) return 'failure-threshold';
    if (calls < minimumCalls) return undefined;
    if (failureRateThreshold !== undefined && failures * 100 >= failureRateThreshold * calls)
      return 'failure-rate';
    if (slowCallRateThreshold !== undefined && slow * 100 >= slowCallRateThreshold * calls)
      return 'slow-call-rate';
    return undefined;
  }

  /** Slow calls open it without an error, unless they failed as well. */
  errorBehind(reason: CircuitTransitionReason): unknown {
    const { lastFailure } = this;
    this.lastFailure = undefined;
    return reason !== 'slow-call-rate' || lastFailure?.slow ? lastFailure?.error : undefined;
  }

  /** Of a window of time, the buckets are too coarse for that: the failures' own times are asked. */
  private isTooMany(failures: number, at: number): boolean {
    const { failureThreshold, windowMs } = this.options;
    if (failureThreshold === undefined) return false;
    if (windowMs === undefined) return failures >= failureThreshold;
    this.failureTimes ??= new FailureTimes(failureThreshold, windowMs);
    return this.failureTimes.add(at);
  }
}

/**
 * Calls around this one through the same breaker have its outcome as well.
 *
 * @returns whether there are any
 */
export function tellCallsAround(
  scope: Scope,
  breaker: object,
  failure: Failure | undefined,
): boolean {
  let call = scope.callThrough(breaker);
  const isNested = call !== undefined;
  for (; call !== undefined; call = call.callThrough(breaker)) call.noteOutcome(failure);
  return isNested;
}
