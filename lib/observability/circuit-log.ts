import { Logger } from '@nestjs/common';
import {
  CircuitState,
  type CircuitTransitionDetails,
  type CircuitTransitionReason,
} from '../circuit-breaker/circuit-state.js';
import { timestamp as isoTime } from '../common/timestamp.js';
import { isChaos } from '../context/chaos-marks.js';
import { errorFields, errorInWords, type ToldError } from '../errors/error-record.js';
import { Guard } from '../errors/guard.js';
import type { ResolvedErrorTrackerOptions } from './error-tracker.options.js';
import { Redaction } from './redaction.js';
import { moreTimes, Repeats } from './repeats.js';

/** A breaker that has changed its state. */
export interface CircuitTransition extends CircuitTransitionDetails {
  readonly breaker: string;
  readonly from: CircuitState;
  readonly to: CircuitState;
  readonly reason: CircuitTransitionReason;
}

/** What is written of it: what has happened, or in shadow mode would have. */
type Told = CircuitTransition & { readonly isShadow?: true };

type Level = 'warn' | 'log' | 'debug';
type CircuitRecord = Record<string, unknown> & { readonly to: CircuitState };

const LEVELS: Record<CircuitState, Level> = {
  [CircuitState.OPEN]: 'warn',
  [CircuitState.FORCED_OPEN]: 'warn',
  [CircuitState.HALF_OPEN]: 'debug',
  [CircuitState.CLOSED]: 'log',
  [CircuitState.DISABLED]: 'log',
};

const VERBS: Record<CircuitTransitionReason, string> = {
  'failure-threshold': 'opened',
  'failure-rate': 'opened',
  'slow-call-rate': 'opened for slow calls',
  'probe-failed': 'stays open, as a probe failed',
  'open-time-passed': 'is half-open and lets probes through',
  'probes-succeeded': 'closed, as probes succeeded',
  'fleet-opened': 'was opened by its fleet',
  'fleet-closed': 'was closed by its fleet, as probes succeeded',
  'mode-changed': 'was taken out of shadow mode, in which it would not have been closed',
  recalled: 'goes on as before the restart',
  'forced-open': 'was forced open, until reset()',
  disabled: 'was disabled: it lets everything through, until reset()',
  reset: 'was reset and is closed',
  'fleet-forced': 'was forced open by the fleet, until reset()',
  'fleet-disabled': 'was disabled by the fleet: it lets everything through, until reset()',
  'fleet-reset': 'was reset by the fleet and is closed',
};

/** What only somebody can end is told as such. */
const RECALLED: Partial<Record<CircuitState, string>> = {
  [CircuitState.FORCED_OPEN]: 'forced open, until reset()',
  [CircuitState.DISABLED]: 'disabled, it lets everything through, until reset()',
};

const SHADOW_VERB = 'would have opened';

function verbOf({ reason, to, isShadow }: Told): string {
  if (isShadow) return SHADOW_VERB;
  if (reason === 'recalled' && to in RECALLED) return `${VERBS.recalled}: ${RECALLED[to]}`;
  const isPutAside = reason === 'mode-changed' && to === CircuitState.CLOSED;
  return isPutAside ? 'was put into shadow mode, and lets everybody in' : VERBS[reason];
}

/**
 * The transitions of circuit breakers in the log, one record each: openings at `warn`, closings at
 * `log`, half-open at `debug`. Of a breaker that flaps, each kind of transition is written once, and then
 * one record an interval says how often it has changed since (`repeated`), and how it stands.
 */
export class CircuitLog {
  private readonly logger = new Logger('CircuitBreaker');
  private readonly guard = new Guard('The logger of circuit breakers');
  private readonly redaction: Redaction;
  private readonly repeats: Repeats<CircuitRecord>;

  constructor(private readonly options: ResolvedErrorTrackerOptions) {
    const { logIntervalMs, maxKeys } = options;
    this.redaction = new Redaction(options);
    this.repeats = new Repeats(logIntervalMs, maxKeys, (latest, counts) =>
      this.sumUp(latest, counts),
    );
  }

  write(transition: CircuitTransition): void {
    if (!this.options.log) return;
    const record = this.recordOf(transition);
    if (this.repeats.isFirst(transition.breaker, verbOf(transition), record))
      this.record(LEVELS[transition.to], record);
  }

  /** What one in shadow would do. */
  writeShadow(opening: Omit<CircuitTransition, 'from' | 'to'>): void {
    if (!this.options.log) return;
    const [from, to] = [CircuitState.CLOSED, CircuitState.OPEN];
    const record = this.recordOf({ ...opening, from, to, isShadow: true });
    if (this.repeats.isFirst(opening.breaker, SHADOW_VERB, record)) this.record('log', record);
  }

  /** Writes what has been counted; from now on each transition has its record. */
  close(): void {
    this.repeats.close();
  }

  private sumUp(latest: CircuitRecord, counts: ReadonlyMap<string, number>): void {
    let repeated = 0;
    const what: string[] = [];
    for (const [verb, count] of counts) {
      repeated += count;
      what.push(`${count} × ${verb}`);
    }
    const { breaker, to, event, message: last } = latest;
    const isReal = event === 'circuit_state';
    const changed = isReal ? 'changed its state' : 'in shadow mode would have changed its state';
    const stands = isReal ? ` and is ${to} now` : '';
    const message = `Circuit breaker "${breaker}" ${changed} ${moreTimes(repeated)} (${what.join('; ')})${stands}. The latest: ${last}`;
    this.record('warn', { ...latest, message, repeated });
  }

  private recordOf(transition: Told): CircuitRecord {
    const { breaker, from, to, reason, calls, failures, failureRate, retryAfterMs, error, by } =
      transition;
    const told = error === undefined ? undefined : this.redaction.describe(error);
    return {
      event: transition.isShadow ? 'circuit_would_open' : 'circuit_state',
      message: inWords(transition, told),
      breaker,
      from,
      to,
      reason,
      calls,
      failures,
      failure_rate: Math.round(failureRate * 10) / 10,
      ...(told && errorFields(told)),
      ...(retryAfterMs !== undefined && { retry_after_ms: retryAfterMs }),
      ...(by !== undefined && { by }),
      ...(isChaos(error) && { chaos: true }),
      timestamp: isoTime(),
    };
  }

  private record(level: Level, record: CircuitRecord): void {
    this.guard.run(() => this.logger[level](record));
  }
}

/** One line for whoever is on call. */
function inWords(transition: Told, told: ToldError | undefined): string {
  const { breaker, calls, failures, failureRate, retryAfterMs, error, by } = transition;
  let text = `Circuit breaker "${breaker}" ${verbOf(transition)}${isChaos(error) ? ' by chaos' : ''}`;
  if (by !== undefined) text += `; ordered by ${by}`;
  if (calls > 0) text += `; ${failures} of ${calls} calls failed (${Math.round(failureRate)} %)`;
  if (told !== undefined) text += `; last error: ${errorInWords(told)}`;
  if (retryAfterMs !== undefined) text += `; next probe in ${inSeconds(retryAfterMs)}`;
  return text;
}

function inSeconds(ms: number): string {
  return ms < 1_000 ? `${Math.ceil(ms)} ms` : `${Math.round(ms / 100) / 10} s`;
}
