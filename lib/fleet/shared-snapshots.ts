/** What an instance has shown of itself. */
export interface ShownSnapshot {
  /** The name of the instance. */
  readonly instance: string;
  /** How long ago, in ms. */
  readonly ageMs: number;
  /** Plain values; of another release perhaps of another form. */
  readonly snapshot: unknown;
}

/** What instances show of themselves, while somebody looks. */
export interface SharedSnapshots {
  /** Told when somebody looks, every two seconds at most, however many do. Nobody asks where nobody looks. */
  listen(asked: () => void): void;
  /** Shows the others how this instance stands. */
  show(snapshot: object): Promise<void>;
  /** The instance is there no more. */
  remove(): Promise<void>;
  /** Asks all to show themselves. @returns what they have shown when they were asked before */
  look(): Promise<readonly ShownSnapshot[] | undefined>;
}
