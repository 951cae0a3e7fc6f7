import { duration, durationOrZero, positiveCount, type Rules } from '../common/options.js';
import type { FleetOptions } from './fleet.js';

/** The rules of what any fleet may be told, for who makes one with options of its own besides. */
export const fleetRules: Rules<FleetOptions> = {
  quorum: positiveCount,
  probeWaitMs: durationOrZero,
  warmStartMs: durationOrZero,
  bulkheadLeaseMs: duration,
  rateLimitLeaseMs: duration,
};
