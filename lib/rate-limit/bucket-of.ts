import type { TokenRate } from '../fleet/shared-tokens.js';
import { checkSharing, disputeOver } from '../fleet/sharing.js';
import type { StageHost } from '../stage/stage-host.js';
import type { Bucket } from './bucket.js';
import { LeasedBucket, type LeaseEvents } from './leased-bucket.js';
import type { ResolvedRateLimitOptions } from './rate-limit.options.js';
import { TokenBucket } from './token-bucket.js';

/** That by which a bucket fills up: of one that is shared, but in shadow mode, the even share of the instance. */
export function rateOf(
  { limit, intervalMs, burst, shared, mode }: ResolvedRateLimitOptions,
  host: StageHost | undefined,
): TokenRate {
  const instances = shared === true && mode === 'shadow' ? (host?.fleet?.link.instances ?? 1) : 1;
  return { limit: limit / instances, intervalMs, burst: Math.max(1, burst / instances) };
}

/**
 * The bucket of a rate limit: that of its fleet, where it is shared, but not in shadow mode.
 *
 * @throws ResilienceConfigurationError where it is shared, and there is no fleet
 */
export function bucketOf(
  name: string,
  options: ResolvedRateLimitOptions,
  host: StageHost | undefined,
  events: Omit<LeaseEvents, 'disputed'>,
): Bucket {
  const place = `rate limit "${name}"`;
  const fleet = host?.fleet;
  checkSharing(place, options.shared, fleet);
  const rate = rateOf(options, host);
  if (options.shared !== true || fleet === undefined || options.mode === 'shadow')
    return new TokenBucket(rate.limit, rate.intervalMs, rate.burst);
  const warn = host?.warnOf(`The ${place}`);
  return new LeasedBucket(name, rate, fleet, {
    ...events,
    disputed: (own) =>
      warn?.(disputeOver(`${own.limit} in ${own.intervalMs} ms with a burst of ${own.burst}`)),
  });
}
