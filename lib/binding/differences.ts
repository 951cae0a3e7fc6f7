import { isDeepStrictEqual } from 'node:util';
import { overrideKeyOf } from '../overrides/override-rules.js';
import type { OptionChange } from '../overrides/overrides.telemetry.js';
import type { Stages } from '../pipeline/stages.js';
import type { StageDefinition } from '../stage/stage-definition.js';
import type { Operation } from './operation.js';

/** What would be another in an operation, as overrides would say it. */
export function differences(
  { blueprint, pipeline }: Operation,
  stages: Stages,
  definitions: readonly StageDefinition[],
): OptionChange[] {
  const { operation } = blueprint.target;
  return definitions.flatMap((stage): OptionChange[] => {
    const before = pipeline.plan.stages[stage.name];
    const after = stages[stage.name];
    if (before === after) return [];
    const place = `operations.${operation}.${overrideKeyOf(stage)}`;
    const isSwitched = (before === undefined) !== (after === undefined);
    if (isSwitched && blueprint.has(stage))
      return [{ place: `${place}.enabled`, from: after === undefined, to: after !== undefined }];
    return optionChanges(place, stage, described(stage, before), described(stage, after));
  });
}

/** By option, what is another. */
export function optionChanges(
  place: string,
  { overriding }: Pick<StageDefinition, 'overriding'>,
  before: object,
  after: object,
): OptionChange[] {
  const [from, to] = [before, after] as Record<string, unknown>[];
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((option) =>
    isDeepStrictEqual(from?.[option], to?.[option])
      ? []
      : [
          {
            place: `${place}.${overriding?.described?.[option] ?? option}`,
            from: from?.[option],
            to: to?.[option],
          },
        ],
  );
}

function described({ describe }: StageDefinition, policy: unknown): object {
  return policy === undefined ? {} : (describe?.(policy) ?? {});
}
