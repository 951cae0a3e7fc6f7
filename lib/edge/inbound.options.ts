import { boolean, checkOptions, duration, merge, type Rules } from '../common/options.js';

/** What the interceptor believes of what callers say about their requests. */
export interface InboundOptions {
  /**
   * The longest deadline that a request can bring along (`x-request-timeout-ms`, `grpc-timeout`), in
   * ms; a longer one is cut to it. A request without a deadline gets none. @default 60000
   */
  maxTimeoutMs?: number;
  /**
   * Whether `x-request-criticality` is believed. Only where all callers are services of one's own:
   * else any client could jump the queue. @default false
   */
  trustCriticality?: boolean;
}

export type ResolvedInboundOptions = Required<InboundOptions>;

const DEFAULTS: ResolvedInboundOptions = { maxTimeoutMs: 60_000, trustCriticality: false };

const RULES: Rules<InboundOptions> = { maxTimeoutMs: duration, trustCriticality: boolean };

/** @throws ResilienceConfigurationError */
export function checkInboundOptions(place: string, options: unknown): InboundOptions {
  return checkOptions<InboundOptions>(place, options, RULES);
}

export function resolveInboundOptions(options: InboundOptions = {}): ResolvedInboundOptions {
  return merge<InboundOptions>(DEFAULTS, options) as ResolvedInboundOptions;
}
