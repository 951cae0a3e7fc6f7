import { Membership } from '../../lib/fleet/membership.js';
import {
  type CircuitBreakerOptions,
  CircuitBreakerPolicy,
  type FleetOptions,
} from '../../lib/index.js';
import type { StageEvent } from '../../lib/stage/stage-host.js';
import { NO_REPORTS } from './fleet-reports.js';
import type { MemoryFleet, MemoryLink } from './memory-fleet.js';
import { stageHost } from './stage-host.js';

/** One instance of many, with a breaker that they share. */
export interface FleetInstance {
  readonly breaker: CircuitBreakerPolicy;
  readonly membership: Membership;
  readonly link: MemoryLink;
  readonly events: StageEvent[];
}

/** Starts an instance: it knows what the others know when this has resolved. */
export async function startInstance(
  hub: MemoryFleet,
  options: CircuitBreakerOptions = {},
  fleetOptions?: FleetOptions,
): Promise<FleetInstance> {
  const membership = new Membership(hub.fleet(fleetOptions), NO_REPORTS);
  const events: StageEvent[] = [];
  const host = { ...stageHost((event) => events.push(event)), fleet: membership };
  const breaker = new CircuitBreakerPolicy('payments', { shared: true, ...options }, host);
  await membership.begin();
  return { breaker, membership, link: membership.link as MemoryLink, events };
}
