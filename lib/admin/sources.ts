import type { ModuleRef } from '@nestjs/core';
import {
  Chaos,
  CircuitBreakerRegistry,
  ErrorTracker,
  MetricsFanOut,
  ResilienceAdvisor,
  ResilienceConfigurationError,
  ResilienceEvents,
  ResilienceService,
} from '../index.js';

/** The injectables of `ResilienceModule` that are shown, and what is said to. */
export interface Sources {
  readonly advisor: ResilienceAdvisor;
  readonly breakers: CircuitBreakerRegistry;
  readonly chaos: Chaos;
  readonly errors: ErrorTracker;
  readonly events: ResilienceEvents;
  readonly metrics: MetricsFanOut;
  readonly resilience: ResilienceService;
}

/**
 * Looks them up in the whole application, so that they are found with `isGlobal: false` too.
 *
 * @throws ResilienceConfigurationError where there are none
 */
export function sourcesIn(moduleRef: ModuleRef): Sources {
  const find = { strict: false };
  try {
    return {
      advisor: moduleRef.get(ResilienceAdvisor, find),
      breakers: moduleRef.get(CircuitBreakerRegistry, find),
      chaos: moduleRef.get(Chaos, find),
      errors: moduleRef.get(ErrorTracker, find),
      events: moduleRef.get(ResilienceEvents, find),
      metrics: moduleRef.get(MetricsFanOut, find),
      resilience: moduleRef.get(ResilienceService, find),
    };
  } catch {
    throw new ResilienceConfigurationError(
      'ResilienceModule',
      'there is no ResilienceModule.forRoot() in this application to show; import it in the root module',
    );
  }
}
