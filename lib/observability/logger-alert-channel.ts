import { Logger } from '@nestjs/common';
import type { AlertChannel, CriticalAlert, Recovery } from '../criticality/alert-channel.js';
import { describeError } from './error-record.js';

/** Writes alerts to Nest's log, as one structured record each. */
export class LoggerAlertChannel implements AlertChannel {
  private readonly logger = new Logger('ResilienceAlert');

  sendCritical(message: string, { error, context, suppressed }: CriticalAlert): void {
    const described = describeError(error);
    this.logger.error({
      event: 'critical_failure',
      message,
      error_type: described.type,
      error_message: described.message,
      ...context,
      suppressed,
    });
  }

  sendRecovered(message: string, { breaker, operations }: Recovery): void {
    this.logger.log({ event: 'recovered', message, breaker, operations });
  }
}
