/** An option that is another one now. */
export interface OptionChange {
  /** As overrides say it: `operations.PaymentsClient.charge.retry.maxAttempts`. */
  readonly place: string;
  /** The value that was in force; `undefined` where there was none. */
  readonly from: unknown;
  readonly to: unknown;
}

/** Options have changed at run time. */
export interface ReconfiguredEvent {
  type: 'reconfigured';
  /** Who has said it, where that was told; of another instance of the fleet its name. */
  by?: string;
  changes: readonly OptionChange[];
}

export type OverridesEvent = ReconfiguredEvent;
