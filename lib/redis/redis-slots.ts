import type { SharedSlots, SlotLease, SlotRequest } from '../index.js';
import { LEASE_SLOTS } from './slot-scripts.js';
import type { Store } from './store.js';
import { isWhole, Told } from './told.js';

/** The slots of the shared bulkheads, each with a hash of who holds how many. */
export class RedisSlots implements SharedSlots {
  private readonly freed: Told<true>;

  constructor(private readonly store: Store) {
    this.freed = new Told(store, 'freed', () => true);
  }

  async lease(bulkhead: string, request: SlotRequest): Promise<SlotLease | undefined> {
    const { store } = this;
    const { max, held, wanted, leaseMs, sequence } = request;
    const isKnown = request.isKnown ? 1 : 0;
    const asked = [max, held, wanted, Math.ceil(leaseMs), sequence];
    const answer = await store.run(
      LEASE_SLOTS,
      [store.key('bulkhead', bulkhead, 'h')],
      [store.instance, ...asked, store.channel, bulkhead, isKnown],
    );
    if (answer === undefined) return undefined;
    const [slots, disputed] = answer;
    if (isWhole(slots, Math.max(max, held)) && isWhole(disputed, 1))
      return { slots, isDisputed: disputed === 1 };
    store.refused('an answer about slots');
    return undefined;
  }

  listen(bulkhead: string, freed: () => void): () => void {
    return this.freed.listen(bulkhead, freed);
  }
}
