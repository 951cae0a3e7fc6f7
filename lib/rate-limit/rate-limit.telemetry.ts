import type { Metrics } from '../common/metrics.js';
import { tellWouldReject } from '../stage/shadow.telemetry.js';
import type { StageHost } from '../stage/stage-host.js';
import { RATE_LIMIT_REASONS, type RateLimitReason } from './rate-limit.error.js';

/** Reports what happens to one rate limit. */
export class RateLimitTelemetry {
  private queuedNow = 0;
  private readonly tags: { readonly rate_limit: string };
  private readonly queued: { changed(): void };

  constructor(
    private readonly rateLimit: string,
    private readonly host: StageHost,
  ) {
    this.tags = Object.freeze({ rate_limit: rateLimit });
    this.queued = host.metrics.watch('rate_limit.queued', this.tags, () => this.queuedNow);
  }

  /** One that is there no more lets nobody wait. */
  static left(rateLimit: string, { metrics }: StageHost): void {
    metrics.gauge('rate_limit.queued', 0, { rate_limit: rateLimit });
    metrics.gauge('rate_limit.limit', 0, { rate_limit: rateLimit });
  }

  changed(queued: number): void {
    if (queued === this.queuedNow) return;
    this.queuedNow = queued;
    this.queued.changed();
  }

  limited(limit: number): void {
    this.host.metrics.gauge('rate_limit.limit', limit, this.tags);
  }

  rejected(reason: RateLimitReason, retryAfterMs: number): void {
    const { rateLimit, host, tags } = this;
    host.metrics.increment('rate_limit.rejected', { ...tags, reason });
    host.report({ type: 'rate-limited', rateLimit, reason, retryAfterMs });
  }

  /** It would have refused one, but is in shadow mode. */
  wouldReject(reason: RateLimitReason): void {
    tellWouldReject(this.host, 'rateLimit', this.rateLimit, reason);
  }

  /** @param isShadow nobody is stopped in truth */
  paused(pauseMs: number, isShadow: boolean): void {
    const { rateLimit, host, tags } = this;
    if (isShadow) {
      host.report({ type: 'rate-limit-paused', rateLimit, pauseMs, mode: 'shadow' });
      return;
    }
    host.metrics.increment('rate_limit.paused', tags);
    host.report({ type: 'rate-limit-paused', rateLimit, pauseMs });
  }
}

/** What it records. */
export const RATE_LIMIT_METRICS: Metrics = {
  'rate_limit.limit': {
    kind: 'gauge',
    help: 'Calls that the rate limit lets begin in an interval, in this process.',
    labels: ['rate_limit'],
    announces: [
      ...RATE_LIMIT_REASONS.map((reason) => ({
        counter: 'rate_limit.rejected',
        tags: { reason },
      })),
      { counter: 'rate_limit.paused' },
    ],
  },
  'rate_limit.queued': {
    kind: 'gauge',
    help: 'Calls that wait for their turn at the rate limit.',
    labels: ['rate_limit'],
  },
  'rate_limit.rejected': {
    kind: 'counter',
    help: 'Attempts that the rate limit refused, by reason: limit, queue, deadline or shutdown.',
    labels: ['rate_limit', 'reason'],
  },
  'rate_limit.paused': {
    kind: 'counter',
    help: 'How often an answer made the rate limit stop all callers for a while (adaptToResponses).',
    labels: ['rate_limit'],
  },
};
