import type { AlertChannel, CriticalAlert } from '../criticality/alert-channel.js';
import { describeError } from './error-record.js';
import { Guard } from './guard.js';

/** Sends alerts to every channel, waiting for none. */
export class Alerts {
  private readonly guard = new Guard('An alert channel');

  constructor(private readonly channels: readonly AlertChannel[]) {}

  send(alert: CriticalAlert): void {
    const { type, message } = describeError(alert.error);
    const text = `Critical operation ${alert.operation} failed: ${type}: ${message}`;
    for (const channel of this.channels) this.guard.run(() => channel.sendCritical(text, alert));
  }
}
