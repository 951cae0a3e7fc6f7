/** An instance would go by other options. All that can be wrong with them has been checked. */
export interface PolicyChange {
  /** As overrides would say it: `breakers.payments`. */
  readonly place: string;
  /** Those in force. */
  readonly from: object;
  readonly to: object;
  apply(): void;
}
