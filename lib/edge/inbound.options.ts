import { boolean, duration } from '../common/option-rules.js';
import { checked, checkerOf, merge } from '../common/options.js';
import { checkSheddingOptions, type SheddingOptions } from '../shedding/shedding.options.js';

/** What is believed of what callers say about their requests, and which of these are refused. */
export interface InboundOptions {
  /**
   * The longest deadline that a request can bring along (`x-request-timeout-ms`, `grpc-timeout`), in
   * ms; a longer one is cut to it. A request without a deadline gets none. @default 60000
   */
  maxTimeoutMs?: number;
  /**
   * Whether anything is learned from the deadlines of requests. They always cut the work and answer
   * 504. But anybody can give 10 ms: what a deadline cuts that is not trusted is the client's
   * impatience, which is counted nowhere, teaches no breaker and no bulkhead, and raises no alert.
   * For inner services; a deadline that a service outside passes on from a stranger
   * (`x-request-timeout-origin: client`) is not trusted there either. @default false
   */
  trustDeadline?: boolean;
  /**
   * Whether `x-request-criticality` is believed. Only where all callers are services of one's own:
   * else any client could jump the queue. @default false
   */
  trustCriticality?: boolean;
  /**
   * Refuses requests where the server is overloaded, with 503 and `Retry-After`, before anything is done for
   * them: those that matter least first, health probes never.
   * @default nobody is refused
   */
  shedding?: SheddingOptions;
}

export type ResolvedInboundOptions = Required<Omit<InboundOptions, 'shedding'>>;

const DEFAULTS: ResolvedInboundOptions = {
  maxTimeoutMs: 60_000,
  trustDeadline: false,
  trustCriticality: false,
};

/** @throws ResilienceConfigurationError */
export const checkInboundOptions = checkerOf<InboundOptions>({
  maxTimeoutMs: duration,
  trustDeadline: boolean,
  trustCriticality: boolean,
  shedding: checked(checkSheddingOptions),
});

export function resolveInboundOptions({
  shedding: _,
  ...options
}: InboundOptions = {}): ResolvedInboundOptions {
  return merge<InboundOptions>(DEFAULTS, options) as ResolvedInboundOptions;
}
