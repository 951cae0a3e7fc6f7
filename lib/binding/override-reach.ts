import { known, ResilienceConfigurationError } from '../common/configuration.error.js';
import {
  overrideKeyOf,
  type SaidObject,
  type SaidOverrides,
  SELECTORS,
  takesBack,
} from '../overrides/override-rules.js';
import type { Target } from '../overrides/overrides-in-force.js';
import type { StageDefinition } from '../stage/stage-definition.js';
import type { Operation } from './operation.js';
import type { PolicyCatalog } from './policy-catalog.js';

/**
 * What is no more may still be taken back.
 *
 * @throws ResilienceConfigurationError on what there is not
 */
export function checkReach(
  place: string,
  said: SaidOverrides,
  operations: readonly Operation[],
  catalog: PolicyCatalog,
): void {
  for (const selector of SELECTORS)
    for (const [name, of] of Object.entries((said[selector] ?? {}) as SaidObject)) {
      if (takesBack(of)) continue;
      const reached = operations.filter(({ blueprint }) => isOf(selector, name, blueprint.target));
      const at = `${place}.${selector}.${name}`;
      if (reached.length === 0) throw unknown(at, selector, name, operations);
      checkStages(catalog, at, (of ?? {}) as SaidObject, reached, selector === 'operations');
    }
  for (const stage of catalog.stages)
    for (const section of Object.keys(stage.sections ?? {})) {
      const names = [...(catalog.of(stage).names?.(section) ?? [])];
      for (const [name, of] of Object.entries((said[section] ?? {}) as SaidObject))
        if (!names.includes(name) && !takesBack(of))
          throw new ResilienceConfigurationError(
            `${place}.${section}.${name}`,
            `there is nothing of this name; ${known(names, name)}`,
          );
    }
}

/** @throws ResilienceConfigurationError where something is said of a stage that nothing reached has */
function checkStages(
  catalog: PolicyCatalog,
  place: string,
  said: SaidObject,
  reached: readonly Operation[],
  isOperation: boolean,
): void {
  for (const [key, of] of Object.entries(said)) {
    const stage = catalog.stages.find((each) => overrideKeyOf(each) === key);
    if (stage === undefined || takesBack(of)) continue;
    if (reached.some(({ blueprint }) => blueprint.has(stage))) continue;
    const { enabled: _enabled, ...options } = of as SaidObject;
    if (isOperation && stage.overriding?.isAddable && Object.keys(options).length > 0) continue;
    throw new ResilienceConfigurationError(
      `${place}.${key}`,
      `is of a stage that ${isOperation ? 'the operation does not have' : 'none of its operations has'}; ${stagesOf(catalog, reached, key)}${stage.overriding?.isAddable ? `, or options of ${key} for one operation by its name` : ''}`,
    );
  }
}

function stagesOf(
  catalog: PolicyCatalog,
  operations: readonly Operation[],
  wanted: string,
): string {
  const has = (stage: StageDefinition) =>
    stage.isSwitch !== false && operations.some(({ blueprint }) => blueprint.has(stage));
  return known(new Set(catalog.stages.filter(has).map(overrideKeyOf)), wanted);
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
