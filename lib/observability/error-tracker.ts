import type { Observable } from 'rxjs';
import { now } from '../common/clock.js';
import { isChaos } from '../context/chaos-marks.js';
import type { ErrorContext } from '../errors/error-context.js';
import type { ErrorDescription, ToldError } from '../errors/error-record.js';
import type { FailedCall } from '../pipeline/stages.js';
import { CallRates, type OperationCalls } from './call-rates.js';
import { ErrorLog } from './error-log.js';
import {
  checkErrorTrackerOptions,
  type ErrorTrackerOptions,
  resolveErrorTrackerOptions,
} from './error-tracker.options.js';
import { KeyedCounter } from './keyed-counter.js';
import { PassingErrors } from './passing-errors.js';
import { RecentList } from './recent-list.js';
import { Redaction } from './redaction.js';
import { Broadcast } from './resilience-events.js';
import { shownOf, type TrackedError, withError } from './tracked-error.js';

/** What was counted since the start, or since `reset()`. */
export interface ErrorMetrics {
  /** How many errors there were, each counted once however many operations it passed through. */
  total: number;
  /** How many calls of resilient operations there were. */
  requests: number;
  /** How many there were of each class of errors. */
  byType: Map<string, number>;
  /** How many there were of each operation. */
  byOperation: Map<string, number>;
  /** How many there were of each dependency. */
  byUpstream: Map<string, number>;
}

/**
 * Counts the final failures of resilient calls, keeps the latest, and logs them: of each kind the first,
 * and then how many there were (`logIntervalMs`).
 *
 * What a client did wrong is not a failure and is not here, nor are attempts that were retried.
 *
 * @example
 * tracker.getMetrics().byOperation.get('PaymentsClient.charge'); // how often it failed for good
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
  private readonly passing = new PassingErrors();

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
    if (this.passing.passes(error, context.operation, call)) return false;
    const told = this.redaction.describe(error);
    this.total++;
    this.byType.add(told.type);
    if (context.upstream !== undefined) this.byUpstream.add(context.upstream);
    const chaos = isChaos(error) || undefined;
    const shown = shownOf(told, context, handled, chaos, call, this.fallbackErrorOf(call));
    const tracked = withError(shown, error);
    this.recent.add(this.options.keepErrors ? tracked : shown);
    this.log?.write(shown, error);
    this.source.send(tracked);
    return true;
  }

  /** Without its cause, which is the call's own error. */
  private fallbackErrorOf(call: FailedCall | undefined): ErrorDescription | undefined {
    if (call?.fallbackError === undefined) return undefined;
    const { type, message } = this.redaction.describe(call.fallbackError);
    return { type, message };
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

  /** How many errors there were, by class, operation and dependency. */
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
    this.passing.clear();
  }
}
