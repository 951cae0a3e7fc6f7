import type { AttemptStage } from '../attempt/attempt-stage.js';
import { now } from '../common/clock.js';
import type { KeyedPolicies, PolicyKey } from '../common/keyed-policies.js';
import { ALL, keyFrom, nameOf } from '../stage/key.js';
import type { ChangedParts, KeyedParts } from './keyed-parts.js';
import { Keyed, KeyedPlaces } from './keyed-places.js';

/**
 * The instances of one name by key: they are made when their key first comes, and what is said of all of them,
 * or changed, goes for those that are made later too. Which of them stay is told by `KeyedPlaces`.
 */
export class KeyedInstances<P extends { readonly name: string }> implements KeyedPolicies<P> {
  readonly name: string;
  /** What a key function stands for in names: `partner[*]`. */
  readonly pattern: string;
  private readonly places = new KeyedPlaces<P>((entry) => this.forgotten(entry));
  /** So many operations have it as a stage. */
  private operations = 0;
  private isClosed = false;
  /** What a test has put in the place of all of them. */
  private replacement: P | undefined = undefined;
  /** What `forAll()` was called with last. */
  private action: ((policy: P) => void) | undefined = undefined;
  /**
   * A new instance goes through what the others have: it is made as instances were when that was said, hears it,
   * and is then changed as they were since.
   */
  private makeBefore: KeyedParts<P>['make'];
  private changeAfter: ((policy: P) => void) | undefined = undefined;
  private current: KeyedParts<P>;

  constructor(parts: KeyedParts<P>) {
    this.name = parts.name;
    this.pattern = nameOf(parts.name, ALL);
    this.current = parts;
    this.makeBefore = parts.make;
  }

  /** Whether something else has the place of all. */
  get isReplaced(): boolean {
    return this.replacement !== undefined;
  }

  get parts(): KeyedParts<P> {
    return this.current;
  }

  /** In force of each. */
  get options(): object {
    return this.parts.options;
  }

  get size(): number {
    return this.places.size;
  }

  keys(): string[] {
    return this.ordered().flatMap(({ key }) => key ?? []);
  }

  list(): P[] {
    return this.ordered().map(({ policy }) => this.revealed(policy));
  }

  has(key: PolicyKey): boolean {
    return this.places.get(keyFrom(key, this.parts.place)) !== undefined;
  }

  forKey(key: PolicyKey): P {
    const at = now();
    const entry = this.find(key, at, this.parts.place);
    this.touch(entry, at);
    return this.revealed(entry.policy);
  }

  forAll(action: (policy: P) => void): void {
    this.action = action;
    this.makeBefore = this.parts.make;
    this.changeAfter = undefined;
    this.saying(this.pattern, () => {
      if (this.places.size === 0) this.sayOfNone(action);
      for (const entry of this.places.all()) {
        this.act(entry.policy);
        this.places.settle(entry);
      }
    });
  }

  /**
   * From now on they go by other options, those that there are and those that come. What was said of all
   * before was said before also for those that come.
   */
  change(parts: ChangedParts<P>, change: (policy: P) => void): void {
    this.current = { ...this.current, ...parts };
    if (this.replacement !== undefined) return;
    if (this.action === undefined) this.makeBefore = parts.make;
    else this.changeAfter = change;
    for (const entry of this.places.all()) {
      change(entry.policy);
      this.places.settle(entry);
    }
  }

  forget(key: PolicyKey): boolean {
    const entry = this.places.get(keyFrom(key, this.parts.place));
    if (entry !== undefined) this.places.drop(entry);
    return entry !== undefined;
  }

  /** The policies themselves, with that for all keys that there is no place for. */
  policies(): P[] {
    return this.ordered().map(({ policy }) => policy);
  }

  /** The policy of a name with a key, `partner[acme]`. */
  named(name: string): P | undefined {
    const { name: all } = this;
    if (!name.startsWith(`${all}[`) || !name.endsWith(']')) return undefined;
    const key = name.slice(all.length + 1, -1);
    return (key === '' ? this.places.overflow : this.places.get(key))?.policy;
  }

