import { checkSharing, disputeOver } from '../fleet/sharing.js';
import type { StageHost } from '../stage/stage-host.js';
import type { Bucket } from './bucket.js';
import { LeasedBucket, type LeaseEvents } from './leased-bucket.js';
import type { ResolvedRateLimitOptions } from './rate-limit.options.js';
import { TokenBucket } from './token-bucket.js';

/**
 * The bucket of a rate limit: that of its fleet, where it is shared.
 *
 * @throws ResilienceConfigurationError where it is shared, and there is no fleet
 */
export function bucketOf(
  name: string,
  { limit, intervalMs, burst, shared }: ResolvedRateLimitOptions,
  host: StageHost | undefined,
  events: Omit<LeaseEvents, 'disputed'>,
): Bucket {
  const place = `rate limit "${name}"`;
  const fleet = host?.fleet;
  checkSharing(place, shared, fleet);
  if (shared !== true || fleet === undefined) return new TokenBucket(limit, intervalMs, burst);
  const rate = { limit, intervalMs, burst };
  const warn = host?.warnOf(`The ${place}`);
  return new LeasedBucket(name, rate, fleet, {
    ...events,
    disputed: (own) =>
      warn?.(disputeOver(`${own.limit} in ${own.intervalMs} ms with a burst of ${own.burst}`)),
  });
}
