/** What is beyond them no instance writes, and none believes. */
export const ORDER_LIMITS = Object.freeze({
  /** So many subjects are known at a time. */
  subjects: 1_000,
  /** In characters. */
  subjectLength: 500,
  /** In characters of its JSON. */
  valueLength: 4_096,
  /** So long it is remembered that something was taken back, in ms. */
  takenBackMs: 86_400_000,
});

/** What somebody has told all instances, also those that start later. */
export interface Order {
  /** What it is about, by kind and name: `breakers/payments`. */
  readonly subject: string;
  /** Greater than that of every order before it about the same; a whole number. */
  readonly generation: number;
  /** What is to be. Plain values; `null` takes back what was ordered before, and is kept for a day. */
  readonly value: unknown;
  /** The instance that was told first; before it who has told it so, if that is known: `alice at shop-7f9c:1`. */
  readonly by: string;
  /** How long ago it was given, in ms; 0 where it is heard of at once. */
  readonly ageMs: number;
}

/** An order as an instance knows it. */
export interface KnownOrder extends Order {
  /** 0 of one that the store has not taken yet. */
  readonly generation: number;
  /** The generation of the order that it takes the place of. */
  readonly after: number;
}

/** What an instance hears of the register. */
export interface RegisterListener {
  /** An order was given, or put back; also one's own. */
  ordered(order: Order): void;
  /** The store has none: who knows of some puts them back. */
  lost(): void;
}

/** The last order of each subject. */
export interface SharedRegister {
  /** Tells the listener of orders from now on. */
  listen(listener: RegisterListener): void;
  /**
   * As one step: puts each order where there is none of its subject, or only an older one, tells all
   * instances of those, and answers with all that there are. One that the store has not taken yet gets its
   * generation: greater than that which it comes after, and the time at which it was given; of age 0 also
   * greater than that of whatever is there.
   */
  exchange(orders: readonly KnownOrder[]): Promise<readonly Order[] | undefined>;
}
