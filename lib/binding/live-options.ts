import { known, ResilienceConfigurationError } from '../common/configuration.error.js';
import {
  OverrideRules,
  overrideKeyOf,
  type SaidObject,
  type SaidOverrides,
  SELECTORS,
} from '../overrides/override-rules.js';
import type { OptionChange } from '../overrides/overrides.telemetry.js';
import {
  type OverrideSource,
  OverridesInForce,
  type Target,
} from '../overrides/overrides-in-force.js';
import type { OverridesLog } from '../overrides/overrides-log.js';
import type { StageDefinition } from '../stage/stage-definition.js';
import type { StagesProposal } from './blueprint.js';
import { differences } from './differences.js';
import type { Operation } from './operation.js';
import type { PolicyCatalog } from './policy-catalog.js';

/** Where overrides come from, the lowest first. */
const SOURCES = ['overrides', 'environment', 'changes', 'run time'] as const;

export type SourceName = (typeof SOURCES)[number];

/** An operation with what it would be. */
interface Proposed {
  readonly operation: Operation;
  readonly proposal: StagesProposal;
}

/**
 * The options of an application that can change while it runs. What is said is checked as a whole, on all that
 * it would come to, before anything of it is applied.
 */
export class LiveOptions {
  private readonly rules: OverrideRules;
  private readonly sources = new Map<SourceName, OverrideSource>();
  inForce = OverridesInForce.NONE;

  constructor(
    private readonly catalog: PolicyCatalog,
    private readonly operations: () => readonly Operation[],
    private readonly log: OverridesLog,
  ) {
    this.rules = new OverrideRules(catalog.stages);
  }

  /**
   * Puts overrides onto those that were said at run time before.
   *
   * @throws ResilienceConfigurationError, having changed nothing
   */
  reconfigure(place: string, given: unknown, by?: string): void {
    const said = this.rules.check(place, given);
    const before = this.sources.get('run time')?.said ?? {};
    const merged = this.rules.merge(before, said);
    this.put('run time', { origin: 'run time', place, said: merged }, said, by);
  }

  /** A new operation has what is in force. */
  adopt({ blueprint, pipeline }: Pick<Operation, 'blueprint' | 'pipeline'>): void {
    if (this.inForce.isEmpty) return;
    const { stages, keep } = blueprint.propose(this.inForce);
    keep();
    pipeline.plan = pipeline.plan.with(stages);
  }

  /** @param news what has just been said, whose names are looked at */
  private put(name: SourceName, source: OverrideSource, news: SaidOverrides, by?: string): void {
    const sources = new Map(this.sources).set(name, source);
    const inForce = new OverridesInForce(SOURCES.flatMap((each) => sources.get(each) ?? []));
    this.checkNames(source.place, news);
    const proposed = this.operations().map((operation) => ({
      operation,
      proposal: operation.blueprint.propose(inForce),
    }));
    const changes = this.differences(proposed);
    this.sources.set(name, source);
    this.inForce = inForce;
    for (const { operation, proposal } of proposed) apply(operation, proposal);
    this.log.reconfigured(changes, by);
  }

  private differences(proposed: readonly Proposed[]): OptionChange[] {
    return proposed.flatMap(({ operation, proposal }) =>
      differences(operation, proposal.stages, this.catalog.stages),
    );
  }

  /** @throws ResilienceConfigurationError on what there is not */
  private checkNames(place: string, said: SaidOverrides): void {
    const operations = this.operations();
    for (const selector of SELECTORS)
      for (const [name, of] of Object.entries((said[selector] ?? {}) as SaidObject)) {
        const reached = operations.filter(({ blueprint }) =>
          isOf(selector, name, blueprint.target),
        );
        const at = `${place}.${selector}.${name}`;
        if (reached.length === 0) throw unknown(at, selector, name, operations);
        this.checkStages(at, (of ?? {}) as SaidObject, reached, selector === 'operations');
      }
    for (const stage of this.catalog.stages)
      for (const section of Object.keys(stage.sections ?? {})) {
        const names = [...(this.catalog.of(stage).names?.(section) ?? [])];
        for (const name of Object.keys((said[section] ?? {}) as SaidObject))
          if (!names.includes(name))
            throw new ResilienceConfigurationError(
              `${place}.${section}.${name}`,
              `there is nothing of this name; ${known(names, name)}`,
            );
      }
  }

  /** @throws ResilienceConfigurationError where something is said of a stage that nothing reached has */
  private checkStages(
    place: string,
    said: SaidObject,
    reached: readonly Operation[],
    isOperation: boolean,
  ): void {
    for (const [key, of] of Object.entries(said)) {
      const stage = this.catalog.stages.find((each) => overrideKeyOf(each) === key);
      if (stage === undefined || of === null) continue;
      if (reached.some(({ blueprint }) => blueprint.has(stage))) continue;
      const { enabled: _enabled, ...options } = of as SaidObject;
      if (isOperation && stage.overriding?.isAddable && Object.keys(options).length > 0) continue;
      throw new ResilienceConfigurationError(
        `${place}.${key}`,
        `is of a stage that ${isOperation ? 'the operation does not have' : 'none of its operations has'}; ${this.stagesOf(reached, key)}${stage.overriding?.isAddable ? `, or options of ${key} for one operation by its name` : ''}`,
      );
    }
  }

  private stagesOf(operations: readonly Operation[], wanted: string): string {
    const has = (stage: StageDefinition) =>
      stage.isSwitch !== false && operations.some(({ blueprint }) => blueprint.has(stage));
    return known(new Set(this.catalog.stages.filter(has).map(overrideKeyOf)), wanted);
  }
}

/** Where nothing is another, calls go on by the same plan. */
function apply({ pipeline }: Operation, { stages, keep }: StagesProposal): void {
  keep();
  if (!isSameStages(pipeline.plan.stages, stages)) pipeline.plan = pipeline.plan.with(stages);
}

function isSameStages(one: object, other: object): boolean {
  const [before, after] = [defined(one), defined(other)];
  return (
    before.length === after.length &&
    before.every(([name, policy], at) => after[at]?.[0] === name && after[at]?.[1] === policy)
  );
}

function defined(stages: object): [string, unknown][] {
  return Object.entries(stages).filter(([, policy]) => policy !== undefined);
}

function isOf(selector: string, name: string, target: Target): boolean {
  return nameFor(selector, target) === name;
}

function nameFor(selector: string, { operation, className, upstream }: Target): string | undefined {
  if (selector === 'operations') return operation;
  return selector === 'classes' ? className : upstream;
}

function unknown(
  place: string,
  selector: string,
  name: string,
  operations: readonly Operation[],
): ResilienceConfigurationError {
  const names = operations.flatMap(({ blueprint }) => nameFor(selector, blueprint.target) ?? []);
  const what = { operations: 'operation', classes: 'class', upstreams: 'upstream' }[selector];
  return new ResilienceConfigurationError(
    place,
    `there is no ${what} of this name; ${known(new Set(names), name)}`,
  );
}