  get needsScope(): boolean {
    return this.places.needScope;
  }

  joined(): void {
    this.operations++;
    for (const { policy } of this.places.all()) policy.joined?.();
  }

  /** @throws ResilienceConfigurationError where what a key function answered is no key */
  find(answer: unknown, at: number, place: string): Keyed<P> {
    const { places } = this;
    places.forgetIdle(at, this.current.keyed.idleMs);
    const known = typeof answer === 'string' ? places.get(answer) : undefined;
    return known ?? this.findOrMake(keyFrom(answer, place), at);
  }

  /** It was used at this moment. */
  touch(entry: Keyed<P>, at: number): void {
    if (entry.users === 0) this.places.leave(entry, at);
  }

  /** An attempt is in it, or waits for it, from now on. */
  enter(entry: Keyed<P>, at: number): void {
    entry.users++;
    entry.usedAt = at;
  }

  /** An attempt is in it no more. */
  exit(entry: Keyed<P>, at: number): void {
    if (--entry.users === 0) this.places.leave(entry, at);
    else this.places.judgeScope(entry);
  }

  /** What has been let in may be the last that there is room for. */
  judgeScope(entry: Keyed<P>): void {
    this.places.judgeScope(entry);
  }

  shutdown(): void {
    this.isClosed = true;
    for (const { policy } of this.places.all()) this.parts.shutdown(policy);
  }

  /** They are used no more. */
  end(): void {
    for (const entry of this.places.all()) this.places.drop(entry);
  }

  /** From now on this one has the place of those of all keys. */
  replaceBy(policy: object): void {
    this.end();
    this.replacement = policy as P;
  }

  /** Those that were used last come last. */
  private ordered(): Keyed<P>[] {
    return this.places.ordered(now(), this.parts.keyed.idleMs);
  }

  private revealed(policy: P): P {
    return this.parts.reveal(policy) as P;
  }

  private findOrMake(key: string, at: number): Keyed<P> {
    const { places } = this;
    const known = places.get(key);
    if (known !== undefined) return known;
    const { maxKeys } = this.parts.keyed;
    if (places.size >= maxKeys && !places.makeRoom()) return this.crowd(at);
    const entry = this.make(key, at);
    places.add(key, entry);
    return entry;
  }

  private crowd(at: number): Keyed<P> {
    const { places } = this;
    if (places.overflow === undefined) {
      places.overflow = this.make(undefined, at);
      this.parts.crowded();
    }
    return places.overflow;
  }

  private make(key: string | undefined, at: number): Keyed<P> {
    const { parts } = this;
    const name = nameOf(this.name, key ?? '');
    const host = parts.reports.of(name, key);
    const made = this.replacement ?? this.makeBefore(name, host);
    const policy = made as P & Partial<AttemptStage>;
    for (let each = 0; each < this.operations; each++) policy.joined?.();
    if (this.isClosed) parts.shutdown(policy);
    this.saying(undefined, () => this.act(policy));
    this.changeAfter?.(policy);
    parts.fleet?.made(policy);
    return new Keyed(key, policy, host, at);
  }

  /** @param name under which the other instances of the fleet are told once, rather than of each key */
  private saying(name: string | undefined, action: () => void): void {
    const { fleet } = this.parts;
    if (fleet === undefined) action();
    else fleet.orders.together(`${this.name}[`, name, action);
  }

  /** The other instances of the fleet may have keys where this one has none yet, and have to be told. */
  private sayOfNone(action: (policy: P) => void): void {
    const { fleet } = this.parts;
    if (fleet === undefined) return;
    const policy = fleet.standIn();
    action(this.revealed(policy));
    this.parts.dispose(policy);
  }

  private act(policy: P & Partial<AttemptStage>): void {
    if (this.action === undefined) return;
    this.action(this.revealed(policy));
    policy.becameUsual?.();
  }

  private forgotten({ policy, host }: Keyed<P>): void {
    this.parts.dispose(policy);
    host.end();
  }
}
