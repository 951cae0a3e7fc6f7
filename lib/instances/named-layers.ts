import { merge } from '../common/options.js';
import type { Layer } from '../common/origin.js';
import { type Keyable, splitKeyed } from '../stage/keyed.options.js';
import type { NamedInstances, NamedPolicy } from '../stage/named-instances.js';
import type { NamedOverrides } from '../stage/stage-definition.js';

/** Options of an instance that were said together, also those of its keys. */
export interface NamedLayer<O extends object> extends Layer {
  readonly options: Keyable<O>;
}

/**
 * What the options of an instance are made of, the lowest layer first, without what overrides say of the
 * instance itself. Those of a name that it builds on are among them.
 */
export type Recipe<O extends object> = (overrides: NamedOverrides) => readonly NamedLayer<O>[];

/** Later layers win: the stage knows how its own options are merged, those of the keys are merged one by one. */
export function mergeKeyed<O extends object>(
  instances: Pick<NamedInstances<NamedPolicy, O>, 'merge'>,
  ...layers: (Keyable<O> | undefined)[]
): Keyable<O> {
  const split = layers.map((layer) => (layer === undefined ? undefined : splitKeyed<O>(layer)));
  const own = split.map((layer) => layer?.[1]);
  return {
    ...(instances.merge === undefined ? merge<O>(...own) : instances.merge(...own)),
    ...merge(...split.map((layer) => layer?.[0])),
  } as Keyable<O>;
}
