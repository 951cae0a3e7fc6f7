import type { Metrics } from '../common/metrics.js';

/** An option that is another one now. */
export interface OptionChange {
  /** As overrides say it: `operations.PaymentsClient.charge.retry.maxAttempts`. */
  readonly place: string;
  /** The value that was in force; `undefined` where there was none. */
  readonly from: unknown;
  /** What it is now. */
  readonly to: unknown;
}

/** Options have changed at run time. */
export interface ReconfiguredEvent {
  /** Tells the event apart from others. */
  type: 'reconfigured';
  /** Who has said it, where that was told; of another instance of the fleet its name. */
  by?: string;
  /** What was changed, option by option. */
  changes: readonly OptionChange[];
}

/** What `changes` or the fleet said was wrong here: what was in force before still is. */
export interface ReconfigureRefusedEvent {
  /** Tells the event apart from others. */
  type: 'reconfigure-refused';
  /** Who has said it: `changes`, or the name of another instance. */
  by: string;
  /** The place, and what is allowed there. */
  reason: string;
}

/** Nothing more comes from `changes`: what it said last stays in force. */
export interface ChangesEndedEvent {
  /** Tells the event apart from others. */
  type: 'changes-ended';
  /** Why, where it did not complete. */
  error?: unknown;
}

export type OverridesEvent = ReconfiguredEvent | ReconfigureRefusedEvent | ChangesEndedEvent;

export const OVERRIDES_METRICS: Metrics = {
  'reconfigured.total': {
    kind: 'counter',
    help: 'How often options were changed while the application ran.',
    labels: [],
  },
  'reconfigure.refused': {
    kind: 'counter',
    help: 'How often options from changes or from the fleet were refused, so that those before stayed in force.',
    labels: [],
  },
};
