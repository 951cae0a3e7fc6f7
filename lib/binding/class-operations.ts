import type { Class } from '../common/class.js';
import { definitionsOf, type MethodDefinition } from '../dispatch/method-definition.js';
import { ClassCoverage, type CoverageReport } from './class-coverage.js';
import type { Configuration } from './configuration.js';
import { type MethodOperation, type MethodPlan, planClass } from './method-planner.js';
import { adviceOnNames, type OperationNames } from './operation-names.js';
import type { PipelineFactory } from './pipeline-factory.js';

/** The operations of decorated methods, each class's own. */
export class ClassOperations {
  private readonly planned = new Set<Class>();
  private readonly coverages = new Map<Class, ClassCoverage>();
  private readonly classes = new Map<Class, Map<MethodDefinition, MethodOperation>>();
  /** What the user should know, though it is no error. */
  readonly warnings: string[] = [];
  readonly coverageReports: CoverageReport[] = [];

  constructor(
    private readonly configuration: Configuration,
    private readonly factory: PipelineFactory,
    private readonly names: OperationNames,
  ) {}

  list(): MethodOperation[] {
    return [...this.classes.values()].flatMap((operations) => [...operations.values()]);
  }

  /**
   * Makes the operations of a class, if they are not made yet.
   *
   * @param module the name of the one that provides it, if that is known
   * @param isRequestScoped whether its objects are made for one request each
   * @returns the new ones
   * @throws ResilienceConfigurationError
   */
  plan(type: Class, module?: string, isRequestScoped = false): MethodOperation[] {
    if (this.planned.has(type)) return [];
    const definitions = definitionsOf(type);
    const made = this.make(type, definitions, module, isRequestScoped);
    this.planned.add(type);
    const covered = this.coverageOf(type).report(definitions);
    if (covered !== undefined) this.coverageReports.push(covered);
    const advice = adviceOnNames(type, made);
    if (advice !== undefined) this.warnings.push(advice);
    return made;
  }

  /**
   * The operation of a method of a class that may not have been there at boot.
   *
   * @throws ResilienceConfigurationError
   */
  find(type: Class, definition: MethodDefinition): MethodOperation | undefined {
    this.plan(type);
    const operation = this.operationsOf(type).get(definition);
    if (operation !== undefined || !this.coverageOf(type).reaches(definition)) return operation;
    return this.ofOwner(definition);
  }

  /**
   * The operation of a method by its name.
   *
   * @throws ResilienceConfigurationError
   */
  named(type: Class, key: PropertyKey): MethodOperation | undefined {
    const definition = definitionsOf(type).find((each) => each.key === key);
    return definition && this.find(type, definition);
  }

  /** What `@Critical()` says of a method as it is in a class; `undefined` where nothing says so. */
  criticalityOf(type: Class, method: unknown): boolean | undefined {
    const definition = definitionsOf(type).find(({ dispatcher }) => dispatcher === method);
    return definition && this.find(type, definition)?.pipeline.plan.critical;
  }

  /** A method that a derived class has overridden, called by `super`, is an operation of its own class. */
  private ofOwner(definition: MethodDefinition): MethodOperation | undefined {
    const { owner } = definition;
    this.make(owner, [definition]);
    return this.operationsOf(owner).get(definition);
  }

  private make(
    type: Class,
    definitions: MethodDefinition[],
    module?: string,
    isRequestScoped = false,
  ): MethodOperation[] {
    const operations = this.operationsOf(type);
    const missing = definitions.filter((definition) => !operations.has(definition));
    const claim = (name: string, key: PropertyKey) => this.names.claim(name, { type, key, module });
    const { catalog } = this.configuration;
    const coverage = this.coverageOf(type);
    const plans = planClass(type, missing, coverage, catalog, claim, isRequestScoped);
    return [...plans].map(([definition, plan]) => {
      const operation = this.operation(plan);
      operations.set(definition, operation);
      return operation;
    });
  }

  private operation(plan: MethodPlan): MethodOperation {
    this.warnings.push(...plan.warnings);
    const { name, className, kind, upstream, service, traits } = plan;
    const { mapErrors } = this.configuration.options;
    const atEdge = mapErrors === false ? undefined : traits.atEdge;
    return {
      ...traits,
      atEdge,
      kind,
      upstream,
      blueprint: plan.blueprint,
      pipeline: this.factory.make(name, service ?? className, plan, plan.blueprint),
    };
  }

  private operationsOf(type: Class): Map<MethodDefinition, MethodOperation> {
    const operations = this.classes.get(type) ?? new Map<MethodDefinition, MethodOperation>();
    this.classes.set(type, operations);
    return operations;
  }

  private coverageOf(type: Class): ClassCoverage {
    const coverage = this.coverages.get(type) ?? new ClassCoverage(type);
    this.coverages.set(type, coverage);
    return coverage;
  }
}
