import { nameOr } from '../common/option-rules.js';
import { checked, merge } from '../common/options.js';
import { checkReference, isReference, keyable } from '../stage/keyed.options.js';
import type { NamedInstances, NamedPolicy } from '../stage/named-instances.js';
import type { StageDefinition } from '../stage/stage-definition.js';
import type { StageTypes } from '../stage/stage-types.js';
import { NamedCatalog } from './named-catalog.js';

/** What is to be said of a stage whose instances have names; the rest follows from how these are made. */
type NamedStage<T extends StageTypes> = Pick<
  StageDefinition<T>,
  'inside' | 'error' | 'metrics' | 'summarize'
>;

/** The definition of a stage around attempts whose instances have names, or are kept by key. */
export function namedStage<
  T extends StageTypes & { policy: NamedPolicy & { readonly options: object } },
  O extends object,
>(instances: NamedInstances<T['policy'], O>, stage: NamedStage<T>): StageDefinition<T> {
  const { stage: name, title, section } = instances;
  const check = keyable<O>((place, value) => instances.check(place, value));
  const said = (place: string, value: unknown) =>
    isReference(value) ? checkReference(place, value) : check(place, value);
  return {
    name,
    title,
    place: 'attempt',
    rule: section === undefined ? checked(check) : nameOr(said),
    defaults: { key: name, rule: checked(check) },
    sections: section === undefined ? {} : { [section]: check },
    instances,
    overriding: {
      check: instances.check,
      merge: (...layers) =>
        instances.merge?.(...(layers as (O | undefined)[])) ?? merge<object>(...layers),
      hasMode: instances.canShadow === true,
    },
    catalog: (application) => new NamedCatalog(instances, application, stage.metrics),
    describe: (policy) => ({ name: policy.name, ...policy.options }),
    ...stage,
  };
}
