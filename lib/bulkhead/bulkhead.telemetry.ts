import type { BoundMetric } from '../common/metrics.js';
import type { StageHost } from '../stage/stage-definition.js';
import type { BulkheadRejectionReason } from './bulkhead.error.js';
import type { BulkheadObserver } from './bulkhead.host.js';

/** Reports what happens to one bulkhead. */
export class BulkheadTelemetry implements BulkheadObserver {
  private readonly running: BoundMetric;
  private readonly queued: BoundMetric;
  private readonly limit: BoundMetric;

  constructor(
    bulkhead: string,
    private readonly host: StageHost,
  ) {
    const tags = Object.freeze({ bulkhead });
    this.running = host.metrics.bind('gauge', 'bulkhead.running', tags);
    this.queued = host.metrics.bind('gauge', 'bulkhead.queued', tags);
    this.limit = host.metrics.bind('gauge', 'bulkhead.limit', tags);
    this.running(0);
    this.queued(0);
  }

  static left(bulkhead: string, { metrics }: StageHost): void {
    metrics.gauge('bulkhead.running', 0, { bulkhead });
    metrics.gauge('bulkhead.queued', 0, { bulkhead });
  }

  onChange(_bulkhead: unknown, running: number, queued: number): void {
    this.running(running);
    this.queued(queued);
  }

  onRejected({ name }: { readonly name: string }, reason: BulkheadRejectionReason): void {
    this.host.metrics.increment('bulkhead.rejected', { bulkhead: name, reason });
    this.host.report({ type: 'bulkhead-rejected', bulkhead: name, reason });
  }

  onLimit(_bulkhead: unknown, limit: number): void {
    this.limit(limit);
  }
}
