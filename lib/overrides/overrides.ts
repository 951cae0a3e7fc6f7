import type { BulkheadOptions } from '../bulkhead/bulkhead.options.js';
import type { CircuitBreakerOptions } from '../circuit-breaker/circuit-breaker.options.js';
import type { Mode } from '../common/mode.js';
import type { HedgeOptions } from '../hedge/hedge.options.js';
import type { AnyStage, TypesOf } from '../own-stage/define-stage.js';
import type { RateLimitOptions } from '../rate-limit/rate-limit.options.js';
import type { RetryOptions } from '../retry/retry.options.js';
import type { RetryBudgetOptions } from '../retry/retry-budget.options.js';
import type { SheddingOptions } from '../shedding/shedding.options.js';
import type { TimeoutHierarchy } from '../timeout/timeout-hierarchy.js';

/** Some of the options; `null` takes one back to what lies below. */
export type Overridden<Options extends object> = {
  [Option in keyof Options]?: Options[Option] | null;
};

/** Whether a stage is on. One that an operation does not have stays off. */
export interface Switch {
  /** Whether the stage acts at all; `false` switches it off. @default true */
  enabled?: boolean | null;
}

/** Options by the name of what has them. */
type ByName<Options extends object> = Record<string, Overridden<Options> | null>;

/** How long an attempt, and a call with all its attempts, may take. */
export interface TimeoutOverrides extends Switch {
  /** What one attempt may take, in ms. */
  attemptMs?: number | null;
  /** What the call may take, with all its attempts and waits, in ms. */
  totalMs?: number | null;
  /** Whether it ends attempts, or only tells that it would. */
  mode?: Mode | null;
}

/** What is said of the library's own stages. */
interface OurStages extends Switch {
  /** The mode of the stages, where a stage itself says none: `shadow` lets everything through. */
  mode?: Mode | null;
  /** How long an attempt and the whole call may take; a number is `attemptMs`. */
  timeout?: number | TimeoutOverrides | null;
  /** How a failed call is repeated; a number is `maxAttempts`. */
  retry?: number | (Overridden<RetryOptions> & Switch) | null;
  /** When a slow call is made once more; a number is `delayMs`. */
  hedge?: number | (Overridden<HedgeOptions> & Switch) | null;
  /** When the circuit breaker opens, and for how long. */
  circuitBreaker?: (Overridden<CircuitBreakerOptions> & Switch) | null;
  /** How many calls may begin in a time. */
  rateLimit?: (Overridden<RateLimitOptions> & Switch) | null;
  /** How many calls may run at a time. */
  bulkhead?: (Overridden<BulkheadOptions> & Switch) | null;
  /** Whether the fallback answers. */
  fallback?: Switch | null;
  /** Whether equal calls share one execution. */
  coalesce?: Switch | null;
}

/** What is said of everything, or by a selector. */
interface Selectors<Said extends object> extends Switch {
  /** The mode of all policies, where nothing more particular is said: `shadow` lets everything through. */
  mode?: Mode | null;
  /** For all operations. */
  all?: Said | null;
  /** For the operations that call a dependency, by the name that `@Upstream()` or a bundle gives it. */
  upstreams?: Record<string, Said | null> | null;
  /** For the operations of a class, by its name: `PaymentsClient`. */
  classes?: Record<string, Said | null> | null;
  /** For one operation, by its name: `ClassName.method`, or that of a bundle or pipeline. */
  operations?: Record<string, Said | null> | null;
}

/** What is said by name, and of the whole server. */
interface Names {
  /** The options of circuit breakers, by name. */
  breakers?: ByName<CircuitBreakerOptions> | null;
  /** The options of bulkheads, by name. */
  bulkheads?: ByName<BulkheadOptions> | null;
  /** The options of rate limits, by name. */
  rateLimits?: ByName<RateLimitOptions> | null;
  /** The options of retries, by name. */
  retries?: ByName<RetryOptions> | null;
  /** The options of retry budgets, by name. */
  retryBudgets?: ByName<RetryBudgetOptions> | null;
  /** The times of hierarchies of timeouts, in ms, by name. */
  timeouts?: ByName<TimeoutHierarchy> | null;
  /** What holds for the whole server: when it sheds requests. */
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
