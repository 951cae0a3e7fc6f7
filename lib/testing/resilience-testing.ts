import {
  BulkheadRegistry,
  CircuitBreakerRegistry,
  type PolicyKey,
  RateLimitRegistry,
} from '../index.js';
import type { ApplicationBench } from './application-bench.js';
import type { TestingMode } from './modes.js';
import { BreakerInTest, BulkheadInTest, RateLimitInTest } from './policy-states.js';

/** The resilience of an application under test: `moduleRef.get(ResilienceTesting)`. */
export class ResilienceTesting {
  private readonly bulkheads = new WeakMap<object, BulkheadInTest>();

  /** @internal */
  constructor(private readonly bench: ApplicationBench) {}

  /** What calls go through. */
  get mode(): TestingMode {
    return this.bench.mode;
  }

  /** From now on policies do what they do in production. Calls under way end as they began. */
  enforce(): void {
    this.bench.switchTo('enforce');
  }

  /** From now on policies neither wait nor retry nor reject: methods are as if they were bare. */
  passThrough(): void {
    this.bench.switchTo('pass-through');
  }

  /** From now on policies do not wait: retries follow at once, and what finds no room is rejected at once. */
  failFast(): void {
    this.bench.switchTo('fail-fast');
  }

  /**
   * A circuit breaker: one of the module's, or that of an operation (`SearchClient.query`).
   *
   * @param key of one that is kept by key; made where there is none yet
   * @throws ResilienceConfigurationError on an unknown name, listing the known ones
   */
  breaker(name: string, key?: PolicyKey): BreakerInTest {
    return new BreakerInTest(this.policyOf(CircuitBreakerRegistry, name, key));
  }

  /**
   * A bulkhead: one of the module's, or that of an operation.
   *
   * @param key of one that is kept by key; made where there is none yet
   * @throws ResilienceConfigurationError on an unknown name, listing the known ones
   */
  bulkhead(name: string, key?: PolicyKey): BulkheadInTest {
    const policy = this.policyOf(BulkheadRegistry, name, key);
    const known = this.bulkheads.get(policy) ?? new BulkheadInTest(policy);
    this.bulkheads.set(policy, known);
    return known;
  }

  /**
   * A rate limit: one of the module's, or that of an operation.
   *
   * @param key of one that is kept by key; made where there is none yet
   * @throws ResilienceConfigurationError on an unknown name, listing the known ones
   */
  rateLimit(name: string, key?: PolicyKey): RateLimitInTest {
    return new RateLimitInTest(this.policyOf(RateLimitRegistry, name, key));
  }

  /** Forgets the calls so far: `expectCalls()` is of those that come. */
  clearCalls(): void {
    this.bench.calls.clear();
  }

  private policyOf<R extends Registries>(
    registry: abstract new (...args: never[]) => R,
    name: string,
    key: PolicyKey | undefined,
  ): ReturnType<R['get']> {
    const found = this.bench.runtime.catalog
      .named()
      .map((named) => named.registry as unknown)
      .find((each): each is R => each instanceof registry) as R;
    const policy = key === undefined ? found.get(name) : found.keyed(name).forKey(key);
    return policy as ReturnType<R['get']>;
  }
}

type Registries = CircuitBreakerRegistry | BulkheadRegistry | RateLimitRegistry;
