import { TimeWindow, type WindowCounts } from '../common/time-window.js';
import type { Scope } from '../context/scope.js';
import type { ResolvedCircuitBreakerOptions } from './circuit-breaker.options.js';
import { countsFrom, MAX_CALLS, type RememberedOutcomes } from './circuit-memory.js';
import type { CircuitTransitionReason } from './circuit-state.js';
import { CallWindow, FailureTimes } from './sliding-window.js';

/** How a call failed. */
export interface Failure {
  readonly error: unknown;
}

/** How the latest calls ended, and whether that is bad enough to open the breaker. */
export class Outcomes {
  private window: CallWindow | TimeWindow;
  private failureTimes: FailureTimes | undefined = undefined;
  /** The latest in the window, to say what opened the breaker. */
  private lastFailure: (Failure & { slow: boolean }) | undefined = undefined;

  constructor(private options: Readonly<ResolvedCircuitBreakerOptions>) {
    this.window = emptyWindow(options);
  }

  /** From now on it goes by other options. It keeps what means the same to both of them. */
  change(options: Readonly<ResolvedCircuitBreakerOptions>, at: number): void {
    const { windowCalls, windowMs } = this.options;
    const times = this.timesOfFailures(at);
    this.options = options;
    if (windowMs !== options.windowMs || windowCalls !== options.windowCalls)
      this.window = windowFrom(this.window, options, at);
    if (this.window.failures === 0) this.lastFailure = undefined;
    this.failureTimes = undefined;
    for (const time of times) this.isTooMany(0, time);
  }

  /** Within a window of time: those that are known exactly, else as it counts them. */
  private timesOfFailures(at: number): number[] {
    const { window, failureTimes } = this;
    const { windowMs } = this.options;
    if (!(window instanceof TimeWindow) || windowMs === undefined) return [];
    const times =
      failureTimes?.list() ??
      window.list(at).flatMap((counts) => new Array<number>(counts.failures).fill(counts.at));
    return times.filter((time) => at - time < windowMs);
  }

  /** Of the latest calls; nothing where there are none. */
  remember(at: number): RememberedOutcomes | undefined {
    const { window } = this;
    if (window.counts(at).calls === 0) return undefined;
    if (window instanceof CallWindow) return window.list().slice(-MAX_CALLS);
    return window
      .list(at)
      .map(({ at: began, calls, failures, slow }) => [
        Math.round(at - began),
        calls,
        failures,
        slow,
      ]);
  }

  /** What was remembered of such a window; of another one it says nothing. */
  recall(outcomes: RememberedOutcomes, at: number): void {
    const { window } = this;
    const { windowMs } = this.options;
    if (window instanceof CallWindow) {
      if (typeof outcomes === 'string') window.add(outcomes);
    } else if (typeof outcomes !== 'string' && windowMs !== undefined) {
      for (const counts of countsFrom(outcomes, at, windowMs)) window.add(counts);
      for (const time of this.timesOfFailures(at)) this.isTooMany(0, time);
    }
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

function filled(digits: string, window: CallWindow): CallWindow {
  window.add(digits);
  return window;
}

function emptyWindow({
  windowCalls,
  windowMs,
}: Readonly<ResolvedCircuitBreakerOptions>): CallWindow | TimeWindow {
  return windowMs === undefined ? new CallWindow(windowCalls as number) : new TimeWindow(windowMs);
}

/** The latest calls say nothing of a time, nor those of a time which of them were the latest. */
function windowFrom(
  before: CallWindow | TimeWindow,
  options: Readonly<ResolvedCircuitBreakerOptions>,
  at: number,
): CallWindow | TimeWindow {
  if (before instanceof CallWindow && options.windowCalls !== undefined)
    return filled(before.list(), new CallWindow(options.windowCalls));
  const window = emptyWindow(options);
  if (before instanceof TimeWindow && window instanceof TimeWindow) {
    for (const counts of before.list(at)) window.add(counts);
    window.counts(at);
  }
  return window;
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
