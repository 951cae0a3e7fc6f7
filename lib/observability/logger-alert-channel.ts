import { Logger } from '@nestjs/common';
import type { AlertChannel, CriticalAlert, Recovery } from '../criticality/alert-channel.js';
import { errorFields } from '../errors/error-record.js';

/** Writes alerts to Nest's log, as one structured record each. */
export class LoggerAlertChannel implements AlertChannel {
  private readonly logger = new Logger('ResilienceAlert');

  /** Writes the alert to the log. */
  sendCritical(message: string, alert: CriticalAlert): void {
    const { context, chaos, suppressed } = alert;
    const fields = { ...errorFields(alert), ...context, ...(chaos && { chaos }), suppressed };
    this.logger.error({ event: 'critical_failure', message, ...fields });
  }

  sendRecovered(message: string, { breaker, operations }: Recovery): void {
    this.logger.log({ event: 'recovered', message, breaker, operations });
  }
}
