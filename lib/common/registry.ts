import {
  comesTooLate,
  type NamingWords,
  ResilienceConfigurationError,
  unregistered,
} from './configuration.error.js';
import type { KeyedPolicies } from './keyed-policies.js';

/** Those of one name by key, as a registry knows them. */
export interface KeyedEntry<P> extends KeyedPolicies<P> {
  /** What their names have in common: `partner[*]`. */
  readonly pattern: string;
  policies(): P[];
  named(name: string): P | undefined;
}

/** What has a name: a policy, or many by key. */
export type Registered<P> = P | KeyedEntry<P>;

/** Something that is there for good, or a `WeakRef` to what lives as long as somebody holds it. */
interface Entry<P> {
  deref(): Registered<P> | undefined;
}

/** The policies of one kind in an application, by name. */
export class Registry<P extends { readonly name: string }> {
  private readonly policies = new Map<string, Entry<P>>();
  private readonly collected = new FinalizationRegistry<string>((name) => {
    if (!this.isTaken(name)) this.forget(name);
  });
  private readonly substitutes = new Map<string, P>();
  /** What nobody had registered when it was named, as a test may have it, and where it was. */
  private readonly madeUp = new Map<string, string>();

  /**
   * @param section of the module's options, in which they are named: `breakers`
   * @param onLeft told of each that the registry has forgotten
   * @param words what messages say to write for a name that there is not
   * @internal
   */
  constructor(
    private readonly kind: string,
    private readonly section: string,
    private readonly onLeft: (name: string) => void = () => undefined,
    private readonly words?: NamingWords,
  ) {}

  /**
   * The one of the name.
   *
   * @param name of one that is kept by key, with the key: `partner[acme]`, which is there while it is not
   * forgotten
   * @throws ResilienceConfigurationError on an unknown name, listing the known ones; on one that stands for
   * many by key
   */
  get(name: string): P {
    const place = `${this.kind} "${name}"`;
    const found = this.substitutes.get(name) ?? this.byKey(name) ?? this.find(name, place);
    if (!isKeyed(found)) return found;
    throw new ResilienceConfigurationError(
      place,
      `is one for each key; allowed: keyed(${JSON.stringify(name)}), or a name with a key, such as ${name}[…]`,
    );
  }

  /** Whether there is one of the name; of many by key, of the name with a key: `partner[acme]`. */
  has(name: string): boolean {
    const policy = this.policies.get(name)?.deref() ?? this.byKey(name);
    return policy !== undefined && !isKeyed(policy);
  }

  /**
   * Those of a name that are kept by key.
   *
   * @throws ResilienceConfigurationError on an unknown name, and on one without a key
   */
  keyed(name: string): KeyedPolicies<P> {
    const place = `${this.kind} "${name}"`;
    const found = this.find(name, place);
    if (isKeyed(found)) return found;
    throw new ResilienceConfigurationError(
      place,
      'is one for all calls; allowed: the name of one with a key',
    );
  }

  /** Those of all keys, by the pattern of their names: `partner[*]`. */
  allOf(pattern: string): KeyedPolicies<P> | undefined {
    return this.entries().find(
      (entry): entry is KeyedEntry<P> => isKeyed(entry) && entry.pattern === pattern,
    );
  }

  /**
   * Named ones and those that decorators made, in the order in which they were made. In the place of those
   * that are kept by key are those of the keys that are there.
   */
  list(): P[] {
    return this.entries().flatMap((entry) => (isKeyed(entry) ? entry.policies() : entry));
  }

  /** What has names: also what stands for many by key. @internal */
  entries(): Registered<P>[] {
    return [...this.policies].flatMap(
      ([name, entry]) => this.substitutes.get(name) ?? entry.deref() ?? [],
    );
  }

  /** What has a name that is taken. @internal */
  entry(name: string): Registered<P> {
    return this.substitutes.get(name) ?? this.find(name, `${this.kind} "${name}"`);
  }

  /**
   * Shows something else in the place of a policy.
   *
   * @internal
   */
  substitute(name: string, policy: P): void {
    this.substitutes.set(name, policy);
  }

  /** Whether something else is shown in the place of one. @internal */
  isSubstituted(name: string): boolean {
    const policy = this.policies.get(name)?.deref() as { isReplaced?: boolean } | undefined;
    return this.substitutes.has(name) || policy?.isReplaced === true;
  }

  /** Those that are taken, also by what stands for many by key. @internal */
  names(): string[] {
    return [...this.policies.keys()].filter((name) => this.isTaken(name));
  }

  /** Whether there is something of the name. @internal */
  isTaken(name: string): boolean {
    return this.policies.get(name)?.deref() !== undefined;
  }

  /** @internal */
  find(name: string, place: string): Registered<P> {
    const policy = this.policies.get(name)?.deref();
    if (policy === undefined) {
      throw new ResilienceConfigurationError(
        place,
        unregistered(this.kind, name, this.policies.keys(), this.section, this.words),
      );
    }
    return policy;
  }

  /**
   * From now on the registry does not keep it: it is there while somebody else holds it.
   *
   * @internal
   */
  loosen(policy: Registered<P>): void {
    this.policies.set(policy.name, new WeakRef(policy));
    this.collected.register(policy, policy.name);
  }

  /**
   * Nobody has registered what has the name: who registers it later is told so.
   *
   * @param place where it was named
   * @internal
   */
  noteMadeUp(name: string, place: string): void {
    this.madeUp.set(name, place);
  }

  /**
   * Forgets it.
   *
   * @internal
   */
  remove(policy: Registered<P>): void {
    if (this.policies.get(policy.name)?.deref() === policy) this.forget(policy.name);
  }

  private byKey(name: string): P | undefined {
    if (!name.endsWith(']')) return undefined;
    for (const each of this.policies.values()) {
      const entry = each.deref();
      const policy = isKeyed(entry) ? entry.named(name) : undefined;
      if (policy !== undefined) return policy;
    }
    return undefined;
  }

  private forget(name: string): void {
    if (this.policies.delete(name)) this.onLeft(name);
  }

  /**
   * @throws ResilienceConfigurationError where the name is taken
   * @internal
   */
  add<Policy extends Registered<P>>(policy: Policy, place: string): Policy {
    if (this.isTaken(policy.name)) throw this.taken(policy.name, place);
    this.policies.set(policy.name, { deref: () => policy });
    return policy;
  }

  private taken(name: string, place: string): ResilienceConfigurationError {
    const namedIn = this.madeUp.get(name);
    return new ResilienceConfigurationError(
      place,
      namedIn === undefined
        ? `the name ${JSON.stringify(name)} is taken by another ${this.kind}; allowed: a name of its own, or the other's name to share it`
        : comesTooLate(this.kind, name, namedIn),
    );
  }
}

export function isKeyed<P>(entry: Registered<P> | undefined): entry is KeyedEntry<P> {
  return typeof (entry as Partial<KeyedEntry<P>> | undefined)?.forKey === 'function';
}
