import { merge } from '../common/options.js';
import {
  isInline,
  type NamedInstances,
  type NamedPolicy,
  type PolicyRegistry,
} from './named-instances.js';
import type { NamingOptions, Said, StageApplication, StageCatalog } from './stage-definition.js';

/** The catalog of a stage whose instances have names: an operation shares one, or has one of its own. */
export class NamedCatalog<P extends NamedPolicy, O extends object, H> implements StageCatalog<P> {
  readonly registry: PolicyRegistry<P, O, H>;
  private readonly merge: (...layers: (O | undefined)[]) => O;
  private readonly defaults: O | undefined;

  constructor(
    private readonly instances: NamedInstances<P, O, H>,
    application: StageApplication,
  ) {
    this.merge = (...layers) => (instances.merge ?? merge)(...layers);
    this.defaults = application.defaults[instances.stage] as O | undefined;
    this.registry = new instances.registry(
      (name) => instances.host(name, application),
      (name) => instances.left(name, application),
    );
  }

  /** What a bundle says inline is shared under the bundle's name. */
  add(options: NamingOptions): void {
    const { section = '', stage } = this.instances;
    const { [section]: named, services } = options;
    for (const [name, options] of Object.entries((named ?? {}) as Record<string, O>))
      this.define(name, options, `${section}.${name}`);
    for (const [name, service] of Object.entries((services ?? {}) as Record<string, NamingOptions>))
      if (isInline(service[stage])) {
        const place = `services.${name}.${stage}`;
        this.define(name, this.instances.check(place, service[stage]), place);
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

  private define(name: string, options: O | undefined, place: string): P {
    return this.registry.define(name, this.merge(this.defaults, options), place);
  }

  /** A name, or the options of something of one's own: those of the name below it, overridden. */
  private pick(values: readonly unknown[], place: string): string | O | undefined {
    return values.reduce<string | O | undefined>((below, value) => {
      if (typeof value === 'string') return value;
      const options = this.instances.check(place, value);
      if (typeof below !== 'string') return this.merge(below, options);
      if (Object.keys(options).length === 0) return below;
      return this.merge(this.registry.find(below, place).given as O, options);
    }, undefined);
  }
}
