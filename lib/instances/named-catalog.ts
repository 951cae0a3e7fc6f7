import type { AttemptStage } from '../attempt/attempt-stage.js';
import { ResilienceConfigurationError } from '../common/configuration.error.js';
import type { Metrics } from '../common/metrics.js';
import type { Checker } from '../common/options.js';
import type { Layer, Origin } from '../common/origin.js';
import { isKeyed, type Registered, type Registry } from '../common/registry.js';
import {
  checkReference,
  isReference,
  type Keyable,
  type KeyFunction,
  keyable,
  needingKey,
  splitKeyed,
} from '../stage/keyed.options.js';
import { isInline, type NamedInstances, type NamedPolicy } from '../stage/named-instances.js';
import type { PolicyChange } from '../stage/policy-change.js';
import type {
  InstanceOverrides,
  NamedOverrides,
  NamingOptions,
  Said,
  StageApplication,
  StageCatalog,
} from '../stage/stage-definition.js';
import type { Learnt } from '../state/state-document.js';
import { ByKey, registeredOf } from './by-key.js';
import { KeyedInstances } from './keyed-instances.js';
import { NamedChanges } from './named-changes.js';
import { mergeKeyed, type NamedLayer, type Recipe } from './named-layers.js';
import { NamedMaker } from './named-maker.js';
import { NamedMemory } from './named-memory.js';

/** What an operation says: a name, by key where it says so, or the options of something of its own. */
interface Picked<O extends object> {
  readonly name: string | undefined;
  /** Without the defaults, the lowest first. */
  readonly layers: readonly NamedLayer<O>[];
}

const NO_OVERRIDES: NamedOverrides = () => [];

