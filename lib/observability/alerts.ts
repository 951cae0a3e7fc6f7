import type { AlertChannel, CriticalAlert } from '../criticality/alert-channel.js';
import { errorInWords } from '../errors/error-record.js';
import { Guard } from '../errors/guard.js';

/** Sends alerts to every channel, waiting for none. */
export class Alerts {
  private readonly guard = new Guard('An alert channel');
  /** The operations that alerted, by the breaker that they go through. */
  private readonly alerted = new Map<string, Set<string>>();

  constructor(private readonly channels: readonly AlertChannel[]) {}

  /** @param breaker of the operation, whose closing is its recovery */
  send(alert: CriticalAlert, breaker: string | undefined): void {
    if (breaker !== undefined) this.remember(breaker, alert.operation);
    const why = alert.chaos ? ' by chaos' : '';
    const text = `Critical operation ${alert.operation} failed${why}: ${errorInWords(alert)}`;
    for (const channel of this.channels) this.guard.run(() => channel.sendCritical(text, alert));
  }

  /** The breaker has closed. */
  recovered(breaker: string): void {
    const operations = [...(this.alerted.get(breaker) ?? [])];
    if (operations.length === 0) return;
    this.alerted.delete(breaker);
    const text = `Recovered: circuit breaker "${breaker}" is closed again (${operations.join(', ')})`;
    const recovery = { breaker, operations };
    for (const channel of this.channels)
      this.guard.run(() => channel.sendRecovered?.(text, recovery));
  }

  /** Resolves when every channel has sent what it had. */
  async flush(): Promise<void> {
    await Promise.allSettled(this.channels.map(async (channel) => channel.flush?.()));
  }

  private remember(breaker: string, operation: string): void {
    const operations = this.alerted.get(breaker) ?? new Set();
    this.alerted.set(breaker, operations.add(operation));
  }
}
