import { Registry } from '../common/registry.js';
import { namedStage } from '../stage/named-catalog.js';
import { RateLimitedError, type RateLimitReason } from './rate-limit.error.js';
import { rateLimitHealth } from './rate-limit.health.js';
import {
  checkRateLimitOptions,
  type RateLimitOptions,
  resolveRateLimitOptions,
} from './rate-limit.options.js';
import { RateLimitPolicy } from './rate-limit.policy.js';
import { RATE_LIMIT_METRICS, RateLimitTelemetry } from './rate-limit.telemetry.js';

/** What is typed of it. */
export interface RateLimitTypes {
  name: 'rateLimit';
  policy: RateLimitPolicy;
  error: RateLimitedError;
  service: {
    /** Options for a rate limit shared under the service's name, or the name of one in `rateLimits`. */
    rateLimit?: Partial<RateLimitOptions> | string;
  };
  names: {
    /** Rate limits, for `@RateLimit(name)` and `@InjectRateLimit(name)`. */
    rateLimits?: Record<string, Partial<RateLimitOptions>>;
  };
  defaults: { rateLimit?: Partial<RateLimitOptions> };
  /** With the `name` that it is shared by. */
  described: { name: string };
  event:
    | { type: 'rate-limited'; rateLimit: string; reason: RateLimitReason; retryAfterMs: number }
    | { type: 'rate-limit-paused'; rateLimit: string; pauseMs: number };
}

/** The rate limits of an application: the named ones, and those that decorators made inline. */
export class RateLimitRegistry extends Registry<RateLimitPolicy> {}

/** Limits how many calls begin in a time. */
export const rateLimitStage = namedStage<RateLimitTypes, Partial<RateLimitOptions>>(
  {
    stage: 'rateLimit',
    title: 'rate limit',
    section: 'rateLimits',
    policy: RateLimitPolicy,
    registry: RateLimitRegistry,
    check: checkRateLimitOptions,
    instead: (number) => `{ limit: ${number} }`,
    resolve: resolveRateLimitOptions,
    make: (name, options, host) => new RateLimitPolicy(name, options, host),
    snapshot: (rateLimit) => rateLimit.getSnapshot(),
    health: rateLimitHealth,
    left: RateLimitTelemetry.left,
    shutdown: (rateLimit) => rateLimit.shutdown(),
  },
  {
    error: RateLimitedError,
    summarize: ({ name, options: { limit, intervalMs } }) =>
      `rate limit ${name} (${limit} in ${intervalMs} ms)`,
    metrics: RATE_LIMIT_METRICS,
  },
);
