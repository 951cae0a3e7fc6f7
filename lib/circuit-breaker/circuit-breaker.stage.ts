import { checked, nameOr } from '../common/options.js';
import { NamedCatalog } from '../stage/named-catalog.js';
import type { StageDefinition } from '../stage/stage-definition.js';
import { CircuitBreakerOpenError } from './circuit-breaker.error.js';
import { checkCircuitBreakerOptions } from './circuit-breaker.options.js';
import type { CircuitBreakerPolicy } from './circuit-breaker.policy.js';
import { BREAKERS } from './circuit-breaker.registry.js';
import { CIRCUIT_BREAKER_METRICS } from './circuit-breaker.telemetry.js';

/** Stops calling what keeps failing. */
export const circuitBreakerStage = {
  name: 'circuitBreaker',
  title: 'circuit breaker',
  place: 'attempt',
  error: CircuitBreakerOpenError,
  rule: nameOr(checkCircuitBreakerOptions),
  defaults: { key: 'circuitBreaker', rule: checked(checkCircuitBreakerOptions) },
  sections: { breakers: checkCircuitBreakerOptions },
  instances: BREAKERS,
  catalog: (application) => new NamedCatalog(BREAKERS, application),
  describe: ({ name, options }) => ({ name, ...options }),
  summarize: ({ name }) => `circuit breaker ${name}`,
  metrics: CIRCUIT_BREAKER_METRICS,
} satisfies StageDefinition<CircuitBreakerPolicy>;
