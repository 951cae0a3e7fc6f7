import { describeOperation, type OperationDescription } from '../binding/operation-description.js';
import { OptionOrigins } from '../binding/option-origins.js';
import type { ResilienceRuntime } from '../binding/runtime.js';
import { ResilienceConfigurationError } from '../common/configuration.error.js';
import type { StageInstances } from '../common/stage-instances.js';
import type { AttemptContext } from '../context/scope.js';
import { type ControlScope, ordersFor } from '../fleet/control-scope.js';
import type { FleetView } from '../fleet/fleet-view.js';
import type { ResilienceOverrides } from '../overrides/overrides.js';
import type { AnyStage } from '../own-stage/define-stage.js';
import type { ExecuteOptions, Pipeline } from '../pipeline/pipeline.js';
import type { RetryBudgetSnapshot } from '../retry/retry-budget.js';
import { snapshotsOf } from '../retry/retry-budgets.js';
import type { ServiceOptions } from '../service/service.options.js';
import type { SheddingSnapshot } from '../shedding/shedding.js';
import { isInline } from '../stage/named-instances.js';

/** What was said in one place in the place of options. */
export interface OverridesInPlace {
  /** `overrides`, an environment variable, `changes`, or `ResilienceService.reconfigure()`. */
  readonly place: string;
  /** All that was said there and was not taken back. */
  readonly overrides: ResilienceOverrides;
}

/** Makes resilient calls of code that no decorator is on, and shows all operations of the application. Injectable. */
export class ResilienceService {
  private unnamed = 0;

  /** @internal */
  constructor(private readonly runtime: ResilienceRuntime) {}

  /**
   * Calls `fn` under a bundle.
   *
   * @param service the name of one in `services`
   * @throws ResilienceConfigurationError on an unknown name
   * @throws what the last attempt threw; `CircuitBreakerOpenError`, `RateLimitedError`, `TimeoutError`,
   * `BulkheadRejectedError`
   *
   * @example
   * await resilience.execute('payments', ({ signal }) => fetch('https://payments.test', { signal }));
   */
  async execute<T>(
    service: string,
    fn: (attempt: AttemptContext) => PromiseLike<T>,
    options?: ExecuteOptions,
  ): Promise<T> {
    return this.runtime.programmatic.service(service).pipeline.execute(fn, options);
  }

  /**
   * Puts a pipeline together, which shares named breakers and bulkheads with the decorators. Make it
   * once and keep it: the application keeps neither it nor its own breaker and bulkhead, which are
   * registered under its name for as long as somebody holds them, or until `dispose()`.
   *
   * @param given a bundle; its `name` is that of its operation. Pipelines without one are all called `pipeline`;
   * those with a breaker or a bulkhead of their own are numbered, which cannot be shared.
   * @throws ResilienceConfigurationError where options are wrong, a name is unknown or taken
   *
   * @example
   * const checkout = resilience.pipeline({ name: 'checkout', retry: { maxAttempts: 3 }, timeoutMs: 800 });
   * await checkout.execute(({ signal }) => fetch('https://shop.test/checkout', { signal }));
   */
  pipeline<Stages extends readonly AnyStage[] = []>(
    given: ServiceOptions<Stages> & { name?: string },
  ): Pipeline {
    const { name, ...options } = given as ServiceOptions & { name?: string };
    return this.runtime.programmatic.addPipeline(name ?? this.nameFor(options), options).pipeline;
  }

  private nameFor(options: object): string {
    const given = options as Record<string, unknown>;
    const own = this.runtime.catalog
      .named()
      .map(({ instances }) => instances.stage)
      .filter((stage) => isInline(given[stage]));
    const { defaults } = this.runtime.options;
    for (const stage of own) checkNotShared(stage, { ...defaults }[stage], given[stage]);
    return own.length > 0 ? `pipeline-${++this.unnamed}` : 'pipeline';
  }

  /**
   * Every resilient operation of the application, with the options in force.
   *
   * @example
   * const names = resilience.describe().map(({ operation }) => operation);
   */
  describe(): OperationDescription[] {
    const { catalog, live } = this.runtime;
    const operations = this.runtime.operations();
    const origins = new OptionOrigins(catalog, operations, live.inForce);
    return operations.map((operation) => describeOperation(operation, catalog.stages, origins));
  }

  /**
   * Changes options while the application runs. All of it is checked first, also on what it comes to together
   * with what was said before, and then applied as one. Calls in flight end by the options that they began with.
   *
   * It is put onto what was said at run time before, option by option; `null` takes an option back to what lies
   * below.
   *
   * @throws ResilienceConfigurationError having changed nothing, with the place and what is allowed
   *
   * @example
   * resilience.reconfigure({ operations: { 'PaymentsClient.charge': { timeout: 800, retry: { maxAttempts: 1 } } } });
   */
  reconfigure<Stages extends readonly AnyStage[] = []>(
    overrides: ResilienceOverrides<Stages>,
    scope?: ControlScope,
  ): void {
    const place = 'ResilienceService.reconfigure()';
    const { live, fleet } = this.runtime;
    const orders = ordersFor(scope, fleet?.orders, place);
    live.reconfigure(place, overrides, scope?.by, orders);
  }

  /** What has been said to take the place of options, by where that was: the later ones win. */
  overrides(): OverridesInPlace[] {
    const { sources } = this.runtime.live.inForce;
    return sources.map(({ place, said }) => ({ place, overrides: said }));
  }

  /**
   * The circuit breakers, the bulkheads, and the instances of your own stages, as they stand: what health
   * checks and dashboards show.
   */
  instances(): StageInstances[] {
    return this.runtime.catalog.instances();
  }

  /** How the server sheds at this moment; `undefined` without `inbound.shedding`. */
  shedding(): SheddingSnapshot | undefined {
    return this.runtime.shedding.getSnapshot();
  }

  /**
   * Saves now what the policies have learnt, where the module has `state`: for a serverless function that is
   * about to be frozen, and may not be thawed again. It never rejects, and takes as long as `state.timeoutMs`
   * at most; what fails is logged once.
   *
   * @example
   * await resilience.saveState(); // at the end of each invocation of a function
   */
  async saveState(): Promise<void> {
    await this.runtime.memory?.save();
  }

  /** The retry budgets of all operations, each once, as they stand. */
  retryBudgets(): RetryBudgetSnapshot[] {
    const sources = this.runtime.operations().flatMap(({ pipeline }) => {
      const { retry, hedge } = pipeline.plan.stages;
      return [retry?.budget, hedge?.budget].filter((budget) => budget !== undefined);
    });
    return snapshotsOf(sources);
  }

  /** The instances that the application shares with, where it is one of many: what dashboards show of them. */
  fleet(): FleetView | undefined {
    return this.runtime.fleetView;
  }
}

/** By a number, in each instance another pipeline would share it. */
function checkNotShared(stage: string, defaults: unknown, given: unknown): void {
  const { shared = false } = Object.assign({}, defaults, given) as { shared?: unknown };
  if (shared === false) return;
  throw new ResilienceConfigurationError(
    'ResilienceService.pipeline().name',
    `is missing, and instances share its ${stage} by it; allowed: a name, such as 'checkout'`,
  );
}
