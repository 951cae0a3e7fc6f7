import {
  display,
  ResilienceConfigurationError,
  unregistered,
} from '../common/configuration.error.js';
import { text } from '../common/option-rules.js';
import { check } from '../common/options.js';
import { WeakList } from '../common/weak-list.js';
import type { Settings } from '../dispatch/method-definition.js';
import type { Pipeline } from '../pipeline/pipeline.js';
import type { Stages } from '../pipeline/stages.js';
import { checkPipelineOptions, type ServiceOptions } from '../service/service.options.js';
import { isInline, type NamedPolicy } from '../stage/named-instances.js';
import { blueprintOf } from './blueprint.js';
import type { ResilienceFeatureOptions } from './module.options.js';
import type { Operation } from './operation.js';
import { OperationNames } from './operation-names.js';
import type { PipelineFactory } from './pipeline-factory.js';
import type { PolicyCatalog } from './policy-catalog.js';
import { settingsOf } from './service-settings.js';
import { inOptions } from './setting-places.js';
import { StageResolver } from './stage-resolver.js';
import { checkSuited, UNKNOWN } from './suited.js';

/** The operations that no decorator is on: the bundles in `services`, and the pipelines made in code. */
export class ProgrammaticOperations {
  private readonly services = new Map<string, Operation>();
  /** Made in code, which holds them if anybody does. */
  private readonly pipelines = new WeakList<Pipeline>();
  private readonly operations = new WeakMap<Pipeline, Operation>();
  /** Those of all operations, also of the classes'. */
  readonly names = new OperationNames((name) =>
    [...this.pipelines].some(({ plan }) => plan.operation === name),
  );

  constructor(
    private readonly catalog: PolicyCatalog,
    private readonly factory: PipelineFactory,
  ) {}

  list(): Operation[] {
    const made = [...this.pipelines].flatMap((pipeline) => this.operations.get(pipeline) ?? []);
    return [...this.services.values(), ...made];
  }

  /**
   * Makes the operations of bundles, which the catalog knows.
   *
   * @throws ResilienceConfigurationError
   */
  addServices({ services }: ResilienceFeatureOptions): void {
    for (const name of Object.keys(services ?? {})) this.addService(name, `services.${name}`);
  }

  /** @throws ResilienceConfigurationError on an unknown name */
  service(name: string): Operation {
    const operation = this.services.get(name);
    if (operation !== undefined) return operation;
    const place = `ResilienceService.execute(${display(name)})`;
    if (this.catalog.registersUnknown) return this.addService(name, place);
    throw new ResilienceConfigurationError(
      place,
      unregistered('service', name, this.services.keys(), 'services'),
    );
  }

  /** @throws ResilienceConfigurationError */
  addPipeline(name: string, options: ServiceOptions): Operation {
    check('the name of a pipeline', name, text);
    const place = `pipeline ${display(name)}`;
    this.names.claim(name, 'a pipeline');
    const { stages } = this.catalog;
    const settings = settingsOf(checkPipelineOptions(place, options, stages), stages);
    const operation = this.operation(name, place, settings);
    const { pipeline } = operation;
    this.pipelines.add(pipeline);
    this.operations.set(pipeline, operation);
    const forget = this.loosenOwn(settings, pipeline.plan.stages);
    pipeline.onDisposed = () => {
      this.pipelines.delete(pipeline);
      forget();
    };
    return operation;
  }

  private addService(name: string, place: string): Operation {
    this.names.claim(name, 'a bundle in services');
    const operation = this.operation(name, place, { resilience: name });
    this.services.set(name, operation);
    return operation;
  }

  private operation(name: string, place: string, settings: Settings): Operation {
    const { catalog } = this;
    const placeOf = inOptions(place);
    const resolver = new StageResolver(catalog, { operation: name }, placeOf, [settings]);
    const suited = (stages: Stages) => {
      checkSuited({ stages }, placeOf, catalog, UNKNOWN);
      return stages;
    };
    const resolved = resolver.resolve();
    suited(resolved.stages);
    const blueprint = blueprintOf(resolver, suited);
    const pipeline = this.factory.make(name, name, resolved, blueprint);
    return { kind: 'service', upstream: resolved.upstream, blueprint, pipeline };
  }

  /**
   * The policies of a pipeline's own live as long as it does.
   *
   * @returns forgets them at once
   */
  private loosenOwn(settings: Settings, stages: Stages): () => void {
    const own = this.catalog.named().flatMap((named) => {
      const { stage } = named.instances;
      const policy = stages[stage] as NamedPolicy | undefined;
      return policy && isInline(settings[stage]) ? [{ named, policy }] : [];
    });
    for (const { named, policy } of own) named.loosen(policy);
    return () => {
      for (const { named, policy } of own) named.remove(policy);
    };
  }
}
