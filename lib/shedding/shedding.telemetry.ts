import type { Metrics } from '../common/metrics.js';
import { tellWouldReject } from '../stage/shadow.telemetry.js';
import type { StageHost } from '../stage/stage-host.js';
import {
  REQUEST_CRITICALITIES,
  type RequestCriticality,
  SHEDDING_REASONS,
  type SheddingReason,
} from './overloaded.error.js';

/** What was refused. */
export interface SheddenRequest {
  readonly criticality: RequestCriticality;
  /** Of HTTP. */
  readonly method?: string | undefined;
  /** The route's, as it was declared: `/orders/:id`; of a message or a call of gRPC, its handler: `Orders.find`. */
  readonly path?: string | undefined;
}

/** The server refused a request. */
export interface ShedEvent {
  /** Tells the event apart from others. */
  type: 'shed';
  /** Why the request was shed. */
  reason: SheddingReason;
  /** How much the request matters. */
  criticality: RequestCriticality;
  /** The method of HTTP: `GET`; missing on other transports. */
  method?: string;
  /** The route as it was declared: `/orders/:id`; of a message or a call of gRPC, its handler: `Orders.find`. */
  path?: string;
}

/** Writes that shedding has begun, and that it has ended. */
export interface SheddingRecord {
  refused(request: SheddenRequest, reason: SheddingReason, isShadow: boolean): void;
}

interface Changeable {
  changed(): void;
}

/** What the gauges show. */
export interface SheddingGauges {
  readonly inFlight: number;
  readonly limit: number | undefined;
  readonly eventLoopDelayMs: number;
}

/** Reports what is refused. */
export class SheddingTelemetry {
  private inFlight: Changeable | undefined = undefined;
  private limit: Changeable | undefined = undefined;
  private delay: Changeable | undefined = undefined;

  constructor(
    private readonly host: Pick<StageHost, 'metrics' | 'report'>,
    private readonly log: SheddingRecord,
  ) {}

  /** From now on the gauges are there. */
  watch(now: SheddingGauges): void {
    if (this.inFlight !== undefined) return;
    const { metrics } = this.host;
    this.inFlight = metrics.watch('shedding.in_flight', {}, () => now.inFlight);
    this.limit = metrics.watch('shedding.limit', {}, () => now.limit ?? 0);
    this.delay = metrics.watch('shedding.event_loop_delay', {}, () => now.eventLoopDelayMs);
  }

  inFlightChanged(): void {
    this.inFlight?.changed();
  }

  limitChanged(): void {
    this.limit?.changed();
  }

  delayChanged(): void {
    this.delay?.changed();
  }

  refused(request: SheddenRequest, reason: SheddingReason, isShadow: boolean): void {
    const { host, log } = this;
    const { criticality, method, path } = request;
    log.refused(request, reason, isShadow);
    if (isShadow) {
      tellWouldReject(host, 'shedding', 'server', reason);
      return;
    }
    host.metrics.increment('shedding.rejected', { reason, criticality });
    host.report({
      type: 'shed',
      reason,
      criticality,
      ...(method !== undefined && { method }),
      ...(path !== undefined && { path }),
    });
  }
}

/** What it records. */
export const SHEDDING_METRICS: Metrics = {
  'shedding.rejected': {
    kind: 'counter',
    help: 'Requests that the overloaded server refused, by why (event-loop-delay or in-flight) and by their criticality.',
    labels: ['reason', 'criticality'],
  },
  'shedding.in_flight': {
    kind: 'gauge',
    help: 'Requests that the server is answering, where it sheds.',
    labels: [],
    announces: SHEDDING_REASONS.flatMap((reason) =>
      REQUEST_CRITICALITIES.map((criticality) => ({
        counter: 'shedding.rejected',
        tags: { reason, criticality },
      })),
    ),
  },
  'shedding.limit': {
    kind: 'gauge',
    help: 'So many normal requests may be in flight at a time at this moment; 0 without such a limit.',
    labels: [],
  },
  'shedding.event_loop_delay': {
    kind: 'gauge',
    help: 'How late the event loop is, in milliseconds, smoothed; 0 where that is not looked at, or no request comes.',
    labels: [],
    exported: 'shedding_event_loop_delay_milliseconds',
    aggregator: 'max',
  },
};
