import { inspect } from 'node:util';
import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import {
  BulkheadRegistry,
  CircuitBreakerRegistry,
  ResilienceConfigurationError,
  ResilienceService,
} from '../index.js';
import {
  type BreakerHealth,
  type BulkheadHealth,
  breakerHealth,
  bulkheadHealth,
  type HealthLevel,
} from './policy-health.js';
import { UNUSED, usageOf } from './policy-usage.js';

interface Healths {
  breakers: Record<string, BreakerHealth>;
  bulkheads: Record<string, BulkheadHealth>;
}

export interface ResilienceHealthOptions {
  /**
   * Whether the open breaker of a `@Critical()` operation takes the instance down, until it is time for
   * a probe. For readiness only: a liveness probe would restart an instance because of what it depends on.
   *
   * @default false: it degrades
   */
  downOnCritical?: boolean;
}

/**
 * Health of an application's breakers and bulkheads, for `@nestjs/terminus`.
 *
 * An open or half-open breaker degrades, and so does a bulkhead whose queue is full: the instance goes
 * on serving. Only the breaker of a critical operation takes it down, and only if `downOnCritical` asks
 * for that. A disabled breaker lets everything through: it is up.
 *
 * Terminus 11 knows no `degraded`, and leaves out what says so: there the status is `up`, and the list
 * `degraded` says what is not.
 *
 * @example
 * this.health.check([() => this.resilience.isHealthy('resilience')])
 */
@Injectable()
export class ResilienceHealthIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly resilience: ResilienceService,
    private readonly breakers: CircuitBreakerRegistry,
    private readonly bulkheads: BulkheadRegistry,
  ) {}

  /**
   * How all breakers and bulkheads are now: each with its status in `breakers` and `bulkheads`, and
   * where something is wrong, the names of what is `degraded` and `down`.
   *
   * @param key under which terminus shows it
   * @throws ResilienceConfigurationError where an option is wrong
   */
  async isHealthy<const Key extends string = 'resilience'>(
    key: Key = 'resilience' as Key,
    options: ResilienceHealthOptions = {},
  ): Promise<HealthIndicatorResult<Key>> {
    const healths = this.healths(downOnCriticalOf(options));
    const [degraded, down] = [namesOf(healths, 'degraded'), namesOf(healths, 'down')];
    const details = { ...(degraded && { degraded }), ...(down && { down }), ...healths };
    const indicator = this.indicators.check(key);
    if (down !== undefined) return indicator.down(details);
    const knowsDegraded = typeof indicator.degraded === 'function'; // terminus 12
    return degraded !== undefined && knowsDegraded
      ? indicator.degraded(details)
      : indicator.up(details);
  }

  private healths(downOnCritical: boolean): Healths {
    const operations = this.resilience.describe();
    const ofBreakers = usageOf('circuitBreaker', operations);
    const ofBulkheads = usageOf('bulkhead', operations);
    return {
      breakers: byName(this.breakers.list(), (breaker) =>
        breakerHealth(breaker, ofBreakers.get(breaker.name) ?? UNUSED, downOnCritical),
      ),
      bulkheads: byName(this.bulkheads.list(), (bulkhead) =>
        bulkheadHealth(bulkhead, ofBulkheads.get(bulkhead.name) ?? UNUSED),
      ),
    };
  }
}

function byName<P extends { readonly name: string }, H>(
  policies: P[],
  healthOf: (policy: P) => H,
): Record<string, H> {
  return Object.fromEntries(policies.map((policy) => [policy.name, healthOf(policy)]));
}

/** `breakers.payments`, `bulkheads.write`; nothing where there is none. */
function namesOf({ breakers, bulkheads }: Healths, level: HealthLevel): string[] | undefined {
  const names = Object.entries({ breakers, bulkheads }).flatMap(([kind, healths]) =>
    Object.entries(healths)
      .filter(([, { status }]) => status === level)
      .map(([name]) => `${kind}.${name}`),
  );
  return names.length === 0 ? undefined : names;
}

/** @throws ResilienceConfigurationError */
function downOnCriticalOf(options: ResilienceHealthOptions): boolean {
  const place = 'ResilienceHealthIndicator.isHealthy()';
  const unknown = Object.keys(options).find((key) => key !== 'downOnCritical');
  if (unknown !== undefined) {
    throw ResilienceConfigurationError.unknownOption(`${place} ${unknown}`, unknown, [
      'downOnCritical',
    ]);
  }
  const { downOnCritical = false } = options;
  if (typeof downOnCritical === 'boolean') return downOnCritical;
  throw new ResilienceConfigurationError(
    `${place} downOnCritical`,
    `is ${inspect(downOnCritical)}; allowed: true or false`,
  );
}
