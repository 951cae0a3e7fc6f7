import type { Provider, Type } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { ResilienceAdvisor } from '../advisor/resilience-advisor.js';
import { READY } from '../binding/policy-providers.js';
import type { ResilienceRuntime } from '../binding/runtime.js';
import { ChaosInterceptor, type ChaosInterceptorParts } from '../chaos/chaos.interceptor.js';
import { Chaos } from '../chaos/chaos.js';
import { ownFactory } from '../nest/overrides.js';
import { ErrorTracker } from '../observability/error-tracker.js';
import { InMemoryMetrics } from '../observability/in-memory-metrics.js';
import { MetricsFanOut } from '../observability/metrics-fan-out.js';
import { ResilienceEvents } from '../observability/resilience-events.js';
import { STAGES } from '../stages.js';
import { ResilienceService } from './resilience.service.js';

/** Injects the interceptor that stands inside of the application's edges. */
export const INSIDE = Symbol.for('nestjs-bulwark:inside-edge');

/** What anybody can have injected. */
export function injectables(): Provider[] {
  return [
    fromRuntime(Chaos, (runtime) => runtime.chaos),
    fromRuntime(ErrorTracker, (runtime) => runtime.telemetry.tracker),
    fromRuntime(ResilienceEvents, (runtime) => runtime.telemetry.events),
    fromRuntime(InMemoryMetrics, (runtime) =>
      runtime.telemetry.recorders.find((recorder) => recorder instanceof InMemoryMetrics),
    ),
    fromRuntime(MetricsFanOut, (runtime) => runtime.telemetry.metrics),
    ...STAGES.flatMap(({ name, instances }) =>
      instances === undefined
        ? []
        : [fromRuntime(instances.registry, (runtime) => runtime.catalog.namedOf(name)?.registry)],
    ),
    fromRuntime(
      ResilienceAdvisor,
      (runtime) =>
        new ResilienceAdvisor(
          runtime.telemetry.observations,
          () => runtime.operations().map(({ pipeline }) => pipeline.plan),
          (overrides) => runtime.live.accepts(overrides),
        ),
    ),
    fromRuntime(ResilienceService, (runtime) => new ResilienceService(runtime)),
  ];
}

/** Where requests may bring chaos along. */
export const CHAOS_AT_THE_EDGE: Provider = {
  provide: INSIDE,
  inject: [READY, ModuleRef],
  useFactory: (runtime: ResilienceRuntime, modules: ModuleRef): ChaosInterceptor | undefined => {
    const { header } = runtime.options.chaos ?? {};
    return header && new ChaosInterceptor(header, partsOf(runtime, modules));
  },
};

function partsOf(runtime: ResilienceRuntime, modules: ModuleRef): ChaosInterceptorParts {
  return {
    chaos: runtime.chaos,
    operations: () => runtime.operations().map(({ pipeline }) => pipeline.plan.operation),
    provided: (type) => modules.get(type, { strict: false }),
  };
}

function fromRuntime<T>(
  provide: abstract new (...args: never[]) => T,
  get: (runtime: ResilienceRuntime) => T | undefined,
): Provider {
  return { provide: provide as Type<T>, inject: [READY], useFactory: ownFactory(get) };
}
