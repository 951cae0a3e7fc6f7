import type { SharedSlots, SlotLease, SlotRequest } from '../../lib/fleet/shared-slots.js';
import type { Board, MemoryFleet } from './memory-fleet.js';

/** What the store knows of an instance. */
interface Part {
  held: number;
  wanted: number;
  until: number;
  sequence: number;
}

/** The slots of shared bulkheads, as Redis has them. */
export class SlotStore {
  private readonly bulkheads = new Map<
    string,
    { max: number; growFrom: number; parts: Map<string, Part> }
  >();

  constructor(private readonly publish: (bulkhead: string) => void) {}

  clear(): void {
    this.bulkheads.clear();
  }

  /** Nobody has any part. */
  get isEmpty(): boolean {
    return [...this.bulkheads.values()].every(({ parts }) => parts.size === 0);
  }

  lease(name: string, me: string, request: SlotRequest, now: number): SlotLease | undefined {
    const { max, wanted, leaseMs, sequence } = request;
    let { held } = request;
    const stored = this.bulkheads.get(name) ?? { max, growFrom: 0, parts: new Map<string, Part>() };
    const { parts } = stored;
    const mine = parts.get(me);
    if (mine !== undefined && mine.sequence >= sequence) return undefined;
    let freed = mine?.held ?? 0;
    for (const [instance, part] of parts) {
      if (instance === me || part.until > now) continue;
      parts.delete(instance);
      freed += part.held;
    }
    parts.delete(me);
    const isSomebodyShort = [...parts.values()].some((part) => part.wanted > part.held);
    const heldByOthers = [...parts.values()].reduce((sum, part) => sum + part.held, 0);
    const share = fairShare(max, me, wanted, parts, now, leaseMs);
    let slots = Math.min(share, Math.max(0, max - heldByOthers));
    const isForgotten = mine === undefined && request.isKnown;
    let { growFrom } = stored;
    if (isForgotten && growFrom <= now) growFrom = now + leaseMs / 2;
    if (slots > held && (wanted <= held || (request.isKnown && growFrom > now))) slots = held;
    held = Math.max(held, slots);
    if (held > 0 || wanted > 0) parts.set(me, { held, wanted, until: now + leaseMs, sequence });
    this.bulkheads.set(name, { max, growFrom, parts });
    if (freed > held && isSomebodyShort) this.publish(name);
    return { slots, isDisputed: stored.max !== max };
  }
}

function fairShare(
  max: number,
  me: string,
  wanted: number,
  others: ReadonlyMap<string, Part>,
  now: number,
  leaseMs: number,
): number {
  const all = [...others].map(([name, part]) => ({ name, wanted: part.wanted }));
  all.push({ name: me, wanted });
  const round = all.length > max ? Math.floor(now / leaseMs) : 0;
  const place = new Map(
    all
      .map(({ name }) => name)
      .sort()
      .map((name, index) => [name, (index + round) % all.length]),
  );
  all.sort(
    (one, other) =>
      one.wanted - other.wanted || (place.get(one.name) ?? 0) - (place.get(other.name) ?? 0),
  );
  let left = max;
  let share = 0;
  for (const [at, part] of all.entries()) {
    const got = Math.min(part.wanted, Math.floor(left / (all.length - at)));
    left -= got;
    if (part.name === me) share = got;
  }
  return wanted > 0 ? share + Math.floor(left / (2 * all.length)) : share;
}

export function memorySlots(hub: MemoryFleet): Board<SharedSlots> & { readonly store: SlotStore } {
  const channel = (bulkhead: string) => `freed/${bulkhead}`;
  const store = new SlotStore((bulkhead) => hub.publish(channel(bulkhead), true));
  return {
    store,
    clear: () => store.clear(),
    side: (line) => ({
      lease: (bulkhead, request) =>
        line.ask((now) => store.lease(bulkhead, line.instance, request, now)),
      listen: (bulkhead, freed) => line.listen(channel(bulkhead), freed),
    }),
  };
}
