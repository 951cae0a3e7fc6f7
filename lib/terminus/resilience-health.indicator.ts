import { Injectable, Optional } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import {
  Chaos,
  checkOptions,
  type HealthLevel,
  ResilienceService,
  type Rules,
  rules,
} from '../index.js';
import { type PolicyUsage, UNUSED, usageOf } from './policy-usage.js';

/** By the module's option, and the name in it. */
type Healths = Record<string, Record<string, { status: HealthLevel }>>;

/** What makes the application unhealthy. */
export interface ResilienceHealthOptions {
  /**
   * Whether the open breaker of a `@Critical()` operation takes the instance down, until it is time for
   * a probe. For readiness only: a liveness probe would restart an instance because of what it depends on.
   *
   * @default false: it degrades
   */
  downOnCritical?: boolean;
}

const PLACE = 'ResilienceHealthIndicator.isHealthy()';
const RULES: Rules<ResilienceHealthOptions> = { downOnCritical: rules.boolean };

/**
 * Health of an application's breakers, bulkheads, rate limits and stages of its own, for `@nestjs/terminus`.
 *
 * An open or half-open breaker degrades, and so does a bulkhead or a rate limit whose queue is full: the
 * instance goes on serving. Only the breaker of a critical operation takes it down, and only if `downOnCritical` asks
 * for that. A disabled breaker lets everything through: it is up. What is kept by key is there as a whole
 * (`partner[*]`), beside the worst keys; it degrades, but never takes the instance from all others.
 *
 * Terminus 11 knows no `degraded`, and leaves out what says so: there the status is `up`, and the list
 * `degraded` says what is not.
 *
 * @example
 * await health.check([() => indicator.isHealthy('resilience')]);
 */
@Injectable()
export class ResilienceHealthIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly resilience: ResilienceService,
    @Optional() private readonly chaos?: Chaos,
  ) {}

  /**
   * How all of them are now: each with its status in `breakers`, `bulkheads` and so on, and where
   * something is wrong, the names of what is `degraded` and `down`. Where faults are injected, their rules
   * are there as `chaos`. Whether the other instances are reached is there as `fleet`, and makes nothing worse: calls
   * go on without.
   *
   * @param key under which terminus shows it
   * @throws ResilienceConfigurationError where an option is wrong
   */
  async isHealthy<const Key extends string = 'resilience'>(
    key: Key = 'resilience' as Key,
    options: ResilienceHealthOptions = {},
  ): Promise<HealthIndicatorResult<Key>> {
    const { downOnCritical = false } = checkOptions<ResilienceHealthOptions>(PLACE, options, RULES);
    const healths = this.healths(downOnCritical);
    const [degraded, down] = [namesOf(healths, 'degraded'), namesOf(healths, 'down')];
    const chaos = this.chaos?.isOn && { chaos: this.chaos.list() };
    const fleet = this.resilience.fleet();
    const details: Record<string, unknown> = {
      ...(degraded && { degraded }),
      ...(down && { down }),
      ...chaos,
      ...(fleet && { fleet: fleet.isUp ? 'up' : 'down' }),
      ...healths,
    };
    const indicator = this.indicators.check(key);
    if (down !== undefined) return indicator.down(details);
    const knowsDegraded = typeof indicator.degraded === 'function'; // terminus 12
    return degraded !== undefined && knowsDegraded
      ? indicator.degraded(details)
      : indicator.up(details);
  }

  private healths(downOnCritical: boolean): Healths {
    const operations = this.resilience.describe();
    return Object.fromEntries(
      this.resilience.instances().map(({ stage, section, instances }) => {
        const usages = usageOf(stage, operations);
        const healths = instances.map(({ name, oneOf = name, health }) => {
          const usage = usages.get(oneOf) ?? UNUSED;
          const own = health(downOnCritical && usage.critical === true);
          return [name, own.status === 'up' ? own : { ...own, ...whom(usage) }];
        });
        return [section, Object.fromEntries(healths)];
      }),
    ) as Healths;
  }
}

function whom({ critical, operations }: PolicyUsage): Partial<PolicyUsage> {
  return critical === undefined ? { operations } : { critical, operations };
}

/** `breakers.payments`, `bulkheads.write`; nothing where there is none. */
function namesOf(healths: Healths, level: HealthLevel): string[] | undefined {
  const names = Object.entries(healths).flatMap(([section, byName]) =>
    Object.entries(byName)
      .filter(([, { status }]) => status === level)
      .map(([name]) => `${section}.${name}`),
  );
  return names.length === 0 ? undefined : names;
}
