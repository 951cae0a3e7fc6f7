import type { BoundMetric, Metrics } from '../common/metrics.js';
import type { StageHost } from '../stage/stage-definition.js';
import { BULKHEAD_REJECTION_REASONS, type BulkheadRejectionReason } from './bulkhead.error.js';
import type { BulkheadObserver } from './bulkhead.host.js';

/** Reports what happens to one bulkhead. */
export class BulkheadTelemetry implements BulkheadObserver {
  private readonly running: BoundMetric;
  private readonly queued: BoundMetric;
  private readonly limit: BoundMetric;
  private lastQueued = 0;

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
    if (queued === this.lastQueued) return; // nobody waits, mostly
    this.lastQueued = queued;
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

/** What it records. */
export const BULKHEAD_METRICS: Metrics = {
  'bulkhead.running': {
    kind: 'gauge',
    help: 'Calls that hold a slot of the bulkhead.',
    labels: ['bulkhead'],
    announces: BULKHEAD_REJECTION_REASONS.map((reason) => ({
      counter: 'bulkhead.rejected',
      tags: { reason },
    })),
  },
  'bulkhead.queued': {
    kind: 'gauge',
    help: 'Calls that wait for a slot of the bulkhead.',
    labels: ['bulkhead'],
  },
  'bulkhead.limit': {
    kind: 'gauge',
    help: 'Calls that may hold a slot at a time, where the bulkhead finds that out itself (adaptive).',
    labels: ['bulkhead'],
  },
  'bulkhead.rejected': {
    kind: 'counter',
    help: 'Attempts that the bulkhead rejected, by reason: full, queue-timeout, deadline, displaced or shutdown.',
    labels: ['bulkhead', 'reason'],
  },
};
