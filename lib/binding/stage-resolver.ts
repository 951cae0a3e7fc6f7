import {
  type BulkheadOptions,
  checkBulkheadOptions,
  mergeBulkheadOptions,
} from '../bulkhead/bulkhead.options.js';
import type { BulkheadPolicy } from '../bulkhead/bulkhead.policy.js';
import {
  type CircuitBreakerOptions,
  checkCircuitBreakerOptions,
  mergeCircuitBreakerOptions,
} from '../circuit-breaker/circuit-breaker.options.js';
import type { CircuitBreakerPolicy } from '../circuit-breaker/circuit-breaker.policy.js';
import { ResilienceConfigurationError } from '../common/configuration.error.js';
import { boolean, check, defined, duration, merge, text } from '../common/options.js';
import { decoratorOf, type Settings } from '../dispatch/method-definition.js';
import { fallbackArgument } from '../fallback/fallback.options.js';
import { type FallbackFunction, FallbackPolicy } from '../fallback/fallback.policy.js';
import { hedgeArgument, mergeHedges } from '../hedge/hedge.options.js';
import { HedgePolicy } from '../hedge/hedge.policy.js';
import type { Stages } from '../pipeline/stages.js';
import { type RetryOptions, retryArgument } from '../retry/retry.options.js';
import { RetryPolicy } from '../retry/retry.policy.js';
import { RetryBudget } from '../retry/retry-budget.js';
import { resilienceArgument } from '../service/resilience.options.js';
import type { ServiceOptions } from '../service/service.options.js';
import { TimeoutPolicy } from '../timeout/timeout.policy.js';
import type { PolicyCatalog } from './policy-catalog.js';

/** Where settings stand that decorators said: `PaymentsService.charge @Retry()`. */
export function atDecorators(place: string): (stage: keyof Settings) => string {
  return (stage) => `${place} ${decoratorOf(stage)}`;
}

/** Where settings stand that options say: `services.payments.retry`. */
export function inOptions(place: string): (stage: keyof Settings) => string {
  return (stage) =>
    stage === 'resilience' ? place : `${place}.${stage === 'timeout' ? 'timeoutMs' : stage}`;
}

/** An operation as its settings describe it. */
export interface ResolvedOperation {
  stages: Stages;
  /** Of the bundle that was applied last. */
  service: string | undefined;
  upstream: string | undefined;
  /** Takes answers that nobody waits for any more. */
  onDiscard?: ((answer: unknown) => unknown) | undefined;
}

/**
 * Turns what decorators said into stages: later layers (the method's) override earlier ones (the
 * class's) field by field, `defaults` fill in the rest, and names become the policies they stand for.
 */
export class StageResolver {
  private readonly layers: Settings[];
  private service: string | undefined = undefined;

  /**
   * @param name what an inline breaker or bulkhead is called
   * @param placeOf where a stage's settings stand, for messages
   */
  constructor(
    private readonly catalog: PolicyCatalog,
    private readonly name: string,
    private readonly placeOf: (stage: keyof Settings) => string,
    layers: Settings[],
  ) {
    this.layers = layers.flatMap((layer) =>
      'resilience' in layer ? [...this.bundle(layer.resilience), layer] : [layer],
    );
  }

  /** @throws ResilienceConfigurationError */
  resolve(): ResolvedOperation {
    const isText = (value: unknown, place: string) => check(place, value, text);
    const upstream = this.last<string>('upstream', isText);
    const retry = this.retry(upstream);
    const stages: Stages = {
      critical: this.last('critical', (value, place) => check(place, value, boolean)),
      fallback: this.fallback(),
      retry,
      hedge: this.hedge(upstream, retry),
      circuitBreaker: this.circuitBreaker(),
      timeout: this.timeout(),
      bulkhead: this.bulkhead(),
    };
    // The options that bring it have been checked.
    const onDiscard = this.values('onDiscard').at(-1) as ResolvedOperation['onDiscard'];
    return { stages, service: this.service, upstream, onDiscard };
  }

  private bundle(argument: unknown): Settings[] {
    const place = this.placeOf('resilience');
    const { service, onDiscard } = resilienceArgument(place, argument);
    const own: Settings = defined({ onDiscard });
    if (service === undefined) return [own];
    this.service = service;
    return [settingsOf(this.catalog.service(service, place), service), own];
  }

  /** Also an `undefined` that somebody wrote: a constant that a circular import has not set yet. */
  private values(stage: keyof Settings): unknown[] {
    return this.layers.filter((layer) => stage in layer).map((layer) => layer[stage]);
  }

  private last<T>(
    stage: keyof Settings,
    checkValue: (value: unknown, place: string) => void,
  ): T | undefined {
    const values = this.values(stage);
    for (const value of values) checkValue(value, this.placeOf(stage));
    return values.at(-1) as T | undefined;
  }

  private retry(upstream: string | undefined): RetryPolicy | undefined {
    const place = this.placeOf('retry');
    const layers = this.values('retry').map((value) =>
      typeof value === 'string' ? this.catalog.retry(value, place) : retryArgument(place, value),
    );
    if (layers.length === 0) return undefined;
    const given = merge<RetryOptions>(...layers);
    const options = merge<RetryOptions>(this.catalog.defaults.retry, given);
    const budget = this.budget(upstream, given.budget, `${place}.budget`);
    return new RetryPolicy(options, place, budget);
  }

