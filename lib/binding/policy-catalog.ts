import { mergeBulkheadOptions } from '../bulkhead/bulkhead.options.js';
import type { BulkheadRegistry } from '../bulkhead/bulkhead.registry.js';
import { mergeCircuitBreakerOptions } from '../circuit-breaker/circuit-breaker.options.js';
import type { CircuitBreakerRegistry } from '../circuit-breaker/circuit-breaker.registry.js';
import {
  display,
  known,
  ResilienceConfigurationError,
  unregistered,
} from '../common/configuration.error.js';
import { numberMeant } from '../common/spelling.js';
import type { ResilienceDefaults, ResilienceFeatureOptions } from '../resilience-module.options.js';
import type { RetryOptions } from '../retry/retry.options.js';
import { RetryBudgets } from '../retry/retry-budgets.js';
import type { ServiceOptions } from '../service/service.options.js';
import type { TimeoutHierarchy, TimeoutLayer } from '../timeout/timeout-hierarchy.js';

/** What an application's decorators can refer to by name. */
export class PolicyCatalog {
  private readonly retries = new Map<string, RetryOptions>();
  private readonly timeouts = new Map<string, TimeoutHierarchy>();
  readonly budgets = new RetryBudgets();
  private readonly services = new Map<string, ServiceOptions>();

  constructor(
    readonly breakers: CircuitBreakerRegistry,
    readonly bulkheads: BulkheadRegistry,
    readonly defaults: ResilienceDefaults,
  ) {}

  /**
   * Takes in checked options. A bundle's inline breaker and bulkhead are registered under its name.
   *
   * @throws ResilienceConfigurationError where a name is taken
   */
  add(feature: ResilienceFeatureOptions): void {
    const { breakers, bulkheads, retries, retryBudgets, timeouts, services } = feature;
    for (const [name, options] of Object.entries(breakers ?? {})) {
      const merged = mergeCircuitBreakerOptions(this.defaults.circuitBreaker, options);
      this.breakers.define(name, merged, `breakers.${name}`);
    }
    for (const [name, options] of Object.entries(bulkheads ?? {})) {
      const merged = mergeBulkheadOptions(this.defaults.bulkhead, options);
      this.bulkheads.define(name, merged, `bulkheads.${name}`);
    }
    for (const [name, budget] of Object.entries(retryBudgets ?? {}))
      this.budgets.define(name, budget, `retryBudgets.${name}`);
    addAll(this.retries, retries, 'retries');
    addAll(this.timeouts, timeouts, 'timeouts');
    addAll(this.services, services, 'services');
    for (const [name, service] of Object.entries(services ?? {})) this.addShared(name, service);
  }

  /**
   * For when all budgets are known: also options that no operation uses must name one that there is.
   *
   * @throws ResilienceConfigurationError on an unknown name
   */
  checkBudgets({ retries }: ResilienceFeatureOptions): void {
    const named = Object.entries(retries ?? {}).map(
      ([name, retry]) => [`retries.${name}`, retry] as const,
    );
    for (const [place, retry] of [...named, ['defaults.retry', this.defaults.retry] as const])
      if (typeof retry?.budget === 'string') this.budgets.find(retry.budget, `${place}.budget`);
  }

  retry(name: string, place: string): RetryOptions {
    return lookUp(this.retries, name, place, 'retry options', 'retries');
  }

  service(name: string, place: string): ServiceOptions {
    return lookUp(this.services, name, place, 'service', 'services');
  }

  /** @param layer `'<hierarchy>.<layer>'` */
  timeoutMs(layer: string, place: string): number {
    const dot = layer.lastIndexOf('.');
    const hierarchy = this.timeouts.get(layer.slice(0, dot));
    const name = layer.slice(dot + 1) as TimeoutLayer;
    if (hierarchy !== undefined && Object.hasOwn(hierarchy, name)) return hierarchy[name];
    const layers = [...this.timeouts.keys()].flatMap((name) => [
      `${name}.client`,
      `${name}.gateway`,
      `${name}.service`,
    ]);
    const ms = numberMeant(layer);
    const remedy =
      ms === undefined
        ? "a layer is '<hierarchy>.client', '.gateway' or '.service' of one in the module's timeouts, and a time of one's own a number of ms"
        : `pass the number ${ms}`;
    throw new ResilienceConfigurationError(
      place,
      `there is no timeout ${display(layer)}; ${known(layers, layer)}; ${remedy}`,
    );
  }

  private addShared(name: string, { circuitBreaker, bulkhead }: ServiceOptions): void {
    if (typeof circuitBreaker === 'object') {
      const merged = mergeCircuitBreakerOptions(this.defaults.circuitBreaker, circuitBreaker);
      this.breakers.define(name, merged, `services.${name}.circuitBreaker`);
    }
    if (typeof bulkhead === 'object') {
      const merged = mergeBulkheadOptions(this.defaults.bulkhead, bulkhead);
      this.bulkheads.define(name, merged, `services.${name}.bulkhead`);
    }
  }
}

function addAll<T>(
  map: Map<string, T>,
  entries: Record<string, T> | undefined,
  place: string,
): void {
  for (const [name, entry] of Object.entries(entries ?? {})) {
    if (map.has(name))
      throw new ResilienceConfigurationError(
        `${place}.${name}`,
        'is registered already; allowed: a name of its own',
      );
    map.set(name, entry);
  }
}

function lookUp<T>(
  map: Map<string, T>,
  name: string,
  place: string,
  kind: string,
  section: string,
): T {
  const entry = map.get(name);
  if (entry === undefined)
    throw new ResilienceConfigurationError(place, unregistered(kind, name, map.keys(), section));
  return entry;
}
