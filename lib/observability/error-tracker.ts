import type { Observable } from 'rxjs';
import { now } from '../common/clock.js';
import type { ErrorContext } from '../common/error-context.js';
import { timestamp as isoTime } from '../common/timestamp.js';
import type { FailedCall, FailureOutcome, Passage } from '../pipeline/stages.js';
import type { RetrySuppression } from '../retry/retry.policy.js';
import { CallRates, type OperationCalls } from './call-rates.js';
import { ErrorLog } from './error-log.js';
import type { ErrorDescription, ToldError } from './error-record.js';
import {
  checkErrorTrackerOptions,
  type ErrorTrackerOptions,
  resolveErrorTrackerOptions,
} from './error-tracker.options.js';
import { KeyedCounter } from './keyed-counter.js';
import { RecentList } from './recent-list.js';
import { Redaction } from './redaction.js';
import { Broadcast } from './resilience-events.js';

/** A failure, as it was tracked. */
export interface TrackedError {
  /** What was thrown, for subscribers of `errors$`; of recent errors only with `keepErrors`. */
  error?: unknown;
  /** The error's name; `NonError` for what is not an `Error`. */
  type: string;
  /** Cut at 2 kB, and without what looks like a secret. */
  message: string;
  /** What the error came from, by its `cause`. */
  cause?: ErrorDescription | undefined;
  context: ErrorContext;
  /** Whether a fallback or a degradation hid it from the caller. */
  handled: boolean;
  /** Of a call: how it ended for its caller. */
  outcome?: FailureOutcome | undefined;
  /** Of a call: so many attempts were made, or refused. */
  attempts?: number | undefined;
  /** Of a call, in ms: with all attempts, waits and the fallback. */
  durationMs?: number | undefined;
  /** Why the call was not tried again where that was worth it. */
  retrySuppressed?: RetrySuppression | undefined;
  /** ISO 8601. */
  timestamp: string;
}

/** What was counted since the start, or since `reset()`. */
export interface ErrorMetrics {
  /** Errors, each counted once however many operations it passed through. */
  total: number;
  /** Calls of resilient operations. */
  requests: number;
  byType: Map<string, number>;
  byOperation: Map<string, number>;
  byUpstream: Map<string, number>;
}

/** The operations that an error has failed since it was counted, and where it went on to. */
interface PassedBy {
  readonly operations: string[];
  around: object | undefined;
}

/**
 * Counts the final failures of resilient calls, keeps the latest, and logs them: of each kind the first,
 * and then how many there were (`logIntervalMs`).
 *
 * What a client did wrong is not a failure and is not here, nor are attempts that were retried.
 */
export class ErrorTracker {
  private readonly options;
  private readonly log: ErrorLog | undefined;
  private readonly source = new Broadcast<TrackedError>('A subscriber of ErrorTracker.errors$');
  private total = 0;
  private readonly byType: KeyedCounter;
  private readonly byOperation: KeyedCounter;
  private readonly byUpstream: KeyedCounter;
  private readonly rates: CallRates;
  private readonly recent: RecentList<TrackedError>;
  private passed = new WeakMap<object, PassedBy>();

  /** Keeps secrets out of contexts and messages. @internal */
  readonly redaction: Redaction;

  /** Every tracked error, as it happens. */
  readonly errors$: Observable<TrackedError> = this.source.values$;

  /** @throws ResilienceConfigurationError */
  constructor(options: ErrorTrackerOptions = {}) {
    this.options = resolveErrorTrackerOptions(checkErrorTrackerOptions('errorTracker', options));
    const { maxKeys, windowMs, recentErrors } = this.options;
    this.redaction = new Redaction(this.options);
    this.byType = new KeyedCounter(maxKeys);
    this.byOperation = new KeyedCounter(maxKeys);
    this.byUpstream = new KeyedCounter(maxKeys);
    this.rates = new CallRates(windowMs, maxKeys);
    this.recent = new RecentList(recentErrors);
    this.log = this.options.log ? new ErrorLog(this.options, this.redaction) : undefined;
  }

