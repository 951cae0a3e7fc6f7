import { Registry } from '../common/registry.js';
import { namedStage } from '../instances/named-stage.js';
import type { Keyable, KeyedReference } from '../stage/keyed.options.js';
import { RateLimitedError, type RateLimitReason } from './rate-limit.error.js';
import { rateLimitHealth, sumOfRateLimits } from './rate-limit.health.js';
import {
  checkRateLimitOptions,
  type RateLimitOptions,
  type ResolvedRateLimitOptions,
  resolveRateLimitOptions,
} from './rate-limit.options.js';
import { RateLimitPolicy, type RateLimitSnapshot } from './rate-limit.policy.js';
import { RATE_LIMIT_METRICS, RateLimitTelemetry } from './rate-limit.telemetry.js';

/** What is typed of it. */
export interface RateLimitTypes {
  name: 'rateLimit';
  policy: RateLimitPolicy;
  error: RateLimitedError;
  service: {
    /** Options for a rate limit shared under the service's name, or the name of one in `rateLimits`, also by key. */
    rateLimit?: Keyable<Partial<RateLimitOptions>> | KeyedReference | string;
  };
  names: {
    /** Rate limits, for `@RateLimit(name)` and `@InjectRateLimit(name)`. */
    rateLimits?: Record<string, Keyable<Partial<RateLimitOptions>>>;
  };
  defaults: {
    /** What rate limits leave out. */
    rateLimit?: Keyable<Partial<RateLimitOptions>>;
  };
  /** With the `name` that it is shared by; by key the pattern of the names. */
  described: { name: string } & Keyable<ResolvedRateLimitOptions>;
  event:
    | {
        /** Tells the event apart from others. */
        type: 'rate-limited';
        /** The name of the rate limit. */
        rateLimit: string;
        /** Of one that is kept by key, whose name is `partner[acme]`: the key. */
        key?: string;
        /** Why the call was not let in. */
        reason: RateLimitReason;
        /** After this many ms it would have been its turn. */
        retryAfterMs: number;
      }
    | {
        /** Tells the event apart from others. */
        type: 'rate-limit-paused';
        /** The name of the rate limit. */
        rateLimit: string;
        /** Of one that is kept by key, whose name is `partner[acme]`: the key. */
        key?: string;
        /** For how long nobody is let in, because the partner has said so, in ms. */
        pauseMs: number;
        /** Of one in shadow mode: nobody is stopped in truth. */
        mode?: 'shadow';
      };
}

/**
 * The rate limits of an application: the named ones, and those that decorators made inline.
 *
 * @example
 * rateLimits.get('partner').getSnapshot().available; // so many calls could begin at once
 */
export class RateLimitRegistry extends Registry<RateLimitPolicy> {}

/** Limits how many calls begin in a time. */
export const rateLimitStage = namedStage<RateLimitTypes, Partial<RateLimitOptions>>(
  {
    stage: 'rateLimit',
    title: 'rate limit',
    section: 'rateLimits',
    isSharable: true,
    canShadow: true,
    policy: RateLimitPolicy,
    registry: RateLimitRegistry,
    check: checkRateLimitOptions,
    main: 'limit',
    least: '{ limit: 100 }',
    unregistered: { limit: 1_000_000 },
    resolve: resolveRateLimitOptions,
    make: (name, options, host) => new RateLimitPolicy(name, options, host),
    snapshot: (rateLimit) => rateLimit.getSnapshot(),
    sum: (snapshots) => sumOfRateLimits(snapshots as RateLimitSnapshot[]),
    health: rateLimitHealth,
    change: (rateLimit, options) => rateLimit.change(options),
    remember: (rateLimit) => rateLimit.remember(),
    recall: (rateLimit, remembered, agoMs) => rateLimit.recall(remembered, agoMs),
    left: RateLimitTelemetry.left,
    shutdown: (rateLimit) => rateLimit.shutdown(),
    dispose: (rateLimit) => rateLimit.dispose(),
  },
  {
    error: RateLimitedError,
    summarize: ({ name, options: { limit, intervalMs, shared } }) =>
      `rate limit ${name} (${limit} in ${intervalMs} ms${shared ? ', shared' : ''})`,
    metrics: RATE_LIMIT_METRICS,
  },
);
