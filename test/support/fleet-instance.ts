import { Membership } from '../../lib/fleet/membership.js';
import {
  type CircuitBreakerOptions,
  CircuitBreakerPolicy,
  type CircuitState,
  type FleetOptions,
} from '../../lib/index.js';
import type { StageEvent } from '../../lib/stage/stage-host.js';
import { NO_REPORTS } from './fleet-reports.js';
import { MemoryFleet, type MemoryLink, settled } from './memory-fleet.js';
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
  ...args: Parameters<typeof makeInstance>
): Promise<FleetInstance> {
  const instance = makeInstance(...args);
  await instance.membership.begin();
  return instance;
}

/** Makes one that takes no part yet. */
export function makeInstance(
  hub: MemoryFleet,
  options: CircuitBreakerOptions,
  fleetOptions?: FleetOptions,
): FleetInstance {
  const membership = new Membership(hub.fleet(fleetOptions), NO_REPORTS);
  const events: StageEvent[] = [];
  const host = { ...stageHost((event) => events.push(event)), fleet: membership };
  const breaker = new CircuitBreakerPolicy('payments', options, host);
  return { breaker, membership, link: membership.link as MemoryLink, events };
}

/** Instances that share a breaker, and the dependency behind it. */
export class SharedDependency {
  readonly hub = new MemoryFleet();
  isDown = true;
  /** So many calls have come to it. */
  reached = 0;

  constructor(private readonly options: CircuitBreakerOptions) {}

  start(options: CircuitBreakerOptions = {}, fleetOptions?: FleetOptions): Promise<FleetInstance> {
    return startInstance(this.hub, { shared: true, ...this.options, ...options }, fleetOptions);
  }

  async startMany(count: number, options?: CircuitBreakerOptions) {
    const instances: FleetInstance[] = [];
    for (let i = 0; i < count; i++) instances.push(await this.start(options));
    return instances as [FleetInstance, FleetInstance, FleetInstance, ...FleetInstance[]];
  }

  /** @returns what the call ends with, also where that is an error */
  call({ breaker }: FleetInstance): Promise<unknown> {
    return breaker
      .execute(async () => {
        this.reached++;
        if (this.isDown) throw new Error('down');
        return 'up';
      })
      .catch((error: unknown) => error);
  }

  /** Calls one after the other. */
  async callTimes(instance: FleetInstance, times: number): Promise<void> {
    for (let i = 0; i < times; i++) await this.call(instance);
    await settled();
  }

  /** One call of each, at once. */
  async callAll(instances: readonly FleetInstance[]): Promise<unknown[]> {
    const results = await Promise.all(instances.map((each) => this.call(each)));
    await settled();
    return results;
  }
}

export function statesOf(instances: readonly FleetInstance[]): CircuitState[] {
  return instances.map(({ breaker }) => breaker.getState());
}

/** Why each transition of an instance's breaker was. */
export function reasonsOf({ events }: FleetInstance): unknown[] {
  return events.flatMap(({ type, reason }) => (type === 'circuit-state' ? reason : []));
}
