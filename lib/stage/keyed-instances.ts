import { clock, now } from '../common/clock.js';
import type { KeyedPolicies, PolicyKey } from '../common/keyed-policies.js';
import { type Linked, LinkedList } from '../common/linked-list.js';
import type { Orders } from '../fleet/orders.js';
import type { AttemptStage } from './attempt-stage.js';
import { ALL, keyFrom, nameOf } from './key.js';
import type { ResolvedKeyedOptions } from './keyed.options.js';
import type { KeyedHost, KeyedReports } from './keyed-reports.js';

/** So many of those that have to stay are looked at again for each new key. */
const LOOKED_AT = 4;

/** One of many by key. */
export class Keyed<P> implements Linked<Keyed<P>> {
  previous: Keyed<P> | undefined = undefined;
  next: Keyed<P> | undefined = undefined;
  /** That it is in: it leaves it late, when something is in it and the list is looked at. */
  list: LinkedList<Keyed<P>> | undefined = undefined;
  /** So many attempts are in it, or wait for it. */
  users = 0;
  needsScope = false;
  isGone = false;

  constructor(
    /** `undefined` of the one for all keys that there is no place for. */
    readonly key: string | undefined,
    readonly policy: P & Partial<AttemptStage>,
    readonly host: KeyedHost,
    /** When an attempt was in it last, on the monotonic clock. */
    public usedAt: number,
  ) {}
}

/** How the whole fleet is told of the instances of a name. */
export interface KeyedOrders<P> {
  readonly orders: Orders;
  /** Makes one that stands for all, while there is none of which something could be said. */
  standIn(): P;
  /** One was made, and what was said of all has been said of it. */
  made(policy: P): void;
}

/** How the instances of a name are made and ended. */
export interface KeyedParts<P> {
  /** Of all of them. */
  readonly name: string;
  /** For messages: `circuit breaker "partner"`. */
  readonly place: string;
  /** The options without the defaults, for who builds on them. */
  readonly given: object;
  readonly keyed: ResolvedKeyedOptions;
  /** The options in force of each. */
  readonly options: object;
  readonly reports: KeyedReports;
  make(name: string, host: KeyedHost): P;
  /** What users get of one. */
  reveal(policy: P): unknown;
  dispose(policy: P): void;
  /** The application begins to close. */
  shutdown(policy: P): void;
  /** Where the whole fleet can be told something of them. */
  readonly fleet?: KeyedOrders<P> | undefined;
  /** There are more keys than places, and all have to stay. */
  crowded(): void;
}

/** What of that can be other at run time. */
export type ChangedParts<P> = Pick<KeyedParts<P>, 'given' | 'keyed' | 'options' | 'make' | 'fleet'>;

/**
 * The instances of one name by key. Those that no attempt is in are in one of two lists, the longest idle
 * first: `idle`, of which one goes where there are too many, and `staying`, whose state would be lost. What
 * belongs in which is looked at when an attempt leaves, and again before one is forgotten; so all is O(1)
 * for each call, and nothing needs a timer.
 */
