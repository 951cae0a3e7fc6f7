import { CHAOS_METRICS } from '../chaos/chaos.telemetry.js';
import type { Metrics } from '../common/metrics.js';
import { FLEET_METRICS } from '../fleet/fleet.telemetry.js';
import { OVERRIDES_METRICS } from '../overrides/overrides.telemetry.js';
import { SHEDDING_METRICS } from '../shedding/shedding.telemetry.js';
import { SHADOW_METRICS } from '../stage/shadow.telemetry.js';
import { STAGES } from '../stages.js';

const OUTCOMES = ['success', 'failure', 'fallback', 'degraded'];

/** What is recorded of every operation, whatever its stages. */
const OPERATION_METRICS: Metrics = {
  'requests.total': {
    kind: 'counter',
    help: 'Calls of resilient operations, by how they ended for the caller: success, failure, fallback or degraded.',
    labels: ['operation', 'outcome'],
    announces: OUTCOMES.map((outcome) => ({ counter: 'requests.total', tags: { outcome } })),
  },
  'request.duration': {
    kind: 'histogram',
    help: 'How long calls of resilient operations took that reached what they call, with all their attempts, waits and fallbacks; those that were only rejected are left out.',
    labels: ['operation', 'outcome'],
  },
  'errors.total': {
    kind: 'counter',
    help: 'Final failures, hidden by a fallback or not, each counted once: for the innermost operation that it failed.',
    labels: ['operation', 'upstream', 'error_type'],
  },
  'service.error': {
    kind: 'counter',
    help: 'Calls that failed for good, hidden by a fallback or not; critical is true for operations that alert.',
    labels: ['operation', 'critical'],
  },
};

/** The library's metrics, by the name under which they are recorded. */
export const METRICS: Metrics = Object.assign(
  { ...OPERATION_METRICS },
  ...STAGES.map(({ metrics }) => metrics),
  CHAOS_METRICS,
  FLEET_METRICS,
  SHADOW_METRICS,
  SHEDDING_METRICS,
  OVERRIDES_METRICS,
);
