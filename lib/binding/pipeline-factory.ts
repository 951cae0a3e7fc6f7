import { ChaoticPipeline } from '../chaos/chaotic-pipeline.js';
import { OperationChaos } from '../chaos/operation-chaos.js';
import { Guard } from '../errors/guard.js';
import { type OperationLabels, OperationTelemetry } from '../observability/telemetry.js';
import { Pipeline } from '../pipeline/pipeline.js';
import { Plan, type Trace } from '../pipeline/plan.js';
import type { TracedOperation } from '../pipeline/tracer.js';
import type { Shutdown } from '../shutdown/shutdown.js';
import type { Blueprint } from './blueprint.js';
import type { Configuration } from './configuration.js';
import type { ResolvedOperation } from './stage-resolver.js';

/** Makes the pipelines of one application's operations, which report to its telemetry. */
export class PipelineFactory {
  private readonly tracerGuard = new Guard('The tracer');

  constructor(
    private readonly configuration: Configuration,
    private readonly shutdown: Shutdown,
  ) {}

  /** @param service what metrics and records know the operation's owner by */
  make(
    name: string,
    service: string,
    { stages, upstream, onDiscard }: ResolvedOperation,
    blueprint: Blueprint,
  ): Pipeline {
    const { options, telemetry, chaos, live, testSetup } = this.configuration;
    const labels = {
      service,
      operation: name,
      upstream,
      critical: stages.critical,
      breaker: stages.circuitBreaker?.name,
    };
    const guard = new Guard(`onDiscard of ${name}`);
    const observer = new OperationTelemetry(labels, telemetry);
    const plan = new Plan({
      operation: name,
      stages,
      observer: testSetup?.observerOf(name, observer) ?? observer,
      shutdown: this.shutdown,
      captureStackTrace: options.captureStackTrace ?? false,
      trace: this.tracing(labels),
      onDiscard: onDiscard && ((answer) => guard.run(() => onDiscard(answer))),
    });
    for (const stage of plan.hooks.stages) stage.joined?.();
    const keepsAnswers = plan.lastGood !== undefined;
    const pipeline =
      chaos.options === undefined
        ? new Pipeline(plan)
        : new ChaoticPipeline(plan, new OperationChaos(chaos, name, upstream, keepsAnswers));
    live.adopt({ blueprint, pipeline });
    return pipeline;
  }

  /** However a tracer behaves, the call is made once, and is the call. */
  private tracing(labels: OperationLabels): Trace | undefined {
    const { options, telemetry } = this.configuration;
    const { tracer } = options;
    if (tracer === undefined) return undefined;
    const { redaction } = telemetry.tracker;
    const describe: TracedOperation['describe'] = (error) => redaction.describe(error);
    const operation: TracedOperation = { ...labels, describe };
    return <T>(call: () => Promise<T>): Promise<T> => {
      let made: Promise<T> | undefined;
      const once = () => {
        made ??= call();
        return made;
      };
      this.tracerGuard.run(() => tracer.trace(operation, once));
      return once();
    };
  }
}
