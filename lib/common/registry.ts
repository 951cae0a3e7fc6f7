import { ResilienceConfigurationError, unregistered } from './configuration.error.js';

/** The policies of one kind in an application, by name. */
export abstract class Registry<P extends { readonly name: string }> {
  private readonly policies = new Map<string, P>();
  private readonly substitutes = new Map<string, P>();

  /** @param section of the module's options, in which they are named: `breakers` */
  protected constructor(
    private readonly kind: string,
    private readonly section: string,
  ) {}

  /** @throws ResilienceConfigurationError on an unknown name, listing the known ones */
  get(name: string): P {
    return this.substitutes.get(name) ?? this.find(name, `${this.kind} "${name}"`);
  }

  has(name: string): boolean {
    return this.policies.has(name);
  }

  /** Named ones and those that decorators made, in the order in which they were made. */
  list(): P[] {
    return [...this.policies].map(([name, policy]) => this.substitutes.get(name) ?? policy);
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
    const policy = this.policies.get(name);
    if (policy === undefined) {
      throw new ResilienceConfigurationError(
        place,
        unregistered(this.kind, name, this.policies.keys(), this.section),
      );
    }
    return policy;
  }

  protected add(policy: P, place: string): P {
    if (this.policies.has(policy.name)) {
      throw new ResilienceConfigurationError(
        place,
        `the name ${JSON.stringify(policy.name)} is taken by another ${this.kind}; allowed: a name of its own, or the other's name to share it`,
      );
    }
    this.policies.set(policy.name, policy);
    return policy;
  }
}
