import bulkhead from './cases/bulkhead.js';
import bulkheadPolicy from './cases/bulkhead-policy.js';
import circuitBreaker from './cases/circuit-breaker.js';
import circuitBreakerPolicy from './cases/circuit-breaker-policy.js';
import critical from './cases/critical.js';
import fallback from './cases/fallback.js';
import { fullStack, fullStackBesideAls, fullStackBytes } from './cases/full-stack.js';
import openBreaker from './cases/open-breaker.js';
import retry from './cases/retry.js';
import timeout from './cases/timeout.js';
import { currentSignalCost } from './experiments/current-signal.js';
import { failures } from './experiments/failures.js';
import { httpRoute } from './experiments/http-route.js';
import { idleBreakers } from './experiments/idle-breakers.js';
import { queue } from './experiments/queue.js';
import { timeouts } from './experiments/timeouts.js';
import type { Section } from './report/section.js';

/** Everything that is measured, in the order of the report. */
export const SECTIONS: readonly Section[] = [
  fullStack,
  fullStackBesideAls,
  fullStackBytes,
  retry,
  circuitBreakerPolicy,
  circuitBreaker,
  timeout,
  bulkheadPolicy,
  bulkhead,
  fallback,
  critical,
  openBreaker,
  currentSignalCost,
  failures,
  idleBreakers,
  queue,
  timeouts,
  httpRoute,
];
