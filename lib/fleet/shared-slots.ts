/** The bulkheads that instances share, each by its name. */
export interface SharedSlots {
  /** Told that slots of a bulkhead have become free. */
  listen(freed: (bulkhead: string) => void): void;
}
