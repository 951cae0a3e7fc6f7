import type { AttemptStage } from '../attempt/attempt-stage.js';
import { clock } from '../common/clock.js';
import { type Linked, LinkedList } from '../common/linked-list.js';
import type { KeyedHost } from './keyed-reports.js';

/** So many of those that had to stay are looked at again by each call: some may go by now. */
const LOOKED_AT = 4;

/** One of many instances by key, and what is known of its use. */
export class Keyed<P> implements Linked<Keyed<P>> {
  previous: Keyed<P> | undefined = undefined;
  next: Keyed<P> | undefined = undefined;
  /**
   * The list of idle ones that it stands in. Where an attempt comes, it is left there until the list is looked at:
   * a key that is used all the time moves seldom.
   */
  list: LinkedList<Keyed<P>> | undefined = undefined;
  /** So many attempts are in it, or wait for it. */
  users = 0;
  /** What its policy has said of that last: it is counted among those that need one. */
  needsScope = false;
  /** It is forgotten: nobody finds it any more, though attempts may still be in it. */
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

/**
 * Which instances of a name there are, by key. Those that no attempt is in are in one of two lists, the longest
 * idle first: `idle`, of which one goes where there are too many, and `staying`, whose state would be lost. What
 * belongs in which is looked at when an attempt leaves, and again before one is forgotten; so all is O(1)
 * for each call, and nothing needs a timer.
 */
export class KeyedPlaces<P extends object> {
  private readonly entries = new Map<string, Keyed<P>>();
  private readonly idle = new LinkedList<Keyed<P>>();
  private readonly staying = new LinkedList<Keyed<P>>();
  /** For all keys that there is no place for. */
  overflow: Keyed<P> | undefined = undefined;
  /** So many policies need a scope for the next attempt. */
  private needing = 0;
  private era = clock.era;

  /** @param dropped is told of each that is forgotten */
  constructor(private readonly dropped: (entry: Keyed<P>) => void) {}

  /** Without that for all keys that there is no place for. */
  get size(): number {
    return this.entries.size;
  }

  get(key: string): Keyed<P> | undefined {
    return this.entries.get(key);
  }

  add(key: string, entry: Keyed<P>): void {
    this.entries.set(key, entry);
    this.settle(entry);
  }

  *all(): Generator<Keyed<P>> {
    yield* this.entries.values();
    if (this.overflow !== undefined) yield this.overflow;
  }

  /** Those that were used last come last. */
  ordered(at: number, idleMs: number): Keyed<P>[] {
    this.forgetIdle(at, idleMs, this.size);
    return [...this.all()].sort((one, other) => one.usedAt - other.usedAt);
  }

  /** Whether one needs a scope, or one that is yet to come may. */
  get needScope(): boolean {
    return this.needing > 0 || this.entries.size === 0;
  }

  /** What has been let in may be the last that there is room for. */
  judgeScope(entry: Keyed<P>): void {
    const needsScope = entry.policy.needsScope === true && !entry.isGone;
    if (needsScope === entry.needsScope) return;
    entry.needsScope = needsScope;
    this.needing += needsScope ? 1 : -1;
  }

  /** Nothing is in it any more. */
  leave(entry: Keyed<P>, at: number): void {
    entry.usedAt = at;
    this.settle(entry);
  }

  /** Puts it at the end of the list that it belongs in; in none while an attempt is in it. */
  settle(entry: Keyed<P>): void {
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

  /** Forgets the longest idle. @returns whether there was one */
  makeRoom(): boolean {
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
      this.settle(first);
    }
    return undefined;
  }

  /**
   * Forgets those that were idle for so long.
   *
   * @param looks at so many of those that have to stay
   */
  forgetIdle(at: number, idleMs: number, looks = LOOKED_AT): void {
    if (this.era !== clock.era) this.followClock();
    const before = at - idleMs;
    for (let { first } = this.idle; first !== undefined; first = this.idle.first) {
      if (first.users === 0 && first.usedAt > before) break;
      if (isKept(first)) this.settle(first);
      else this.drop(first);
    }
    for (let look = 0; look < looks; look++) {
      const { first } = this.staying;
      if (first === undefined || (first.users === 0 && first.usedAt > before)) break;
      if (isKept(first)) this.settle(first);
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

  /** Nobody finds it any more. */
  drop(entry: Keyed<P>): true {
    if (entry.key === undefined) this.overflow = undefined;
    else this.entries.delete(entry.key);
    this.unlist(entry);
    entry.isGone = true;
    this.judgeScope(entry);
    this.dropped(entry);
    return true;
  }
}

function mayGo({ policy, users }: Keyed<object>): boolean {
  return users === 0 && (policy.retention ?? 'none') === 'none';
}

function isKept({ policy, users }: Keyed<object>): boolean {
  return users > 0 || policy.retention === 'kept';
}
