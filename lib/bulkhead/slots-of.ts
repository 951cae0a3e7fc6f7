import { checkSharing, disputeOver } from '../fleet/sharing.js';
import type { StageHost } from '../stage/stage-host.js';
import type { ResolvedBulkheadOptions } from './bulkhead.options.js';
import { LeasedSlots, type SlotEvents } from './leased-slots.js';

/** What an instance has without the others, of what its fleet shares; of one that is not shared, all. */
export function evenShareOf(
  { maxConcurrent, shared }: ResolvedBulkheadOptions,
  host: StageHost | undefined,
): number {
  const instances = shared === true ? (host?.fleet?.link.instances ?? 1) : 1;
  return Math.max(1, Math.floor(maxConcurrent / instances));
}

/**
 * Where a bulkhead has its slots from that its fleet shares; nothing of one that is not shared.
 *
 * @throws ResilienceConfigurationError where it is shared, and there is no fleet
 */
export function leasedSlotsOf(
  name: string,
  { maxConcurrent, shared }: ResolvedBulkheadOptions,
  host: StageHost | undefined,
  events: Omit<SlotEvents, 'disputed'>,
): LeasedSlots | undefined {
  const place = `bulkhead "${name}"`;
  const fleet = host?.fleet;
  checkSharing(place, shared, fleet);
  if (shared !== true || fleet === undefined) return undefined;
  const warn = host?.warnOf(`The ${place}`);
  return new LeasedSlots(name, maxConcurrent, fleet, {
    ...events,
    disputed: (own) => warn?.(disputeOver(`maxConcurrent ${own}`)),
  });
}