  /**
   * Counts a failure, and logs it.
   *
   * @param handled whether the caller got something else instead
   */
  track(error: unknown, context: ErrorContext, handled = false): void {
    this.count(error, this.redaction.context(context), handled);
  }

  /**
   * @returns whether it is a new one, and not one that passes through another operation
   * @internal
   */
  count(error: unknown, context: ErrorContext, handled: boolean, call?: FailedCall): boolean {
    this.byOperation.add(context.operation);
    if (this.passedBefore(error, context.operation, call)) return false;
    const told = this.redaction.describe(error);
    this.total++;
    this.byType.add(told.type);
    if (context.upstream !== undefined) this.byUpstream.add(context.upstream);
    const shown = shownOf(told, context, handled, call);
    const tracked = withError(shown, error);
    this.recent.add(this.options.keepErrors ? tracked : shown);
    this.log?.write(shown, error);
    this.source.send(tracked);
    return true;
  }

  /** Counts a call, for the error rate. */
  recordCall(operation: string, failed: boolean): void {
    this.callsOf(operation).count(failed, now());
  }

  /**
   * Counts the calls of one operation, which is looked up once.
   * @internal
   */
  callsOf(operation: string): OperationCalls {
    return this.rates.callsOf(operation);
  }

  getMetrics(): ErrorMetrics {
    return {
      total: this.total,
      requests: this.rates.total,
      byType: this.byType.counts(),
      byOperation: this.byOperation.counts(),
      byUpstream: this.byUpstream.counts(),
    };
  }

  /**
   * Failed calls / calls, of one operation or of all, in the last `windowMs`.
   *
   * @returns 0 to 1; 0 without calls
   */
  getErrorRate(operation?: string): number {
    return this.rates.rate(operation, now());
  }

  /** The latest errors, newest first. */
  getRecentErrors(limit: number = this.options.recentErrors): TrackedError[] {
    return this.recent.newest(limit);
  }

  /**
   * What may be told of an error: its type, its message and its cause, without what looks like a secret,
   * and as `redactMessage` leaves it. It never throws.
   */
  describe(error: unknown): ToldError {
    return this.redaction.describe(error);
  }

  /**
   * Writes what the log has counted and not told yet, and from now on each record by itself.
   * @internal
   */
  closeLog(): void {
    this.log?.close();
  }

  /** Forgets everything that was counted. */
  reset(): void {
    this.total = 0;
    for (const counter of [this.byType, this.byOperation, this.byUpstream]) counter.clear();
    this.rates.clear();
    this.recent.clear();
    this.passed = new WeakMap();
  }

  /**
   * One error may fail several operations on its way out, and is one error. But one that comes to an
   * operation again is a new failure, thrown with an old object, unless the operation called itself.
   */
  private passedBefore(error: unknown, operation: string, passage: Passage | undefined): boolean {
    if (typeof error !== 'object' || error === null) return false;
    const before = this.passed.get(error);
    const around = passage?.around;
    const fromInside = before?.around !== undefined && before.around === passage?.inside;
    if (before === undefined || (before.operations.includes(operation) && !fromInside)) {
      this.passed.set(error, { operations: [operation], around });
      return false;
    }
    if (!before.operations.includes(operation)) before.operations.push(operation);
    before.around = around;
    return true;
  }
}

/** In one go, like `withError`: failures come by the thousand, and objects that grow are slow. */
function shownOf(
  { type, message, cause }: ToldError,
  context: ErrorContext,
  handled: boolean,
  call: Partial<FailedCall> = {},
): TrackedError {
  const { outcome, attempts, durationMs, retrySuppressed } = call;
  const timestamp = isoTime();
  return {
    type,
    message,
    cause,
    context,
    handled,
    outcome,
    attempts,
    durationMs,
    retrySuppressed,
    timestamp,
  };
}

function withError(shown: TrackedError, error: unknown): TrackedError {
  const { type, message, cause, context, handled, timestamp } = shown;
  const { outcome, attempts, durationMs, retrySuppressed } = shown;
  return {
    error,
    type,
    message,
    cause,
    context,
    handled,
    outcome,
    attempts,
    durationMs,
    retrySuppressed,
    timestamp,
  };
}
