/** How many slots of a bulkhead an instance has, and how many it could use. */
export interface SlotRequest {
  /** So many all instances have together, as the one that asks has it. */
  readonly max: number;
  /** It has so many in use, or at hand: nobody else gets these. */
  readonly held: number;
  /** It could use so many. With none of either, it gives up its part. */
  readonly wanted: number;
  /** For so long it has them if it is not heard of again, in ms. */
  readonly leaseMs: number;
  /**
   * It has asked before, and not given up its part since. Where the store does not know of that, as it was
   * emptied, no such one gets more for half a lease: the others may not have said yet what they hold.
   */
  readonly isKnown: boolean;
  /** Greater than that of every request before it: one that arrives after a later one changes nothing. */
  readonly sequence: number;
}

/** How many it may have from now on. */
export interface SlotLease {
  /**
   * More than it held are its own from now on. If they are fewer, it begins no more calls than that, and the
   * slots are still its own until it says that it holds fewer.
   */
  readonly slots: number;
  /** Whether the instance that asked before has another `max` by the name. */
  readonly isDisputed: boolean;
}

/**
 * The bulkheads that instances share, each by its name. Slots are handed out by max-min fair shares: nobody
 * gets more than it wants while others want more than they have, and half of what nobody wants is spread
 * over all. Nobody gets what another holds, so all together never have more than there are.
 */
export interface SharedSlots {
  /** Asks for slots of a bulkhead, and keeps or gives back those that it has; `undefined` without an answer. */
  lease(bulkhead: string, request: SlotRequest): Promise<SlotLease | undefined>;
  /** Told that slots have become free where somebody wants them. @returns ends that: it is told no more */
  listen(bulkhead: string, freed: () => void): () => void;
}
