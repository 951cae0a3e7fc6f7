import type { KnownOrder, Order, SharedRegister } from '../../lib/fleet/shared-register.js';
import { ORDER_LIMITS } from '../../lib/fleet/shared-register.js';
import type { Board, MemoryFleet } from './memory-fleet.js';

type Record = Omit<Order, 'ageMs'>;

/** The store's half of the orders, by the same rules as the script of `RedisFleet`. */
export class RegisterStore {
  readonly records = new Map<string, Record>();

  /** @param publish tells all instances of an order, or of nothing: that there is none */
  constructor(private readonly publish: (order?: Order) => void) {}

  exchange(orders: readonly KnownOrder[], now: number): Order[] {
    for (const [subject, record] of this.records)
      if (isOver(record, now)) this.records.delete(subject);
    const hadNone = this.records.size === 0;
    for (const order of orders) this.take(order, now);
    if (hadNone) this.publish();
    return [...this.records.values()].map((record) => told(record, now));
  }

  private take({ subject, value, by, after, ageMs, ...order }: KnownOrder, now: number): void {
    const { records } = this;
    const before = records.get(subject)?.generation ?? 0;
    let { generation } = order;
    if (generation === 0) generation = Math.max(after + 1, now - ageMs);
    if (order.generation === 0 && ageMs === 0) generation = Math.max(generation, before + 1);
    const record = { subject, generation, value, by };
    if (generation <= before) return;
    if (before === 0 && (isOver(record, now) || records.size >= ORDER_LIMITS.subjects)) return;
    records.set(subject, record);
    this.publish(told(record, now));
  }
}

function isOver({ generation, value }: Record, now: number): boolean {
  return value === null && generation + ORDER_LIMITS.takenBackMs < now;
}

function told(record: Record, now: number): Order {
  return { ...record, ageMs: Math.max(0, now - record.generation) };
}

/** The orders of a memory fleet, and the store behind them. */
export interface MemoryRegister extends Board<SharedRegister> {
  readonly store: RegisterStore;
}

export function memoryRegister(hub: MemoryFleet): MemoryRegister {
  const store = new RegisterStore((order) => hub.publish('order', order));
  return {
    store,
    clear: () => store.records.clear(),
    side: (line) => ({
      exchange: (orders) => line.ask((now) => store.exchange(orders, now)),
      listen({ ordered, lost }) {
        line.listen<Order | undefined>('order', (order) =>
          order === undefined ? lost() : ordered(order),
        );
      },
    }),
  };
}
