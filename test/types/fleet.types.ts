/** What may be shared, and how somebody's own store is one: checked by `npm run typecheck`. */
import {
  Bulkhead,
  type Chaos,
  CircuitBreaker,
  type CircuitBreakerPolicy,
  type Fleet,
  type FleetInstance,
  type FleetLink,
  type FleetMember,
  type FleetPolicy,
  type FleetView,
  RateLimit,
  ResilienceModule,
  Retry,
  type SharedRegister,
  type SharedSlots,
  type SharedSnapshots,
  type SharedTokens,
  type SharedVerdicts,
} from '../../lib/index.js';

export const shared = (fleet: Fleet) =>
  ResilienceModule.forRoot({
    fleet,
    breakers: { payments: { shared: true }, search: { shared: { quorum: 3 } }, own: {} },
    rateLimits: { maps: { limit: 100, shared: true } },
    bulkheads: { ledger: { maxConcurrent: 20, shared: true } },
    retryBudgets: { bank: { minRetriesPerSecond: 10, shared: true } },
    defaults: { circuitBreaker: { shared: true } },
  });

export const inline = () => [
  CircuitBreaker({ shared: { quorum: 1 } }),
  RateLimit({ limit: 10, shared: true, key: (tenant: string) => tenant }),
  Bulkhead({ maxConcurrent: 5, shared: true }),
  Retry({ budget: { shared: true } }),
];

export const refused = () => [
  // @ts-expect-error a quorum is misspelt
  CircuitBreaker({ shared: { quorom: 2 } }),
  // @ts-expect-error a number is no quorum yet
  CircuitBreaker({ shared: 2 }),
  // @ts-expect-error only breakers are decided by a quorum
  RateLimit({ limit: 10, shared: { quorum: 2 } }),
  // @ts-expect-error neither are bulkheads
  Bulkhead({ maxConcurrent: 5, shared: { quorum: 2 } }),
  // @ts-expect-error attempts are nobody else's; their budget is
  Retry({ shared: true }),
  // @ts-expect-error a URL is no fleet
  ResilienceModule.forRoot({ fleet: 'redis://localhost' }),
];

export function ordered(breaker: CircuitBreakerPolicy, chaos: Chaos): void {
  breaker.forceOpen({ fleet: true });
  breaker.disable({ fleet: false });
  breaker.reset({ fleet: true });
  chaos.stopAll({ fleet: true });
  // @ts-expect-error for whom is said by name
  breaker.reset(true);
}

export async function looked(view: FleetView): Promise<string[]> {
  const instances: FleetInstance[] = await view.look();
  const policies: FleetPolicy[] = instances.flatMap((instance) => [...instance.policies]);
  return policies.map(({ section, name, state }) => `${section}.${name} is ${state}`);
}

/** A store that nobody else is in. */
class Alone implements FleetLink {
  readonly isUp = true;
  readonly instances = 1;
  readonly verdicts: SharedVerdicts = {
    read: async () => ({ generation: 0, isOpen: false, leftMs: 0, baseMs: 0 }),
    vote: async (_breaker, { openMs, baseMs, seen }) => ({
      generation: seen + 1,
      isOpen: true,
      leftMs: openMs,
      baseMs,
    }),
    lease: async () => undefined,
    report: async () => undefined,
    close: async () => undefined,
    listen: () => () => undefined,
  };
  readonly tokens: SharedTokens = {
    lease: async (_rateLimit, { burst }, { wanted }) => ({
      granted: wanted,
      left: burst - wanted,
      waitMs: 0,
      isDisputed: false,
    }),
    pause: async () => undefined,
    listen: () => () => undefined,
  };
  readonly slots: SharedSlots = {
    lease: async (_bulkhead, { max }) => ({ slots: max, isDisputed: false }),
    listen: () => () => undefined,
  };
  readonly register: SharedRegister = {
    listen: () => undefined,
    exchange: async (orders) => orders,
  };
  readonly snapshots: SharedSnapshots = {
    listen: () => undefined,
    show: async () => undefined,
    remove: async () => undefined,
    look: async () => [],
  };

  constructor(private readonly member: FleetMember) {}

  open(): void {
    void this.member.sync().then(() => this.member.changed(true));
  }

  async close(): Promise<void> {}
}

export const alone: Fleet = { options: { quorum: 1 }, link: (member) => new Alone(member) };
