import type { BulkheadOptions } from '../bulkhead/bulkhead.options.js';
import type { CircuitBreakerOptions } from '../circuit-breaker/circuit-breaker.options.js';
import type { Mode } from '../common/mode.js';
import type { HedgeOptions } from '../hedge/hedge.options.js';
import type { RateLimitOptions } from '../rate-limit/rate-limit.options.js';
import type { RetryOptions } from '../retry/retry.options.js';
import type { RetryBudgetOptions } from '../retry/retry-budget.options.js';
import type { SheddingOptions } from '../shedding/shedding.options.js';
import type { AnyStage, TypesOf } from '../stage/define-stage.js';
import type { TimeoutHierarchy } from '../timeout/timeout-hierarchy.js';

/** Some of the options; `null` takes one back to what lies below. */
export type Overridden<Options extends object> = {
  [Option in keyof Options]?: Options[Option] | null;
};

/** Whether a stage is on. One that an operation does not have stays off. */
export interface Switch {
  /** @default true */
  enabled?: boolean | null;
}

/** The same by name. */
type ByName<Options extends object> = Record<string, Overridden<Options> | null>;

/** How long an attempt, and a call with all its attempts, may take. */
export interface TimeoutOverrides extends Switch {
  /** In ms. */
  attemptMs?: number | null;
  /** In ms. */
  totalMs?: number | null;
  /** Whether it ends attempts, or only tells that it would. */
  mode?: Mode | null;
}

/** What is said of the library's own stages. */
interface OurStages extends Switch {
  /** Of all stages that have one, where the stage itself says nothing. */
  mode?: Mode | null;
  /** A number is `attemptMs`. */
  timeout?: number | TimeoutOverrides | null;
  /** A number is `maxAttempts`. */
  retry?: number | (Overridden<RetryOptions> & Switch) | null;
  /** A number is `delayMs`. */
  hedge?: number | (Overridden<HedgeOptions> & Switch) | null;
  circuitBreaker?: (Overridden<CircuitBreakerOptions> & Switch) | null;
  rateLimit?: (Overridden<RateLimitOptions> & Switch) | null;
  bulkhead?: (Overridden<BulkheadOptions> & Switch) | null;
  fallback?: Switch | null;
  coalesce?: Switch | null;
}

/** What is said of everything, or by a selector. */
interface Selectors<Said extends object> extends Switch {
  /** Of everything that has one, where nothing more particular is said. */
  mode?: Mode | null;
  all?: Said | null;
  /** By what `@Upstream()` and bundles say. */
  upstreams?: Record<string, Said | null> | null;
  /** By the names of classes, as operations have them. */
  classes?: Record<string, Said | null> | null;
  /** By name: `ClassName.method`, that of a bundle, or of a pipeline. */
  operations?: Record<string, Said | null> | null;
}

/** What is said by name, and of the whole server. */
interface Names {
  breakers?: ByName<CircuitBreakerOptions> | null;
  bulkheads?: ByName<BulkheadOptions> | null;
  rateLimits?: ByName<RateLimitOptions> | null;
  retries?: ByName<RetryOptions> | null;
  retryBudgets?: ByName<RetryBudgetOptions> | null;
  timeouts?: ByName<TimeoutHierarchy> | null;
  /** Of the whole server. */
  inbound?: { shedding?: (Overridden<SheddingOptions> & Switch) | null } | null;
}

/**
 * What is said of stages of an application's own. Without any it is `unknown`, which vanishes from the types
 * below: `{}` would let texts and arrays through.
 */
type IfAny<Stages extends readonly AnyStage[], Said> = Stages extends readonly [] ? unknown : Said;

/**
 * What is said of the operations that a selector reaches, stage by stage, also of stages of your own by their
 * names: `StageOverrides<[typeof throttle]>`. `null` takes back to what lies below.
 */
export type StageOverrides<Stages extends readonly AnyStage[] = []> = OurStages &
  IfAny<
    Stages,
    {
      [S in Stages[number] as S['name']]?:
        | (Overridden<TypesOf<S>['options']> & Switch)
        | TypesOf<S>['short']
        | null;
    }
  >;

/**
 * What takes the place of options that decorators and the module say. Of selectors the most particular wins:
 * `all`, then `upstreams`, `classes` and `operations`; of what has a name, that name. Stages of your own are
 * said as well: `ResilienceOverrides<[typeof throttle]>`.
 */
export type ResilienceOverrides<Stages extends readonly AnyStage[] = []> = Selectors<
  StageOverrides<Stages>
> &
  Names &
  IfAny<
    Stages,
    {
      [S in Stages[number] as TypesOf<S>['section']]?: Record<
        string,
        Overridden<TypesOf<S>['options']> | TypesOf<S>['short'] | null
      > | null;
    }
  >;
