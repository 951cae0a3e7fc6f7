import { checked, merge, nameOr } from '../common/options.js';
import type { Registry } from '../common/registry.js';
import { isInline, type NamedInstances, type NamedPolicy } from './named-instances.js';
import type {
  NamingOptions,
  Said,
  StageApplication,
  StageCatalog,
  StageDefinition,
} from './stage-definition.js';
import type { StageTypes } from './stage-types.js';

/** The catalog of a stage whose instances have names: an operation shares one, or has one of its own. */
export class NamedCatalog<P extends NamedPolicy = NamedPolicy, O extends object = object>
  implements StageCatalog<P>
{
  readonly registry: Registry<P>;
  private readonly merge: (...layers: (O | undefined)[]) => O;
  private readonly defaults: O | undefined = undefined;

  constructor(
    readonly instances: NamedInstances<P, O>,
    private readonly application: StageApplication,
  ) {
    const { stage, title, section = stage, instead } = instances;
    this.merge = (...layers) => (instances.merge ?? merge)(...layers);
    const { [stage]: defaults } = application.defaults;
    if (defaults !== undefined) this.defaults = instances.check(`defaults.${stage}`, defaults);
    const onLeft = (name: string) => instances.left(name, application);
    this.registry = new instances.registry(title, section, onLeft, instead);
  }

  /** What a bundle says inline is shared under the bundle's name. */
  add(options: NamingOptions): void {
    const { section, stage } = this.instances;
    if (section === undefined) return; // each operation has its own
    const { [section]: named, services } = options as Record<string, Record<string, NamingOptions>>;
    for (const [name, said] of Object.entries(named ?? {}))
      this.define(name, this.instances.check(`${section}.${name}`, said), `${section}.${name}`);
    for (const [name, { [stage]: said }] of Object.entries(services ?? {})) {
      const place = `services.${name}.${stage}`;
      if (isInline(said)) this.define(name, this.instances.check(place, said), place);
    }
  }

  resolve({ operation, place, values }: Said): P {
    const found = this.pick(values, place);
    if (typeof found === 'string') return this.registry.find(found, place);
    return this.define(operation, found, place);
  }

  doubts(): string[] {
    return this.registry.list().flatMap((policy) => this.instances.doubts?.(policy) ?? []);
  }

  ended(): void {
    for (const policy of this.registry.list()) this.instances.dispose?.(policy);
  }

  shutdown(): void {
    for (const policy of this.registry.list()) this.instances.shutdown?.(policy);
  }

  /** The registry forgets the policy, and nobody uses it any more. */
  remove(policy: P): void {
    this.registry.remove(policy);
    this.instances.dispose?.(policy);
  }

  private define(name: string, said: O | undefined, place: string): P {
    const { application, instances, registry } = this;
    const options = this.merge(this.defaults, said); // each of which has been checked
    instances.resolve?.(place, options); // with the place in the message
    return registry.add(instances.make(name, options, application), place);
  }

  /** A name, or the options of something of one's own: those of the name below it, overridden. */
  private pick(values: readonly unknown[], place: string): string | O | undefined {
    return values.reduce<string | O | undefined>((below, value) => {
      if (typeof value === 'string' && this.instances.section !== undefined) return value;
      const options = this.instances.check(place, value);
      if (typeof below !== 'string') return this.merge(below, options);
      if (Object.keys(options).length === 0) return below;
      return this.merge(this.registry.find(below, place).given as O, options);
    }, undefined);
  }
}

/** What is to be said of a stage whose instances have names; the rest follows from how these are made. */
type NamedStage<T extends StageTypes> = Pick<
  StageDefinition<T>,
  'inside' | 'error' | 'metrics' | 'summarize'
>;

/** The definition of a stage around attempts whose instances have names. */
export function namedStage<
  T extends StageTypes & { policy: NamedPolicy & { readonly options: object } },
  O extends object,
>(instances: NamedInstances<T['policy'], O>, stage: NamedStage<T>): StageDefinition<T> {
  const { stage: name, title, section } = instances;
  const check = (place: string, value: unknown) => instances.check(place, value);
  return {
    name,
    title,
    place: 'attempt',
    rule: section === undefined ? checked(check) : nameOr(check),
    defaults: { key: name, rule: checked(check) },
    sections: section === undefined ? {} : { [section]: check },
    instances,
    catalog: (application) => new NamedCatalog(instances, application),
    describe: (policy) => ({ name: policy.name, ...policy.options }),
    ...stage,
  };
}
