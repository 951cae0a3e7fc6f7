/** What somebody has told all instances, also those that start later. */
export interface Order {
  /** What it is about: `breakers/payments`. */
  readonly subject: string;
  /** Greater than that of every order before it about the same. */
  readonly generation: number;
  /** What is to be. Plain values. */
  readonly value: unknown;
}

/** The last order of each subject: who writes last wins, by generation. */
export interface SharedRegister {
  /** Told of orders of others. */
  listen(told: (order: Order) => void): void;
}
