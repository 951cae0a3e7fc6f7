import { Logger } from '@nestjs/common';
import { display } from '../common/configuration.error.js';
import type { MetricsRecorder } from '../common/metrics.js';
import { timestamp } from '../common/timestamp.js';
import { describeError } from '../errors/error-record.js';
import { Guard } from '../errors/guard.js';
import type { OptionChange, OverridesEvent } from '../overrides/overrides.telemetry.js';
import { readableCopy } from './readable-copy.js';

/** So many changes are in the text of one record, which has all of them beside it. */
const TOLD = 10;

/** Tells what overrides have changed: an event, and one record in the log. */
export class OverridesLog {
  private readonly logger = new Logger('ResilienceModule');
  private readonly guard = new Guard('The logger of ResilienceModule');

  constructor(
    private readonly reports: {
      readonly events: { emit(event: OverridesEvent): void };
      readonly metrics: Pick<MetricsRecorder, 'increment'>;
    },
  ) {}

  /** @param reason with the place and what is allowed there */
  refused(by: string, reason: string): void {
    const message = `Options from ${by} are refused, and those before stay in force: ${reason}`;
    const record = { event: 'reconfigure_refused', message, by, timestamp: timestamp() };
    this.guard.run(() => this.logger.error(record));
    this.reports.metrics.increment('reconfigure.refused');
    this.reports.events.emit({ type: 'reconfigure-refused', by, reason });
  }

  /** @param reason which options, and of whom they are not said */
  shared(reason: string): void {
    const message = `Options of an operation reach also one that came later: ${reason}`;
    const record = { event: 'overrides_shared', message, timestamp: timestamp() };
    this.guard.run(() => this.logger.warn(record));
  }

  /** @param failure by which `changes` has ended, where it did not complete */
  ended(failure?: { readonly error: unknown }): void {
    const how =
      failure === undefined ? 'completed' : `failed: ${describeError(failure.error).message}`;
    const message = `The Observable of changes has ${how}; what it said last stays in force`;
    const record = { event: 'changes_ended', message, timestamp: timestamp() };
    this.guard.run(() => this.logger.warn(record));
    this.reports.events.emit({ type: 'changes-ended', ...failure });
  }

  /** @param given nothing is told where there are none */
  reconfigured(given: readonly OptionChange[], by: string | undefined): void {
    if (given.length === 0) return;
    const changes = given.map(readable);
    const told = changes.slice(0, TOLD).map(inWords).join('; ');
    const more = changes.length > TOLD ? `; and ${changes.length - TOLD} more` : '';
    const who = by === undefined ? '' : ` by ${by}`;
    const message = `Reconfigured${who}: ${told}${more}`;
    const said = by === undefined ? { changes } : { by, changes };
    const record = { event: 'reconfigured', message, ...said, timestamp: timestamp() };
    this.guard.run(() => this.logger.warn(record));
    this.reports.metrics.increment('reconfigured.total');
    this.reports.events.emit({ type: 'reconfigured', ...said });
  }
}

/** Without secrets, as plain values. */
function readable({ place, from, to }: OptionChange): OptionChange {
  const option = place.slice(place.lastIndexOf('.') + 1);
  const copy = readableCopy({ from: { [option]: from }, to: { [option]: to } }) as Record<
    'from' | 'to',
    Record<string, unknown>
  >;
  return { place, from: copy.from[option], to: copy.to[option] };
}

function inWords({ place, from, to }: OptionChange): string {
  return `${place} ${show(from)} -> ${show(to)}`;
}

function show(value: unknown): string {
  return value === undefined ? 'none' : display(value);
}
