import { isDeepStrictEqual } from 'node:util';
import { ResilienceConfigurationError } from '../common/configuration.error.js';
import type { Metrics } from '../common/metrics.js';
import { type Checker, checked, merge, nameOr } from '../common/options.js';
import type { Layer, Origin } from '../common/origin.js';
import { isKeyed, type Registered, type Registry } from '../common/registry.js';
import type { Orders } from '../fleet/orders.js';
import type { Order } from '../fleet/shared-register.js';
import { checkSharedStays, checkSharing } from '../fleet/sharing.js';
import type { Learnt } from '../state/state-document.js';
import type { AttemptStage } from './attempt-stage.js';
import { ByKey } from './by-key.js';
import { ALL, nameOf } from './key.js';
import {
  checkReference,
  isReference,
  type Keyable,
  type KeyFunction,
  keyable,
  needingKey,
  resolveKeyedOptions,
  splitKeyed,
} from './keyed.options.js';
import { type ChangedParts, KeyedInstances } from './keyed-instances.js';
import { KeyedReports } from './keyed-metrics.js';
import { isInline, type NamedInstances, type NamedPolicy } from './named-instances.js';
import type { PolicyChange } from './policy-change.js';
import type {
  InstanceOverrides,
  NamedOverrides,
  NamingOptions,
  Said,
  StageApplication,
  StageCatalog,
  StageDefinition,
} from './stage-definition.js';
import { unseen } from './stage-host.js';
import type { StageTypes } from './stage-types.js';

/** So many by key of a name are remembered, those that were used last. */
const REMEMBERED_KEYS = 1_000;

/** What an operation says: a name, by key where it says so, or the options of something of its own. */
interface Picked<O extends object> {
  readonly name: string | undefined;
  /** Without the defaults, the lowest first. */
  readonly layers: readonly LayerOf<Keyable<O>>[];
}

interface LayerOf<O extends object> extends Layer {
  readonly options: O;
}

/** What the options of an instance are made of, without what overrides say of itself. */
type Recipe<O extends object> = (overrides: NamedOverrides) => readonly LayerOf<Keyable<O>>[];