export class KeyedInstances<P extends { readonly name: string }> implements KeyedPolicies<P> {
  readonly name: string;
  /** What a key function stands for in names: `partner[*]`. */
  readonly pattern: string;
  private readonly entries = new Map<string, Keyed<P>>();
  private readonly idle = new LinkedList<Keyed<P>>();
  private readonly staying = new LinkedList<Keyed<P>>();
  /** For all keys that there is no place for. */
  private overflow: Keyed<P> | undefined = undefined;
  /** So many need a scope. */
  private needing = 0;
  /** So many operations have it as a stage. */
  private operations = 0;
  private isClosed = false;
  private era = clock.era;
  /** What a test has put in the place of all. */
  private replacement: P | undefined = undefined;
  /** What was said of all. */
  private action: ((policy: P) => void) | undefined = undefined;
  /** How one is made that this is then said of, and what was changed after it. */
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
    return this.entries.size;
  }

  keys(): string[] {
    return this.ordered().flatMap(({ key }) => key ?? []);
  }

  list(): P[] {
    return this.ordered().map(({ policy }) => this.revealed(policy));
  }

  has(key: PolicyKey): boolean {
    return this.entries.has(keyFrom(key, this.parts.place));
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
      if (this.entries.size === 0) this.sayOfNone(action);
      for (const entry of this.all()) {
        this.act(entry.policy);
        this.settleDown(entry);
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
    for (const entry of this.all()) {
      change(entry.policy);
      this.settleDown(entry);
    }
  }

  forget(key: PolicyKey): boolean {
    const entry = this.entries.get(keyFrom(key, this.parts.place));
    if (entry !== undefined) this.drop(entry);
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
    return (key === '' ? this.overflow : this.entries.get(key))?.policy;
  }

  get needsScope(): boolean {
    return this.needing > 0 || this.entries.size === 0;
  }

  joined(): void {
    this.operations++;
    for (const { policy } of this.all()) policy.joined?.();
  }

  /** @throws ResilienceConfigurationError where what a key function answered is no key */
  find(answer: unknown, at: number, place: string): Keyed<P> {
    this.forgetIdle(at, LOOKED_AT);
    const known = typeof answer === 'string' ? this.entries.get(answer) : undefined;
    return known ?? this.findOrMake(keyFrom(answer, place), at);
  }

  /** It was used at this moment. */
  touch(entry: Keyed<P>, at: number): void {
    if (entry.users === 0) this.leave(entry, at);
  }

  /** An attempt is in it, or waits for it, from now on. */
  enter(entry: Keyed<P>, at: number): void {
    entry.users++;
    entry.usedAt = at;
  }

  /** An attempt is in it no more. */
  exit(entry: Keyed<P>, at: number): void {
    if (--entry.users === 0) this.leave(entry, at);
    else this.judgeScope(entry);
  }

  /** What has been let in may be the last that there is room for. */
  judgeScope(entry: Keyed<P>): void {
    const needsScope = entry.policy.needsScope === true && !entry.isGone;
    if (needsScope === entry.needsScope) return;
    entry.needsScope = needsScope;
    this.needing += needsScope ? 1 : -1;
  }

  shutdown(): void {
    this.isClosed = true;
    for (const { policy } of this.all()) this.parts.shutdown(policy);
  }

  /** They are used no more. */
  end(): void {
    for (const entry of this.all()) this.drop(entry);
  }

  /** From now on this one has the place of those of all keys. */
  replaceBy(policy: object): void {
    this.end();
    this.replacement = policy as P;
  }

  private *all(): Generator<Keyed<P>> {
    yield* this.entries.values();
    if (this.overflow !== undefined) yield this.overflow;
  }

  /** Those that were used last come last. */
  private ordered(): Keyed<P>[] {
    this.forgetIdle(now(), this.entries.size);
    return [...this.all()].sort((one, other) => one.usedAt - other.usedAt);
  }

  private revealed(policy: P): P {
    return this.parts.reveal(policy) as P;
  }

  private findOrMake(key: string, at: number): Keyed<P> {
    const known = this.entries.get(key);
    if (known !== undefined) return known;
    const { maxKeys } = this.parts.keyed;
    if (this.entries.size >= maxKeys && !this.makeRoom()) return this.crowd(at);
    const entry = this.make(key, at);
    this.entries.set(key, entry);
    this.settleDown(entry);
    return entry;
  }

  private crowd(at: number): Keyed<P> {
    if (this.overflow === undefined) {
      this.overflow = this.make(undefined, at);
      this.parts.crowded();
    }
    return this.overflow;
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

  /** @param name of what is told to the other instances in the place of single ones */
  private saying(name: string | undefined, action: () => void): void {
    const { fleet } = this.parts;
    if (fleet === undefined) action();
    else fleet.orders.together(`${this.name}[`, name, action);
  }

  /** The other instances may have some of those of which there is none here. */
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

  /** Nothing is in it any more. */
  private leave(entry: Keyed<P>, at: number): void {
    entry.usedAt = at;
    this.settleDown(entry);
  }

  /** To the end of the list that it belongs in; to none while something is in it. */
  private settleDown(entry: Keyed<P>): void {
    this.judgeScope(entry);
    if (entry.key === undefined || entry.isGone) return;
    const list = mayGo(entry) ? this.idle : this.staying;
    if (entry.users === 0 && entry.list === list && list.last === entry) return;
    this.unlist(entry);
    if (entry.users > 0) return;
    entry.list = list;
    list.append(entry);
  }

  private unlist(entry: Keyed<P>): void {
    entry.list?.remove(entry);
    entry.list = undefined;
  }

  /** @returns whether one was forgotten */
  private makeRoom(): boolean {
    let longest = this.longestIdle();
    // Those that had to stay and need not any more are where they were put then.
    for (let looks = Math.min(LOOKED_AT, this.entries.size); looks > 0; looks--) {
      const { first } = this.staying;
      if (first === undefined) break;
      this.staying.remove(first);
      this.staying.append(first);
      if (mayGo(first) && first.usedAt < (longest?.usedAt ?? Number.POSITIVE_INFINITY))
        longest = first;
    }
    return longest !== undefined && this.drop(longest);
  }

  private longestIdle(): Keyed<P> | undefined {
    for (let { first } = this.idle; first !== undefined; first = this.idle.first) {
      if (mayGo(first)) return first;
      this.settleDown(first);
    }
    return undefined;
  }

  /** @param looks at so many of those that have to stay */
  private forgetIdle(at: number, looks: number): void {
    if (this.era !== clock.era) this.followClock();
    const before = at - this.parts.keyed.idleMs;
    for (let { first } = this.idle; first !== undefined; first = this.idle.first) {
      if (first.users === 0 && first.usedAt > before) break;
      if (isKept(first)) this.settleDown(first);
      else this.drop(first);
    }
    for (let look = 0; look < looks; look++) {
      const { first } = this.staying;
      if (first === undefined || (first.users === 0 && first.usedAt > before)) break;
      if (isKept(first)) this.settleDown(first);
      else this.drop(first);
    }
    const { overflow } = this;
    if (overflow !== undefined && overflow.usedAt <= before && !isKept(overflow))
      this.drop(overflow);
  }

  /** All of them count as used when the new clock began. */
  private followClock(): void {
    this.era = clock.era;
    for (const entry of this.all()) entry.usedAt = clock.eraBeganAt;
  }

  private drop(entry: Keyed<P>): true {
    if (entry.key === undefined) this.overflow = undefined;
    else this.entries.delete(entry.key);
    this.unlist(entry);
    entry.isGone = true;
    this.judgeScope(entry);
    this.parts.dispose(entry.policy);
    entry.host.end();
    return true;
  }
}

function mayGo({ policy, users }: Keyed<object>): boolean {
  return users === 0 && (policy.retention ?? 'none') === 'none';
}

function isKept({ policy, users }: Keyed<object>): boolean {
  return users > 0 || policy.retention === 'kept';
}
