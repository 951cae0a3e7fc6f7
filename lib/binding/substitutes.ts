import { ResilienceConfigurationError } from '../common/configuration.error.js';
import type { MetricsRecorder } from '../common/metrics.js';
import { type RequestedToken, requestedTokens } from '../common/tokens.js';
import { KeyedInstances } from '../instances/keyed-instances.js';
import type { NamedCatalog } from '../instances/named-catalog.js';
import { countErrors } from '../observability/error-counters.js';
import { ErrorTracker } from '../observability/error-tracker.js';
import { InMemoryMetrics } from '../observability/in-memory-metrics.js';
import { MetricsFanOut } from '../observability/metrics-fan-out.js';
import { ResilienceEvents } from '../observability/resilience-events.js';
import type { NamedPolicy } from '../stage/named-instances.js';
import { STAGES } from '../stages.js';
import type { Configuration } from './configuration.js';

/** What a test can put something else in the place of, so that calls use it too. */
export function substitutable(): Set<unknown> {
  const policies = requestedTokens().map(({ token }) => token);
  return new Set<unknown>([
    ErrorTracker,
    ResilienceEvents,
    InMemoryMetrics,
    MetricsFanOut,
    ...STAGES.flatMap(({ instances }) => instances?.registry ?? []),
    ...policies,
  ]);
}

/**
 * Calls go on using what they use, which from now on leaves to the substitute all that it can do. So it
 * may come late, and need not be complete.
 *
 * @throws ResilienceConfigurationError where it can do nothing of what calls need
 */
export function substitute(
  token: unknown,
  given: unknown,
  { telemetry, catalog }: Configuration,
): void {
  const { tracker, events, metrics, recorders } = telemetry;
  if (typeof given !== 'object' || given === null) return; // nothing can be asked of it
  if (token === ErrorTracker) {
    leave(tracker, withCount(given));
    countErrors(tracker, metrics);
  } else if (token === ResilienceEvents) {
    needs('emit', given, 'ResilienceEvents');
    leave(events, given);
  } else if (token === MetricsFanOut) {
    metrics.replace(undefined, given as MetricsRecorder);
  } else if (token === InMemoryMetrics) {
    const replaced = recorders.find((each) => each instanceof InMemoryMetrics);
    if (replaced !== undefined) metrics.replace(replaced, given as MetricsRecorder);
  } else {
    for (const named of catalog.named())
      if (token === named.instances.registry) substituteAll(named, given);
    const requested = requestedTokens().find((each) => each.token === token);
    if (requested !== undefined) substitutePolicy(requested, given, catalog);
  }
}

function substitutePolicy(
  { stage, name }: RequestedToken,
  given: object,
  catalog: Configuration['catalog'],
): void {
  const named = catalog.namedOf(stage);
  if (!named?.registry.isTaken(name)) return;
  const { instances, registry } = named;
  const what = `the ${instances.title} "${name}"`;
  needs('admit', given, what, `a ${instances.policy.name}`);
  replace(registry, name, given);
}

/** Those that a substitute for a registry has under the names in use. */
function substituteAll({ registry }: NamedCatalog, given: object): void {
  const other = given as { has?(name: string): boolean; get?(name: string): unknown };
  for (const name of registry.names()) {
    if (other.has?.(name) === false) continue;
    const policy = other.get?.(name);
    if (typeof policy !== 'object' || policy === null || !('admit' in policy)) continue;
    replace(registry, name, policy);
  }
}

/** Of one that is kept by key, in the place of those of all keys. */
function replace(registry: NamedCatalog['registry'], name: string, given: object): void {
  const entry = registry.find(name, name);
  if (entry instanceof KeyedInstances) {
    entry.replaceBy(given);
    return;
  }
  leave(entry, given);
  registry.substitute(name, given as NamedPolicy);
}

/** A stub of the tracker knows only what is public. */
function withCount(given: object): object {
  const { count, track } = given as Partial<ErrorTracker>;
  if (count !== undefined || track === undefined) return given;
  const counting = (...args: Parameters<ErrorTracker['track']>) =>
    (given as ErrorTracker).track(...args);
  return Object.create(given, { count: { value: counting } }) as object;
}

function needs(method: string, given: object, what: string, wanted = `one of ${what}`): void {
  if (method in given) return;
  throw new ResilienceConfigurationError(
    `the provider that overrides ${what}`,
    `has no ${method}(), which calls need; allowed: ${wanted}, or of a class that extends it`,
  );
}

/** From now on `real` does what `given` does, in all that `given` has. */
function leave(real: object, given: object): void {
  if (real === given) return;
  const own = Object.getPrototypeOf(real) as object;
  for (const key of new Set([...Reflect.ownKeys(own), ...Reflect.ownKeys(real)])) {
    if (key === 'constructor' || !(key in given)) continue;
    const get = () => {
      const value = (given as Record<PropertyKey, unknown>)[key];
      return typeof value === 'function' ? (value.bind(given) as unknown) : value;
    };
    Object.defineProperty(real, key, { get, configurable: true });
  }
}
