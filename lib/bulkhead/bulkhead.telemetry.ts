import type { BoundMetric, Metrics } from '../common/metrics.js';
import { tellWouldReject } from '../stage/shadow.telemetry.js';
import type { StageHost } from '../stage/stage-host.js';
import { BULKHEAD_REJECTION_REASONS, type BulkheadRejectionReason } from './bulkhead.error.js';

/** Reports what happens to one bulkhead. */
export class BulkheadTelemetry {
  /** Of a bulkhead that finds its limit out. */
  private limit: BoundMetric | undefined = undefined;
  private runningNow = 0;
  private queuedNow = 0;
  private readonly running: { changed(): void };
  private readonly queued: { changed(): void };

  constructor(
    private readonly bulkhead: string,
    private readonly host: StageHost,
  ) {
    const tags = Object.freeze({ bulkhead });
    this.running = host.metrics.watch('bulkhead.running', tags, () => this.runningNow);
    this.queued = host.metrics.watch('bulkhead.queued', tags, () => this.queuedNow);
  }

  /** One that is there no more holds nothing. */
  static left(bulkhead: string, { metrics }: StageHost): void {
    metrics.gauge('bulkhead.running', 0, { bulkhead });
    metrics.gauge('bulkhead.queued', 0, { bulkhead });
  }

  changed(running: number, queued: number): void {
    if (running !== this.runningNow) {
      this.runningNow = running;
      this.running.changed();
    }
    if (queued !== this.queuedNow) {
      this.queuedNow = queued;
      this.queued.changed();
    }
  }

  rejected(reason: BulkheadRejectionReason): void {
    const { bulkhead, host } = this;
    host.metrics.increment('bulkhead.rejected', { bulkhead, reason });
    host.report({ type: 'bulkhead-rejected', bulkhead, reason });
  }

  /** It would have rejected one, but is in shadow mode. */
  wouldReject(reason: BulkheadRejectionReason): void {
    tellWouldReject(this.host, 'bulkhead', this.bulkhead, reason);
  }

  /** @param isFound it finds out itself how many may run, or has slots leased: of others nobody needs to be told */
  limited(limit: number, isFound: boolean): void {
    if (!isFound && this.limit === undefined) return;
    const { bulkhead, host } = this;
    this.limit ??= host.metrics.bind('gauge', 'bulkhead.limit', { bulkhead });
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
    help: 'Calls that may hold a slot at a time, where the bulkhead finds that out itself (adaptive), or has them leased (shared).',
    labels: ['bulkhead'],
  },
  'bulkhead.rejected': {
    kind: 'counter',
    help: 'Attempts that the bulkhead rejected, by reason: full, queue-timeout, deadline, displaced or shutdown.',
    labels: ['bulkhead', 'reason'],
  },
};
