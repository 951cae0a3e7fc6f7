import { ResilienceConfigurationError, unregistered } from './configuration.error.js';

/** A policy that is there for good, or a `WeakRef` to one that lives as long as somebody holds it. */
interface Entry<P> {
  deref(): P | undefined;
}

/** The policies of one kind in an application, by name. */
export class Registry<P extends { readonly name: string }> {
  private readonly policies = new Map<string, Entry<P>>();
  private readonly collected = new FinalizationRegistry<string>((name) => {
    if (!this.has(name)) this.forget(name);
  });
  private readonly substitutes = new Map<string, P>();

  /**
   * @param section of the module's options, in which they are named: `breakers`
   * @param onLeft told of each that the registry has forgotten
   * @param instead what says what a number in the place of a name was meant for
   * @internal
   */
  constructor(
    private readonly kind: string,
    private readonly section: string,
    private readonly onLeft: (name: string) => void = () => undefined,
    private readonly instead?: (number: number) => string,
  ) {}

  /** @throws ResilienceConfigurationError on an unknown name, listing the known ones */
  get(name: string): P {
    return this.substitutes.get(name) ?? this.find(name, `${this.kind} "${name}"`);
  }

  has(name: string): boolean {
    return this.policies.get(name)?.deref() !== undefined;
  }

  /** Named ones and those that decorators made, in the order in which they were made. */
  list(): P[] {
    return [...this.policies].flatMap(
      ([name, entry]) => this.substitutes.get(name) ?? entry.deref() ?? [],
    );
  }

  /**
   * Shows something else in the place of a policy.
   *
   * @internal
   */
  substitute(name: string, policy: P): void {
    this.substitutes.set(name, policy);
  }

  /** @internal */
  find(name: string, place: string): P {
    const policy = this.policies.get(name)?.deref();
    if (policy === undefined) {
      throw new ResilienceConfigurationError(
        place,
        unregistered(this.kind, name, this.policies.keys(), this.section, this.instead),
      );
    }
    return policy;
  }

  /**
   * From now on the registry does not keep the policy: it is there while somebody else holds it.
   *
   * @internal
   */
  loosen(policy: P): void {
    this.policies.set(policy.name, new WeakRef(policy));
    this.collected.register(policy, policy.name);
  }

  /**
   * Forgets the policy.
   *
   * @internal
   */
  remove(policy: P): void {
    if (this.policies.get(policy.name)?.deref() === policy) this.forget(policy.name);
  }

  private forget(name: string): void {
    if (this.policies.delete(name)) this.onLeft(name);
  }

  /**
   * @throws ResilienceConfigurationError where the name is taken
   * @internal
   */
  add(policy: P, place: string): P {
    if (this.has(policy.name)) {
      throw new ResilienceConfigurationError(
        place,
        `the name ${JSON.stringify(policy.name)} is taken by another ${this.kind}; allowed: a name of its own, or the other's name to share it`,
      );
    }
    this.policies.set(policy.name, { deref: () => policy });
    return policy;
  }
}
