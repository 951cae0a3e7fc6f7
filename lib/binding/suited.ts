import type { OperationTraits } from '../stage/call-keys.js';
import type { PolicyCatalog } from './policy-catalog.js';
import type { PlaceOf } from './setting-places.js';
import type { ResolvedOperation } from './stage-resolver.js';

/** @throws ResilienceConfigurationError where a stage cannot do for an operation what it should */
export function checkSuited(
  { stages }: Pick<ResolvedOperation, 'stages'>,
  placeOf: PlaceOf,
  catalog: PolicyCatalog,
  traits: OperationTraits,
): void {
  for (const stage of catalog.stages) {
    const policy = stages[stage.name];
    if (policy !== undefined) stage.suits?.(policy, placeOf(stage.name, stage), traits);
  }
}

/** Of functions that bundles and pipelines call, nothing is known. */
export const UNKNOWN: OperationTraits = {
  returns: 'either',
  arguments: 0,
  isRequestScoped: false,
  sendsItself: false,
};
