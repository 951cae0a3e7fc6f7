import { duration, durationOrZero, positiveCount } from '../common/option-rules.js';
import type { Rules } from '../common/options.js';
import type { FleetOptions } from './fleet.js';

/** The rules of what any fleet may be told, for who makes one with options of its own besides. */
export const fleetRules: Rules<FleetOptions> = {
  version: (value) =>
    typeof value === 'string' && value !== '' && value.length <= 100
      ? undefined
      : "a non-empty string of at most 100 characters, such as '1.4.2'",
  quorum: positiveCount,
  probeWaitMs: durationOrZero,
  warmStartMs: durationOrZero,
  bulkheadLeaseMs: duration,
  rateLimitLeaseMs: duration,
};
