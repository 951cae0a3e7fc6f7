import type { Metrics } from '../common/metrics.js';

/** The link of an application to its fleet has come up, or was lost. */
export interface FleetEvent {
  /** Tells the event apart from others. */
  type: 'fleet';
  /** Whether the other instances are reached from now on. */
  up: boolean;
  /** So many there were when they were last heard of, with this one. */
  instances: number;
  /** Why it was lost. */
  reason?: string;
}

export const FLEET_METRICS: Metrics = {
  'fleet.up': {
    kind: 'gauge',
    help: 'Whether this instance reaches its fleet: 1 or 0.',
    labels: [],
    aggregator: 'sum',
  },
  'fleet.refused': {
    kind: 'counter',
    help: 'What came from the store of the fleet and was not believed: of a foreign type, form or size.',
    labels: [],
  },
  'fleet.unanswered': {
    kind: 'counter',
    help: 'Questions that the store of the fleet did not answer in time.',
    labels: [],
  },
};
