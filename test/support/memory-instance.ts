import type { FleetOptions } from '../../lib/fleet/fleet.js';
import { Membership } from '../../lib/fleet/membership.js';
import type { StageHost } from '../../lib/stage/stage-host.js';
import { NO_REPORTS } from './fleet-reports.js';
import type { MemoryFleet, MemoryLink } from './memory-fleet.js';
import { stageHost } from './stage-host.js';

/** An instance of a memory fleet, for policies without an application. */
export interface MemoryInstance {
  readonly membership: Membership;
  readonly link: MemoryLink;
  /** What policies are made with. */
  readonly host: StageHost;
  /** What was warned of. */
  readonly warnings: string[];
}

/**
 * One that has begun, and is linked where nothing was cut or is held.
 *
 * @param name instead of a random one, where it matters who comes first
 */
export async function memoryInstance(
  hub: MemoryFleet,
  { name, ...options }: FleetOptions & { name?: string } = {},
): Promise<MemoryInstance> {
  const membership = new Membership(hub.fleet(options), NO_REPORTS);
  if (name !== undefined) Object.assign(membership, { instance: name });
  const warnings: string[] = [];
  const warnOf = () => (error: unknown) => void warnings.push(String(error));
  const host = { ...stageHost(), warnOf, fleet: membership };
  const begun = membership.begin();
  await begun;
  return { membership, link: membership.link as MemoryLink, host, warnings };
}
