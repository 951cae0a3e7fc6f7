import { NamedOptions } from '../common/named-options.js';
import type { StageInstances } from '../common/stage-instances.js';
import { viewsOf } from '../instances/instance-views.js';
import { NamedCatalog } from '../instances/named-catalog.js';
import type { ServiceOptions } from '../service/service.options.js';
import type {
  NamingOptions,
  StageApplication,
  StageCatalog,
  StageDefinition,
  StagedOperation,
} from '../stage/stage-definition.js';
import type { Learnt } from '../state/state-document.js';
import type { ResilienceFeatureOptions } from './module.options.js';

/** What an application's decorators can refer to by name, stage by stage. */
export class PolicyCatalog {
  /** Whether a name that nobody has registered is one with defaults. */
  readonly registersUnknown: boolean;
  private readonly services: NamedOptions<ServiceOptions>;
  private readonly catalogs = new Map<string, StageCatalog>();

  /** @param stages as they nest, outermost first */
  constructor(
    readonly stages: readonly StageDefinition[],
    application: Omit<StageApplication, 'catalogOf'>,
  ) {
    const { registersUnknown = false } = application;
    this.registersUnknown = registersUnknown;
    const unregistered = registersUnknown ? {} : undefined;
    this.services = new NamedOptions('service', 'services', undefined, unregistered);
    const catalogOf: StageApplication['catalogOf'] = (type) =>
      [...this.catalogs.values()].find((catalog) => catalog instanceof type) as never;
    for (const stage of stages)
      this.catalogs.set(stage.name, stage.catalog({ ...application, catalogOf }));
  }

  /**
   * Takes in checked options. What a bundle says inline is registered under its name.
   *
   * @throws ResilienceConfigurationError where a name is taken
   */
  add(feature: ResilienceFeatureOptions): void {
    this.services.add(feature.services);
    for (const catalog of this.catalogs.values()) catalog.add?.(feature as NamingOptions);
  }

  /**
   * For when everything is known that has a name.
   *
   * @throws ResilienceConfigurationError on an unknown name
   */
  checkNames(feature: ResilienceFeatureOptions): void {
    for (const catalog of this.catalogs.values()) catalog.checkNames?.(feature as NamingOptions);
  }

  of({ name }: StageDefinition): StageCatalog {
    return this.catalogs.get(name) as StageCatalog;
  }

  /** Of the stages whose instances have names. */
  named(): NamedCatalog[] {
    return [...this.catalogs.values()].filter((catalog) => catalog instanceof NamedCatalog);
  }

  /** Of a stage, where its instances have names. */
  namedOf(stage: string): NamedCatalog | undefined {
    return this.named().find(({ instances }) => instances.stage === stage);
  }

  /** All that operations share, or have of their own, as health checks and dashboards see it. */
  instances(): StageInstances[] {
    return this.named().map(({ instances: kind, registry }) => ({
      stage: kind.stage,
      section: kind.section ?? kind.stage,
      instances: registry.entries().flatMap((entry) => viewsOf(kind, entry)),
    }));
  }

  /** @throws ResilienceConfigurationError on an unknown name */
  service(name: string, place: string): ServiceOptions {
    return this.services.find(name, place);
  }

  /** What is allowed, but is probably not what was meant. */
  doubts(operations: readonly StagedOperation[]): string[] {
    return [...this.catalogs.values()].flatMap((catalog) => catalog.doubts?.(operations) ?? []);
  }

  /** What the application's policies have learnt so far: of each kind in turn the most important first. */
  learnt(): Learnt[] {
    return [...this.catalogs.values()].flatMap((catalog) => catalog.learnt?.() ?? []);
  }

  /** What was known before a restart has been loaded. */
  recall(): void {
    for (const catalog of this.catalogs.values()) catalog.recall?.();
  }

  /** The application has ended. */
  ended(): void {
    for (const catalog of this.catalogs.values()) catalog.ended?.();
  }

  /** The application begins to close. */
  shutdown(): void {
    for (const catalog of this.catalogs.values()) catalog.shutdown?.();
  }
}
