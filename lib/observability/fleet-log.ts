import { Logger } from '@nestjs/common';
import { timestamp } from '../common/timestamp.js';
import { Guard } from '../errors/guard.js';
import type { FleetEvent } from '../fleet/fleet.telemetry.js';

/** When the fleet is reached and when it is not, one record each. */
export class FleetLog {
  private readonly logger = new Logger('Fleet');
  private readonly guard = new Guard('The logger of the fleet');

  constructor(private readonly options: { readonly log: boolean }) {}

  write({ up, instances, reason }: FleetEvent): void {
    if (!this.options.log) return;
    const why = reason === undefined ? '' : `: ${reason}`;
    const message = up
      ? `The fleet is reached: ${instances} ${instances === 1 ? 'instance' : 'instances'}`
      : `The fleet is not reached, and this instance goes on by itself${why}`;
    const record = { event: 'fleet', message, up, instances, reason, timestamp: timestamp() };
    this.guard.run(() => this.logger[up ? 'log' : 'warn'](record));
  }
}
