import { isDeepStrictEqual } from 'node:util';
import { displayThrown, ResilienceConfigurationError } from '../common/configuration.error.js';
import type { Layer } from '../common/origin.js';
import { isKeyed, type Registered } from '../common/registry.js';
import { checkSharedStays } from '../fleet/sharing.js';
import { type Keyable, splitKeyed } from '../stage/keyed.options.js';
import type { NamedInstances, NamedPolicy } from '../stage/named-instances.js';
import type { PolicyChange } from '../stage/policy-change.js';
import { KeyedInstances } from './keyed-instances.js';
import { mergeKeyed, type NamedLayer } from './named-layers.js';
import type { NamedMaker } from './named-maker.js';

/** The options of the instances of a stage, as overrides change them at run time. The instances stay the same. */
export class NamedChanges<P extends NamedPolicy, O extends object> {
  /** What each goes by since it was changed for the first time, without the defaults of the library. */
  private readonly changed = new WeakMap<object, Keyable<O>>();

  constructor(
    private readonly instances: NamedInstances<P, O>,
    private readonly maker: NamedMaker<P, O>,
  ) {}

  /**
   * @param madeWith the options that it has gone by since boot, where it was not changed
   * @param layers all that is said of it now
   * @param place of what was said last, for messages
   * @returns nothing where it goes by them already
   * @throws ResilienceConfigurationError where it cannot go by them
   */
  propose(
    entry: Registered<P>,
    madeWith: Keyable<O>,
    layers: readonly Layer[],
    place: string,
  ): PolicyChange | undefined {
    const { instances } = this;
    const said = layers as readonly NamedLayer<O>[]; // each of which has been checked
    const options = mergeKeyed<O>(instances, ...said.map((layer) => layer.options));
    if (isDeepStrictEqual(this.changed.get(entry) ?? madeWith, options)) return undefined;
    const [, own] = splitKeyed<O>(options);
    const inForce = instances.resolve(place, instances.check(place, own));
    const { options: from } = entry as unknown as { readonly options: object };
    if (instances.isSharable)
      checkSharedStays(place, (from as Sharable).shared, (inForce as Sharable).shared);
    checkCanChange(instances, entry, place);
    return {
      place: `${instances.section ?? instances.stage}.${entry.name}`,
      from: { ...from },
      to: inForce,
      apply: () => this.change(entry, options, place),
    };
  }

  /** One takes the place of another: it goes by what that was changed to. */
  take(made: Registered<P>, from: Registered<P>, place: string): void {
    const options = this.changed.get(from);
    if (options !== undefined) this.change(made, options, place);
  }

  /** @throws ResilienceConfigurationError where change() of a stage of the application throws */
  private change(entry: Registered<P>, options: Keyable<O>, place: string): void {
    const { instances, maker } = this;
    const [, own] = splitKeyed<O>(options);
    Object.freeze(own);
    this.changed.set(entry, options);
    try {
      if (entry instanceof KeyedInstances)
        entry.change(maker.partsOf(entry.name, options), (policy) =>
          instances.change?.(policy, own),
        );
      else instances.change?.(entry as P, own);
    } catch (error) {
      throw new ResilienceConfigurationError(
        place,
        `change() of the ${instances.title} ${JSON.stringify(entry.name)} threw: ${displayThrown(error)}`,
        { cause: error },
      );
    }
  }
}

interface Sharable {
  readonly shared?: unknown;
}

/** @throws ResilienceConfigurationError where the options of an instance are for good */
function checkCanChange<P extends NamedPolicy>(
  instances: NamedInstances<P>,
  entry: Registered<P>,
  place: string,
): void {
  const each = isKeyed(entry) ? entry.policies() : [entry as P];
  const canChange = (policy: P) => instances.canChange?.(policy) ?? true;
  if (instances.change !== undefined && each.every(canChange)) return;
  throw new ResilienceConfigurationError(
    place,
    `is of the ${instances.title} ${JSON.stringify(entry.name)}, whose options cannot be changed at run time; allowed: enabled, or any where what its make() answers has change(options)`,
  );
}
