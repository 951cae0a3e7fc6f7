import { Logger } from '@nestjs/common';
import { errorFields, errorInWords, stackOf } from '../errors/error-record.js';
import { Guard } from '../errors/guard.js';
import type { FailureOutcome } from '../pipeline/stages.js';
import type { ResolvedErrorTrackerOptions } from './error-tracker.options.js';
import type { Redaction } from './redaction.js';
import { moreTimes, Repeats } from './repeats.js';
import type { TrackedError } from './tracked-error.js';

type Options = Pick<ResolvedErrorTrackerOptions, 'includeStack' | 'logIntervalMs' | 'maxKeys'>;

/**
 * The records of errors in the log: at `error` what the caller of the operation saw, at `warn` what a
 * fallback or a degradation hid. Of each kind (operation, type, outcome, type of the fallback's own error)
 * the first is written, and then once an interval the latest, with how many there were (`repeated`): an
 * outage is a handful of records.
 */
export class ErrorLog {
  private readonly logger = new Logger('ErrorTracker');
  private readonly guard = new Guard('The logger of the ErrorTracker');
  private readonly repeats: Repeats<TrackedError>;

  constructor(
    private readonly options: Options,
    private readonly redaction: Redaction,
  ) {
    const { logIntervalMs, maxKeys } = options;
    this.repeats = new Repeats(logIntervalMs, maxKeys, (latest, counts) => {
      let repeated = 0;
      for (const count of counts.values()) repeated += count;
      this.record({ ...recordOf(latest, repeated), repeated }, latest.handled);
    });
  }

  /** @param error for its stack; it is not kept */
  write(tracked: TrackedError, error: unknown): void {
    const { type, handled, outcome, context, chaos, fallbackError } = tracked;
    const kind = `${context.operation}\0${type}\0${outcome ?? handled}\0${chaos}\0${fallbackError?.type}`;
    if (!this.repeats.isFirst(kind, '', tracked)) return;
    const record = recordOf(tracked);
    const stack = this.options.includeStack ? stackOf(error) : undefined;
    if (stack !== undefined) record.error_stack = this.redaction.text(stack);
    this.record(record, handled);
  }

  /** Writes what has been counted; from now on each error has its record. */
  close(): void {
    this.repeats.close();
  }

  private record(record: Record<string, unknown>, handled: boolean): void {
    this.guard.run(() => (handled ? this.logger.warn(record) : this.logger.error(record)));
  }
}

/** Without what is not known. */
function recordOf(tracked: TrackedError, repeated?: number): Record<string, unknown> {
  const { context, handled, outcome, attempts, durationMs, retrySuppressed } = tracked;
  const { chaos, timestamp, fallbackError } = tracked;
  const { service, operation, userId, requestId, upstream, metadata } = context;
  const record: Record<string, unknown> = {
    event: 'error_occurred',
    message: inWords(tracked, repeated),
    ...errorFields(tracked),
    service,
    operation,
    handled,
  };
  const known = {
    outcome,
    attempts,
    duration_ms: durationMs === undefined ? undefined : Math.round(durationMs * 10) / 10,
    retry_suppressed: retrySuppressed,
    fallback_error_type: fallbackError?.type,
    fallback_error_message: fallbackError?.message,
    userId,
    requestId,
    upstream,
    metadata,
    chaos,
  };
  for (const [key, value] of Object.entries(known)) if (value !== undefined) record[key] = value;
  record.timestamp = timestamp;
  return record;
}

const ANSWERS: Partial<Record<FailureOutcome, string>> = {
  fallback: ' and was answered by its fallback',
  degraded: ' and was answered by null',
};

/** One line for whoever is on call. */
function inWords(tracked: TrackedError, repeated: number | undefined): string {
  const { context, handled, outcome = 'failure', chaos, timestamp, fallbackError } = tracked;
  const times =
    repeated === undefined ? '' : ` ${moreTimes(repeated)} (the latest at ${timestamp})`;
  const answer = ANSWERS[outcome] ?? (handled ? ' and was handled' : '');
  const why = chaos ? ' by chaos' : '';
  const too =
    fallbackError === undefined ? '' : `; its fallback failed too: ${errorInWords(fallbackError)}`;
  return `${context.operation} failed${why}${times}${answer}: ${errorInWords(tracked)}${too}`;
}
