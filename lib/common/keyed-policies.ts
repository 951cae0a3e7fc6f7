/** What tells apart whom a call is for: what a key function may answer. */
export type PolicyKey = string | number;

/** The policies of one name by key, each made when its key first comes: one for each tenant, host or shard. */
export interface KeyedPolicies<P> {
  /** What they are called together. */
  readonly name: string;
  /** So many are there. */
  readonly size: number;
  /** Those that are there, the longest idle first; keys that are too long stand by a hash. */
  keys(): string[];
  /** Those that are there. */
  list(): P[];
  /** Whether there is one of the key at this moment. */
  has(key: PolicyKey): boolean;
  /**
   * The one of a key, which is made where there is none. To be asked for each time: it may be forgotten
   * when it has been idle for long.
   *
   * @throws ResilienceConfigurationError on a key that is empty, or neither a text nor a finite number
   */
  forKey(key: PolicyKey): P;
  /**
   * Does something to all of them, and to each that is made later, until the next `forAll()`. What it tells one of
   * them with `{ fleet: true }` all instances of the fleet are told, once and of all keys; where there is no key yet,
   * it is done to one under the name of all (`partner[*]`) for that.
   *
   * @example breakers.keyed('partner').forAll((breaker) => breaker.forceOpen())
   */
  forAll(action: (policy: P) => void): void;
  /**
   * Forgets the one of a key, whatever its state. Calls under way end as they would.
   *
   * @returns whether there was one
   */
  forget(key: PolicyKey): boolean;
}
