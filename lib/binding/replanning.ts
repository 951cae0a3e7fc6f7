import { WeakList } from '../common/weak-list.js';
import type { StageDefinition } from '../stage/stage-definition.js';
import type { StagesProposal } from './blueprint.js';
import type { Operation } from './operation.js';

/** Gives pipelines other stages while the application runs, and knows the policies that were replaced. */
export class Replanning {
  /** By stage, policies that calls may still be in, though no new ones go through them. */
  private readonly retired = new Map<string, WeakList<object>>();

  /** Where the stages are the same as before, calls go on by the same plan. */
  replan(pipeline: Operation['pipeline'], { stages, keep }: StagesProposal): void {
    keep();
    const before = pipeline.plan.stages;
    if (isSameStages(before, stages)) return;
    for (const [stage, policy] of Object.entries(before))
      if (typeof policy === 'object' && policy !== stages[stage])
        this.retire(stage, policy as object);
    pipeline.plan = pipeline.plan.with(stages);
  }

  /** The application has ended: no policy that was replaced keeps the process alive. */
  ended(stages: readonly StageDefinition[]): void {
    for (const { name, ended } of stages)
      for (const policy of this.retired.get(name) ?? []) ended?.(policy);
  }

  private retire(stage: string, policy: object): void {
    const retired = this.retired.get(stage) ?? new WeakList<object>();
    this.retired.set(stage, retired);
    retired.add(policy);
  }
}

function isSameStages(one: object, other: object): boolean {
  const [before, after] = [present(one), present(other)];
  return (
    before.length === after.length &&
    before.every(([name, policy], at) => after[at]?.[0] === name && after[at]?.[1] === policy)
  );
}

function present(stages: object): [string, unknown][] {
  return Object.entries(stages).filter(([, policy]) => policy !== undefined);
}