/** The catalog of a stage whose instances have names: an operation shares one, or has one of its own. */
export class NamedCatalog<P extends NamedPolicy = NamedPolicy, O extends object = object>
  implements StageCatalog<P>
{
  readonly registry: Registry<P>;
  private readonly check: Checker<Keyable<O>>;
  private readonly defaults: Keyable<O> | undefined = undefined;
  /** The options of what has a name, for who builds on them. */
  private readonly given = new Map<string, Keyable<O>>();
  /** What operations use for all calls: it cannot be kept by key any more. */
  private readonly unkeyed = new Set<string>();
  private readonly recipes = new WeakMap<object, Recipe<O>>();
  /** What instances go by since overrides have changed it. */
  private readonly changed = new WeakMap<object, Keyable<O>>();

  constructor(
    readonly instances: NamedInstances<P, O>,
    private readonly application: StageApplication,
    private readonly metrics: Metrics = {},
  ) {
    const { stage, title, section = stage, instead } = instances;
    this.check = keyable<O>((place, said) => instances.check(place, said));
    const { [stage]: defaults, mode } = application.defaults;
    if (defaults !== undefined) this.defaults = this.check(`defaults.${stage}`, defaults);
    if (instances.canShadow && mode !== undefined)
      this.defaults = this.merge({ mode } as Keyable<object> as Keyable<O>, this.defaults);
    const onLeft = (name: string) => instances.left(name, application);
    this.registry = new instances.registry(title, section, onLeft, instead);
    if (instances.orders !== undefined && this.orders !== undefined)
      this.orders.on(section, {
        knows: instances.orders.knows,
        obey: (name, order) => this.obey(name, order),
      });
  }

  /** What a bundle says inline is shared under the bundle's name. */
  add(options: NamingOptions): void {
    const { section, stage } = this.instances;
    if (section === undefined) return; // each operation has its own
    const { [section]: named, services } = options as Record<string, Record<string, NamingOptions>>;
    for (const [name, said] of Object.entries(named ?? {}))
      this.define(name, this.check(`${section}.${name}`, said), `${section}.${name}`);
    for (const [name, { [stage]: said }] of Object.entries(services ?? {})) {
      const place = `services.${name}.${stage}`;
      if (isInline(said)) this.define(name, this.check(place, said), place);
    }
  }

  resolve(said: Said): P {
    const { operation, place } = said;
    const { name, layers } = this.pick(said);
    const options = this.mergeLayers(layers);
    if (name === undefined) {
      this.refuseIdle(options, place);
      const own = this.merge(this.defaults, options); // each of which has been checked
      const made = this.make(operation, own, place);
      this.recipes.set(made, (overrides) => [
        ...this.defaultsLayer(),
        ...this.pick({ ...said, overrides }).layers,
      ]);
      return this.use(made, own.key, place);
    }
    const found = this.registry.find(name, place);
    const key = options.key ?? this.givenOf(found).key;
    return this.use(
      key === undefined ? this.shared(found, place) : this.byKey(found, place),
      key,
      place,
    );
  }

  names(): string[] {
    return this.registry.names();
  }

  /** Who said the options of what an operation goes through, without what overrides say of it. */
  layersOf(policy: P, overrides: NamedOverrides): readonly Layer[] {
    return this.recipes.get(registeredOf(policy))?.(overrides) ?? [];
  }

  /** What stands for others, as in a test, is left alone. */
  propose(named: NamedOverrides, of: InstanceOverrides, only?: P): PolicyChange[] {
    const entries = only === undefined ? this.registry.entries() : [registeredOf(only)];
    return entries
      .filter((entry) => !this.registry.isSubstituted(entry.name))
      .flatMap((entry) => this.proposeOf(entry, named, of(entry.name, entry)) ?? []);
  }

  private proposeOf(
    entry: Registered<P>,
    named: NamedOverrides,
    overrides: readonly Layer[],
  ): PolicyChange | undefined {
    const { instances } = this;
    const layers = [...(this.recipes.get(entry)?.(named) ?? []), ...overrides];
    const options = this.mergeLayers(layers as LayerOf<Keyable<O>>[]);
    const before = this.changed.get(entry) ?? this.madeWith(entry);
    if (isDeepStrictEqual(before, options)) return undefined;
    const { stage, section = stage } = instances;
    const place = overrides.at(-1)?.place ?? layers.at(-1)?.place ?? `${section}.${entry.name}`;
    const [, own] = splitKeyed<O>(options);
    Object.freeze(own);
    const inForce = instances.resolve(place, instances.check(place, own));
    const { options: from } = entry as unknown as { readonly options: object };
    if (instances.isSharable)
      checkSharedStays(place, (from as Shareable).shared, (inForce as Shareable).shared);
    checkCanChange(instances, entry, place);
    return {
      place: `${section}.${entry.name}`,
      from: { ...from },
      to: inForce,
      apply: () => {
        this.changed.set(entry, options);
        if (entry instanceof KeyedInstances)
          entry.change(this.partsOf(entry.name, options), (policy) =>
            instances.change?.(policy, own),
          );
        else instances.change?.(entry as P, own);
      },
    };
  }

  /** The options without the defaults of the library, as they were at boot. */
  private madeWith(entry: Registered<P>): Keyable<O> {
    return this.given.get(entry.name) ?? this.mergeLayers(this.recipes.get(entry)?.(NOTHING) ?? []);
  }

  doubts(): string[] {
    return this.registry
      .entries()
      .flatMap((entry) => [
        ...(isKeyed(entry) ? [] : this.neverKeyed(entry.name)),
        ...(this.instances.doubts?.(entry as P) ?? []),
      ]);
  }

  /** Of those for all calls, and then of those by key. */
  learnt(): Learnt[] {
    const entries = this.registry.entries();
    const alone = entries.filter((entry) => !isKeyed(entry)) as P[];
    const byKey = entries.filter(isKeyed);
    const keyed = byKey.flatMap((entry) => entry.policies().slice(-REMEMBERED_KEYS).reverse());
    return [...alone, ...keyed].flatMap((policy) => this.learntBy(policy));
  }

  recall(): void {
    for (const policy of this.registry.list()) this.recalled(policy);
  }

  ended(): void {
    for (const entry of this.registry.entries()) this.end(entry);
  }

  shutdown(): void {
    for (const entry of this.registry.entries())
      if (entry instanceof KeyedInstances) entry.shutdown();
      else this.instances.shutdown?.(entry as P);
  }

  private learntBy(policy: P): Learnt[] {
    const { stage, section = stage } = this.instances;
    const state = this.isOfFleet(policy) ? undefined : this.instances.remember?.(policy);
    return state === undefined ? [] : [{ section, name: policy.name, state, ageMs: 0 }];
  }

  private recalled(policy: P): P {
    const { stage, section = stage } = this.instances;
    if (!this.isOfFleet(policy))
      this.application.memory?.recall(section, policy.name, (state, agoMs) =>
        this.instances.recall?.(policy, state, agoMs),
      );
    return policy;
  }

  /** The others know more of it than what it was here before a restart. */
  private isOfFleet(policy: P): boolean {
    const { options } = policy as { options?: { shared?: unknown } };
    return (options?.shared ?? false) !== false;
  }

  /** Where its instances are told what the whole fleet is, if they can be. */
  private get orders(): Orders | undefined {
    return this.instances.orders && this.application.fleet?.orders;
  }

  /** Names that there are not may be of another release, or come later. */
  private obey(name: string, order: Order): void {
    const { instances, registry } = this;
    const obey = (policy: P) => instances.orders?.obey(policy, order);
    const keyed = registry.allOf(name);
    if (keyed !== undefined) keyed.forAll(obey);
    else if (registry.has(name)) obey(registry.get(name));
  }

  private latest(name: string): Order | undefined {
    const { section, stage } = this.instances;
    return this.orders?.latest(section ?? stage, name);
  }

  /** What has a name by now obeys what was told before. */
  private obeyLatest(name: string): void {
    const order = this.latest(name);
    if (order !== undefined) this.obey(name, order);
  }

  /** Of one by key, which has obeyed what was told of all. */
  private obeyOwn(policy: P, pattern: string): void {
    const order = this.latest(policy.name);
    if (order !== undefined && order.generation >= (this.latest(pattern)?.generation ?? 0))
      this.instances.orders?.obey(policy, order);
  }

  /** From now on what an operation goes through is there for as long as somebody holds it. */
  loosen(policy: P): void {
    this.registry.loosen(registeredOf(policy));
  }

  /** The registry forgets what an operation goes through, and nobody uses it any more. */
  remove(policy: P): void {
    const registered = registeredOf(policy);
    this.registry.remove(registered);
    this.end(registered);
  }

  private end(entry: Registered<P>): void {
    if (entry instanceof KeyedInstances) entry.end();
    else this.instances.dispose?.(entry as P);
  }

  /** What an operation goes through. */
  private use(entry: Registered<P>, key: KeyFunction | undefined, place: string): P {
    if (!(entry instanceof KeyedInstances)) return entry as P;
    const holds = mayHold(this.instances.policy);
    return new ByKey<P>(entry, key as KeyFunction, holds, place) as unknown as P;
  }

  /** The one of a name for all calls. */
  private shared(found: Registered<P>, place: string): Registered<P> {
    const { name } = found;
    if (isKeyed(found))
      throw new ResilienceConfigurationError(
        place,
        `is ${JSON.stringify(name)}, which other operations have by key; allowed: a key here too, or in ${this.instances.section}.${name}`,
      );
    this.unkeyed.add(name);
    return found;
  }

  /** Those of a name by key, which the first operation that says a key makes of it. */
  private byKey(found: Registered<P>, place: string): Registered<P> {
    if (isKeyed(found)) return found;
    const { name } = found;
    if (this.unkeyed.has(name))
      throw new ResilienceConfigurationError(
        place,
        `has a key for ${JSON.stringify(name)}, which other operations use without; allowed: a key there too, or for all in ${this.instances.section}.${name}`,
      );
    const given = this.givenOf(found);
    const recipe = this.recipes.get(found);
    this.registry.remove(found);
    this.end(found);
    const made = this.make(name, given, place, true);
    if (recipe !== undefined) this.recipes.set(made, recipe);
    return made;
  }

  private define(name: string, said: Keyable<O>, place: string): void {
    const options = this.merge(this.defaults, said); // each of which has been checked
    const made = this.make(name, options, place);
    this.recipes.set(made, () => [
      ...this.defaultsLayer(),
      { origin: 'module', place, options: said },
    ]);
    this.given.set(name, options);
  }

  private defaultsLayer(): LayerOf<Keyable<O>>[] {
    const { defaults } = this;
    const place = `defaults.${this.instances.stage}`;
    return defaults === undefined ? [] : [{ origin: 'defaults', place, options: defaults }];
  }

  /** The options of something that is known by a name, for who builds on them. */
  private givenOf(found: Registered<P>): Keyable<O> {
    const given = found instanceof KeyedInstances ? found.parts.given : (found as P).given;
    return this.given.get(found.name) ?? (given as Keyable<O>);
  }

  private make(
    name: string,
    options: Keyable<O>,
    place: string,
    isByKey = options.key !== undefined,
  ): Registered<P> {
    const { application, instances, registry } = this;
    const [, own] = splitKeyed<O>(options);
    Object.freeze(own); // which many may be made with
    const inForce = instances.resolve(place, own); // with the place in the message
    if (instances.isSharable)
      checkSharing(place, (inForce as { shared?: unknown }).shared, application.fleet);
    if (!isByKey) {
      const made = registry.add(this.recalled(instances.make(name, own, application)), place);
      this.obeyLatest(name);
      return made;
    }
    const { title } = instances;
    const parts = this.partsOf(name, options);
    const { maxKeys, keyLabel } = parts.keyed;
    const warn = application.warnOf(`The ${title} "${name}"`);
    const made = new KeyedInstances<P>({
      ...parts,
      name,
      place: `${title} "${name}"`,
      reports: new KeyedReports(application, name, this.metrics, keyLabel),
      reveal: (policy) => instances.injected?.(policy) ?? policy,
      dispose: (policy) => instances.dispose?.(policy),
      shutdown: (policy) => instances.shutdown?.(policy),
      crowded: () =>
        warn(
          new Error(
            `has more keys than maxKeys ${maxKeys}, none of which can be forgotten: keys that come now share one`,
          ),
        ),
    });
    registry.add(made, place);
    this.obeyLatest(made.pattern);
    return made;
  }

  /** What of those by key follows from their options, which have been checked. */
  private partsOf(name: string, options: Keyable<O>): ChangedParts<P> {
    const { application, instances, orders } = this;
    const [keyed, own] = splitKeyed<O>(options);
    Object.freeze(own);
    return {
      given: options,
      keyed: resolveKeyedOptions(keyed),
      options: instances.resolve(name, own),
      make: (instance, host) => this.recalled(instances.make(instance, own, host)),
      fleet: orders && {
        orders,
        standIn: () => instances.make(nameOf(name, ALL), own, unseen(application)),
        made: (policy) => this.obeyOwn(policy, nameOf(name, ALL)),
      },
    };
  }

  private mergeLayers(layers: readonly LayerOf<Keyable<O>>[]): Keyable<O> {
    return this.merge(...layers.map(({ options }) => options));
  }

  /** The layers that the stage knows, and those of the keys. */
  private merge(...layers: (Keyable<O> | undefined)[]): Keyable<O> {
    const split = layers.map((layer) => (layer === undefined ? undefined : splitKeyed<O>(layer)));
    const own = split.map((layer) => layer?.[1]);
    return {
      ...(this.instances.merge === undefined ? merge<O>(...own) : this.instances.merge(...own)),
      ...merge(...split.map((layer) => layer?.[0])),
    } as Keyable<O>;
  }

  /** A name, or the options of something of one's own: those of the name below it, overridden. */
  private pick({ values, origins, place, overrides }: Said): Picked<O> {
    const nothing: Picked<O> = { name: undefined, layers: [] };
    return values.reduce<Picked<O>>((below, value, at) => {
      const origin = origins[at] as Origin;
      if (this.instances.section !== undefined) {
        if (typeof value === 'string') return { ...nothing, name: value };
        if (isReference(value)) {
          const { name, key } = checkReference(place, value);
          return { name, layers: [{ origin, place, options: { key } as Keyable<O> }] };
        }
      }
      const options = this.check(place, value);
      const layers = [...below.layers, { origin, place, options }];
      if (below.name === undefined) return { name: undefined, layers };
      if (Object.keys(options).length === 0) return below;
      const named = this.layersBelow(this.registry.find(below.name, place), overrides);
      return { name: undefined, layers: [...named, ...layers] };
    }, nothing);
  }

  /** What has a name, for who builds on it. */
  private layersBelow(
    found: Registered<P>,
    overrides: NamedOverrides,
  ): readonly LayerOf<Keyable<O>>[] {
    const { stage, section = stage } = this.instances;
    const said = overrides(section, found.name) as LayerOf<Keyable<O>>[];
    const given = this.recipes.get(found)?.(overrides) ?? [
      { origin: 'module', place: found.name, options: this.givenOf(found) } as const,
    ];
    return [...given, ...said];
  }

  /** @throws ResilienceConfigurationError where something is said of keys that there are not */
  private refuseIdle(options: Keyable<O>, place: string): void {
    const { key = this.defaults?.key } = options;
    const option = needingKey(splitKeyed(options)[0]);
    if (key !== undefined || option === undefined) return;
    throw new ResilienceConfigurationError(
      `${place}.${option}`,
      'is of instances by key, and there is no key; allowed: with a key, such as key: (tenant) => tenant',
    );
  }

  private neverKeyed(name: string): string[] {
    const option = needingKey(splitKeyed(this.given.get(name) ?? {})[0]);
    return option === undefined || this.defaults?.[option as keyof O] !== undefined
      ? []
      : [
          `${this.instances.title} ${name}: ${option} is of instances by key, and no operation says a key`,
        ];
  }
}

interface Shareable {
  readonly shared?: unknown;
}

const NOTHING: NamedOverrides = () => [];

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

/** What is registered of what an operation goes through. */
export function registeredOf<P extends NamedPolicy>(policy: P): Registered<P> {
  return policy instanceof ByKey ? (policy.instances as Registered<P>) : policy;
}

/** Of what an application has defined itself, only its instances would tell. */
function mayHold(policy: object): boolean {
  const { prototype } = policy as { prototype?: Partial<AttemptStage> };
  return prototype === undefined || prototype.finished !== undefined;
}

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