  private hedge(
    upstream: string | undefined,
    retry: RetryPolicy | undefined,
  ): HedgePolicy | undefined {
    const place = this.placeOf('hedge');
    const layers = this.values('hedge').map((value) => hedgeArgument(place, value));
    if (layers.length === 0) return undefined;
    const budget = retry === undefined ? this.budget(upstream, undefined, place) : retry.budget;
    return new HedgePolicy(mergeHedges(layers), place, budget);
  }

  /** What `defaults` say is for the budgets that are shared by upstream. */
  private budget(
    upstream: string | undefined,
    given: RetryOptions['budget'],
    place: string,
  ): RetryBudget | undefined {
    const { budgets, defaults } = this.catalog;
    const budget = given ?? defaults.retry?.budget;
    if (budget === false) return undefined;
    if (typeof budget === 'string') return budgets.find(budget, place);
    if (given !== undefined || upstream === undefined) return new RetryBudget(this.name, budget);
    return budgets.of(upstream, budget);
  }

  private circuitBreaker(): CircuitBreakerPolicy | undefined {
    const { breakers, defaults } = this.catalog;
    const place = this.placeOf('circuitBreaker');
    const found = pick<CircuitBreakerOptions>(
      this.values('circuitBreaker'),
      (options) => checkCircuitBreakerOptions(place, options),
      (name) => breakers.find(name, place).given,
      mergeCircuitBreakerOptions,
    );
    if (found === undefined) return undefined;
    if (typeof found === 'string') return breakers.find(found, place);
    return breakers.define(
      this.name,
      mergeCircuitBreakerOptions(defaults.circuitBreaker, found),
      place,
    );
  }

  private bulkhead(): BulkheadPolicy | undefined {
    const { bulkheads, defaults } = this.catalog;
    const place = this.placeOf('bulkhead');
    const found = pick<BulkheadOptions>(
      this.values('bulkhead'),
      (options) => checkBulkheadOptions(place, options),
      (name) => bulkheads.find(name, place).given,
      mergeBulkheadOptions,
    );
    if (found === undefined) return undefined;
    if (typeof found === 'string') return bulkheads.find(found, place);
    return bulkheads.define(this.name, mergeBulkheadOptions(defaults.bulkhead, found), place);
  }

  private timeout(): TimeoutPolicy | undefined {
    const place = this.placeOf('timeout');
    const values = this.values('timeout');
    const given = values.filter((value) => value !== undefined).at(-1);
    if (given !== undefined) return this.timeoutOf(given, place);
    if (values.length === 0) return undefined;
    const { timeoutMs } = this.catalog.defaults;
    if (timeoutMs !== undefined) return new TimeoutPolicy(timeoutMs);
    throw new ResilienceConfigurationError(
      place,
      "is given nothing, and there is no defaults.timeoutMs; allowed: milliseconds, or '<hierarchy>.<layer>'",
    );
  }

  private timeoutOf(given: unknown, place: string): TimeoutPolicy {
    if (typeof given === 'string')
      return new TimeoutPolicy(this.catalog.timeoutMs(given, place), place);
    check(place, given, duration);
    return new TimeoutPolicy(given as number, place);
  }

  private fallback(): FallbackPolicy | undefined {
    const place = this.placeOf('fallback');
    const layers = this.values('fallback').map((value) => fallbackArgument(place, value));
    if (layers.length === 0) return undefined;
    const { handler, when } = merge(...layers);
    return new FallbackPolicy(handler as PropertyKey | FallbackFunction, when);
  }
}

/** A name, or the options of something of one's own: those of the name below it, overridden. */
function pick<O extends object>(
  values: unknown[],
  checkOptions: (options: unknown) => O,
  optionsOf: (name: string) => O,
  mergeOptions: (...layers: (O | undefined)[]) => O,
): string | O | undefined {
  return values.reduce<string | O | undefined>((below, value) => {
    if (typeof value === 'string') return value;
    const options = checkOptions(value);
    if (typeof below !== 'string') return mergeOptions(below, options);
    return Object.keys(options).length === 0 ? below : mergeOptions(optionsOf(below), options);
  }, undefined);
}

/**
 * A bundle, as the decorators that would say the same.
 *
 * @param name of the bundle, under which its inline breaker and bulkhead are shared
 */
export function settingsOf(service: ServiceOptions, name?: string): Settings {
  const { timeoutMs, circuitBreaker, bulkhead, ...rest } = service;
  const settings: Settings = defined(rest);
  if (timeoutMs !== undefined) settings.timeout = timeoutMs;
  if (circuitBreaker !== undefined)
    settings.circuitBreaker =
      typeof circuitBreaker === 'string' ? circuitBreaker : (name ?? circuitBreaker);
  if (bulkhead !== undefined)
    settings.bulkhead = typeof bulkhead === 'string' ? bulkhead : (name ?? bulkhead);
  return settings;
}
