import type { MetricKind, MetricTags } from '../index.js';

/** How one of the library's metrics looks to Prometheus. */
export interface MetricDefinition {
  readonly kind: MetricKind;
  readonly name: string;
  readonly help: string;
  /** The one that the metric is about comes first; where there are too many, the last is given up first. */
  readonly labels: readonly string[];
  /** How many of the recorded unit make one of the exported. @default 1 */
  readonly divisor?: number;
  /** Counters that begin at 0 when a series of this one begins: a rate misses the step of those that begin at 1. */
  readonly announces?: readonly Announced[];
  /** How prom-client adds up the workers of a cluster. @default 'sum' */
  readonly aggregator?: 'sum' | 'max';
}

export interface Announced {
  /** As the library records it. */
  readonly counter: string;
  /** Besides those that the two have in common. */
  readonly tags?: MetricTags;
}

const OUTCOMES = ['success', 'failure', 'fallback', 'degraded'];
const REJECTION_REASONS = ['full', 'queue-timeout', 'deadline', 'displaced', 'shutdown'];
const CIRCUIT_COUNTERS = [
  'circuit.open',
  'circuit.half_open',
  'circuit.closed',
  'circuit.rejected',
];

/** By the name under which the library records it. */
export const METRIC_CATALOGUE: Readonly<Record<string, MetricDefinition>> = {
  'requests.total': {
    kind: 'counter',
    name: 'resilience_requests_total',
    help: 'Calls of resilient operations, by how they ended for the caller: success, failure, fallback or degraded.',
    labels: ['operation', 'outcome'],
    announces: OUTCOMES.map((outcome) => ({ counter: 'requests.total', tags: { outcome } })),
  },
  'request.duration': {
    kind: 'histogram',
    name: 'resilience_request_duration_seconds',
    help: 'How long calls of resilient operations took that reached what they call, with all their attempts, waits and fallbacks; those that were only rejected are left out.',
    labels: ['operation', 'outcome'],
    divisor: 1_000,
  },
  'errors.total': {
    kind: 'counter',
    name: 'resilience_errors_total',
    help: 'Final failures, hidden by a fallback or not, each counted once: for the innermost operation that it failed.',
    labels: ['operation', 'upstream', 'error_type'],
  },
  'retry.attempt': {
    kind: 'counter',
    name: 'resilience_retry_attempts_total',
    help: 'Attempts that failed and were followed by another; attempt is the number of the failed one, from 1.',
    labels: ['operation', 'error_type', 'attempt'],
  },
  'retry.suppressed': {
    kind: 'counter',
    name: 'resilience_retry_suppressed_total',
    help: 'Attempts that failed, were worth another and got none, by reason: the budget was spent, or a call inside (nested) had retried already.',
    labels: ['operation', 'reason'],
  },
  'hedge.attempt': {
    kind: 'counter',
    name: 'resilience_hedge_attempts_total',
    help: 'Attempts that were made beside one that was slow to answer.',
    labels: ['operation'],
  },
  'timeout.total': {
    kind: 'counter',
    name: 'resilience_timeout_total',
    help: 'Attempts that were cut by their timeout.',
    labels: ['operation'],
  },
  'circuit.open': {
    kind: 'counter',
    name: 'resilience_circuit_open_total',
    help: 'How often the circuit breaker opened, by itself or by force.',
    labels: ['breaker'],
  },
  'circuit.half_open': {
    kind: 'counter',
    name: 'resilience_circuit_half_open_total',
    help: 'How often the circuit breaker became half-open, to probe its dependency.',
    labels: ['breaker'],
  },
  'circuit.closed': {
    kind: 'counter',
    name: 'resilience_circuit_closed_total',
    help: 'How often the circuit breaker closed again.',
    labels: ['breaker'],
  },
  'circuit.rejected': {
    kind: 'counter',
    name: 'resilience_circuit_rejected_total',
    help: 'Attempts that the circuit breaker rejected.',
    labels: ['breaker'],
  },
  'circuit.state': {
    kind: 'gauge',
    name: 'resilience_circuit_state',
    help: 'State of the circuit breaker: 0 closed or disabled, 1 half-open, 2 open.',
    labels: ['breaker'],
    announces: CIRCUIT_COUNTERS.map((counter) => ({ counter })),
    aggregator: 'max',
  },
  'bulkhead.running': {
    kind: 'gauge',
    name: 'resilience_bulkhead_running',
    help: 'Calls that hold a slot of the bulkhead.',
    labels: ['bulkhead'],
    announces: REJECTION_REASONS.map((reason) => ({
      counter: 'bulkhead.rejected',
      tags: { reason },
    })),
  },
  'bulkhead.queued': {
    kind: 'gauge',
    name: 'resilience_bulkhead_queued',
    help: 'Calls that wait for a slot of the bulkhead.',
    labels: ['bulkhead'],
  },
  'bulkhead.limit': {
    kind: 'gauge',
    name: 'resilience_bulkhead_limit',
    help: 'Calls that may hold a slot at a time, where the bulkhead finds that out itself (adaptive).',
    labels: ['bulkhead'],
  },
  'bulkhead.rejected': {
    kind: 'counter',
    name: 'resilience_bulkhead_rejected_total',
    help: 'Attempts that the bulkhead rejected, by reason: full, queue-timeout, deadline, displaced or shutdown.',
    labels: ['bulkhead', 'reason'],
  },
  'service.error': {
    kind: 'counter',
    name: 'resilience_service_error_total',
    help: 'Calls that failed for good, hidden by a fallback or not; critical is true for operations that alert.',
    labels: ['operation', 'critical'],
  },
  'service.fallback_success': {
    kind: 'counter',
    name: 'resilience_service_fallback_success_total',
    help: 'Failed calls that were answered by their fallback.',
    labels: ['operation'],
  },
  'service.fallback_failed': {
    kind: 'counter',
    name: 'resilience_service_fallback_failed_total',
    help: 'Failed calls whose fallback failed too.',
    labels: ['operation'],
  },
};