/** The catalog of a stage whose instances have names: an operation shares one, or has one of its own. */
export class NamedCatalog<P extends NamedPolicy = NamedPolicy, O extends object = object>
  implements StageCatalog<P>
{
  readonly registry: Registry<P>;
  private readonly registersUnknown: boolean;
  private readonly check: Checker<Keyable<O>>;
  private readonly defaults: Keyable<O> | undefined = undefined;
  /** The options of what has a name, for who builds on them. */
  private readonly given = new Map<string, Keyable<O>>();
  /** What operations use for all calls: it cannot be kept by key any more. */
  private readonly unkeyed = new Set<string>();
  private readonly recipes = new WeakMap<object, Recipe<O>>();
  private readonly memory: NamedMemory<P>;
  private readonly maker: NamedMaker<P, O>;
  private readonly changes: NamedChanges<P, O>;

  constructor(
    readonly instances: NamedInstances<P, O>,
    application: StageApplication,
    metrics: Metrics = {},
  ) {
    const { stage, title, section = stage, least } = instances;
    this.registersUnknown = application.registersUnknown ?? false;
    this.check = keyable<O>((place, said) => instances.check(place, said));
    const { [stage]: defaults, mode } = application.defaults;
    if (defaults !== undefined) this.defaults = this.check(`defaults.${stage}`, defaults);
    if (instances.canShadow && mode !== undefined)
      this.defaults = this.merge({ mode } as Keyable<object> as Keyable<O>, this.defaults);
    const onLeft = (name: string) => instances.left(name, application);
    this.registry = new instances.registry(title, section, onLeft, {
      least,
      instead: (number) => this.meantBy(number),
    });
    this.memory = new NamedMemory(instances, application.memory);
    this.maker = new NamedMaker(instances, application, this.registry, this.memory, metrics);
    this.changes = new NamedChanges(instances, this.maker);
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
      const made = this.maker.make(operation, own, place);
      this.recipes.set(made, (overrides) => [
        ...this.defaultsLayer(),
        ...this.pick({ ...said, overrides }).layers,
      ]);
      return this.use(made, own.key, place);
    }
    const found = this.find(name, place);
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

  /**
   * What has a name.
   *
   * @throws ResilienceConfigurationError where nothing has, and that is a mistake
   */
  find(name: string, place: string): Registered<P> {
    if (this.registersUnknown && !this.registry.isTaken(name)) {
      this.define(name, this.merge(this.instances.unregistered, this.defaults), place);
      this.registry.noteMadeUp(name, place);
    }
    return this.registry.find(name, place);
  }

  /** Who said the options of what an operation goes through, without what overrides say of it. */
  layersOf(policy: P, overrides: NamedOverrides): readonly Layer[] {
    return this.recipeOf(registeredOf(policy), overrides);
  }

  /** What stands for others, as in a test, is left alone. */
  propose(named: NamedOverrides, of: InstanceOverrides, only?: P): PolicyChange[] {
    const { stage, section = stage } = this.instances;
    const entries = only === undefined ? this.registry.entries() : [registeredOf(only)];
    return entries
      .filter((entry) => !this.registry.isSubstituted(entry.name))
      .flatMap((entry) => {
        const layers = [...this.recipeOf(entry, named), ...of(entry.name, entry)];
        const place = layers.at(-1)?.place ?? `${section}.${entry.name}`;
        return this.changes.propose(entry, this.madeWith(entry), layers, place) ?? [];
      });
  }

  doubts(): string[] {
    return this.registry
      .entries()
      .flatMap((entry) => [
        ...(isKeyed(entry) ? [] : this.neverKeyed(entry.name)),
        ...(this.instances.doubts?.(entry as P) ?? []),
      ]);
  }

  learnt(): Learnt[] {
    return this.memory.learnt(this.registry.entries());
  }

  recall(): void {
    for (const policy of this.registry.list()) this.memory.recalled(policy);
  }

  ended(): void {
    for (const entry of this.registry.entries()) this.maker.end(entry);
  }

  shutdown(): void {
    for (const entry of this.registry.entries())
      if (entry instanceof KeyedInstances) entry.shutdown();
      else this.instances.shutdown?.(entry as P);
  }

  /** From now on what an operation goes through is there for as long as somebody holds it. */
  loosen(policy: P): void {
    this.registry.loosen(registeredOf(policy));
  }

  /** The registry forgets what an operation goes through, and nobody uses it any more. */
  remove(policy: P): void {
    this.forget(registeredOf(policy));
  }

  private forget(entry: Registered<P>): void {
    this.registry.remove(entry);
    this.maker.end(entry);
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
    this.forget(found);
    const made = this.maker.make(name, given, place, true);
    if (recipe !== undefined) this.recipes.set(made, recipe);
    this.changes.take(made, found, place);
    return made;
  }

  private define(name: string, said: Keyable<O>, place: string): void {
    const options = this.merge(this.defaults, said); // each of which has been checked
    const made = this.maker.make(name, options, place);
    this.recipes.set(made, () => [
      ...this.defaultsLayer(),
      { origin: 'module', place, options: said },
    ]);
    this.given.set(name, options);
  }

  private defaultsLayer(): NamedLayer<O>[] {
    const { defaults } = this;
    const place = `defaults.${this.instances.stage}`;
    return defaults === undefined ? [] : [{ origin: 'defaults', place, options: defaults }];
  }

  /** The options of something that is known by a name, for who builds on them. */
  private givenOf(found: Registered<P>): Keyable<O> {
    const given = found instanceof KeyedInstances ? found.parts.given : (found as P).given;
    return this.given.get(found.name) ?? (given as Keyable<O>);
  }

  /** The options without the defaults of the library, as they were at boot. */
  private madeWith(entry: Registered<P>): Keyable<O> {
    return this.given.get(entry.name) ?? this.mergeLayers(this.recipeOf(entry, NO_OVERRIDES));
  }

  private recipeOf(entry: Registered<P>, overrides: NamedOverrides): readonly NamedLayer<O>[] {
    return this.recipes.get(entry)?.(overrides) ?? [];
  }

  private mergeLayers(layers: readonly NamedLayer<O>[]): Keyable<O> {
    return this.merge(...layers.map(({ options }) => options));
  }

  private merge(...layers: (Keyable<O> | undefined)[]): Keyable<O> {
    return mergeKeyed(this.instances, ...layers);
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
      const named = this.layersBelow(this.find(below.name, place), overrides);
      return { name: undefined, layers: [...named, ...layers] };
    }, nothing);
  }

  /** What has a name, for who builds on it. */
  private layersBelow(found: Registered<P>, overrides: NamedOverrides): readonly NamedLayer<O>[] {
    const { stage, section = stage } = this.instances;
    const said = overrides(section, found.name) as NamedLayer<O>[];
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

  /** Options of which a number in the place of a name was meant to be the main one, where that is allowed. */
  private meantBy(number: number): string | undefined {
    const { main, stage } = this.instances;
    if (main === undefined) return undefined;
    try {
      this.check(stage, { [main]: number } as Keyable<object>);
    } catch {
      return undefined;
    }
    return `{ ${main}: ${number} }`;
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

/** Of what an application has defined itself, only its instances would tell. */
function mayHold(policy: object): boolean {
  const { prototype } = policy as { prototype?: Partial<AttemptStage> };
  return prototype === undefined || prototype.finished !== undefined;
}
