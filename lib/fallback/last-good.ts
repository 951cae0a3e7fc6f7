import { now } from '../common/clock.js';
import { type Linked, LinkedList } from '../common/linked-list.js';
import type { CallKey, CallKeys } from '../stage/call-keys.js';
import { copyOf } from '../stage/key.js';
import type { LastGoodOptions } from './last-good.options.js';
import { plainCopy } from './plain-copy.js';

/** So many values of a stream are kept: longer ones are none that a call stands and falls with. */
const MAX_STREAMED = 1_000;

class Kept implements Linked<Kept> {
  previous: Kept | undefined = undefined;
  next: Kept | undefined = undefined;

  /** @param at on the monotonic clock */
  constructor(
    readonly key: CallKey,
    public value: unknown,
    public at: number,
  ) {}
}

/** Before the key of a stream. No other key begins by it: what is kept of a stream is no answer of a promise. */
const STREAM = '\n';

/** What is given in place of a call that failed. */
export interface Given {
  readonly value: unknown;
  readonly ageMs: number;
}

/** The last answers of an operation that were good, by what makes its calls equal. Nothing goes by a timer. */
export class LastGood {
  readonly maxAgeMs: number;
  readonly maxEntries: number;
  private readonly kept = new Map<CallKey, Kept>();
  /** The one first that was not used for longest. */
  private readonly byUse = new LinkedList<Kept>();

  /** @param warn told of an answer that cannot be kept */
  constructor(
    { maxAgeMs, maxEntries = 1_000 }: LastGoodOptions,
    readonly keys: CallKeys,
    private readonly warn: (error: unknown) => void,
  ) {
    this.maxAgeMs = maxAgeMs;
    this.maxEntries = maxEntries;
  }

  /** To be asked before the method is, which may change what it was given. */
  keyOf(self: unknown, args: readonly unknown[]): CallKey | undefined {
    return this.keys.of(self, args);
  }

  /** The same for a call whose answer is a stream. */
  keyOfStream(self: unknown, args: readonly unknown[]): CallKey | undefined {
    const key = this.keys.of(self, args);
    return key === undefined ? undefined : `${STREAM}${typeof key} ${key}`;
  }

  /** A call has ended well. */
  keep(key: CallKey | undefined, value: unknown, at: number): void {
    if (key === undefined) return;
    let copy: unknown;
    try {
      copy = plainCopy(value);
    } catch (error) {
      this.refused(key, error);
      return;
    }
    const kept = this.kept.get(key);
    if (kept === undefined) {
      this.add(key, copy, at);
    } else {
      kept.value = copy;
      kept.at = at;
      this.used(kept);
    }
  }

  /** A copy of what stands in for a call. */
  find(key: CallKey | undefined): Given | undefined {
    const kept = key === undefined ? undefined : this.kept.get(key);
    if (kept === undefined) return undefined;
    const ageMs = now() - kept.at;
    if (ageMs > this.maxAgeMs) {
      this.forget(kept);
      return undefined;
    }
    this.used(kept);
    return { value: plainCopy(kept.value), ageMs };
  }

  /** Takes down the values of a stream. */
  record(key: CallKey | undefined): Recording | undefined {
    return key === undefined ? undefined : new Recording(this, key);
  }

  /** An answer cannot be kept, and what stood for it is outdated. @internal */
  refused(key: CallKey, error: unknown): void {
    const kept = this.kept.get(key);
    if (kept !== undefined) this.forget(kept);
    this.warn(error);
  }

  private add(key: CallKey, value: unknown, at: number): void {
    const kept = new Kept(typeof key === 'string' ? copyOf(key) : key, value, at);
    this.kept.set(kept.key, kept);
    this.byUse.append(kept);
    const { first } = this.byUse;
    if (this.kept.size > this.maxEntries && first !== undefined) this.forget(first);
  }

  private used(kept: Kept): void {
    if (this.byUse.last === kept) return;
    this.byUse.remove(kept);
    this.byUse.append(kept);
  }

  private forget(kept: Kept): void {
    this.kept.delete(kept.key);
    this.byUse.remove(kept);
  }
}

/** The values of a stream so far, which are kept when it has ended well. */
export class Recording {
  private values: unknown[] | undefined = [];

  constructor(
    private readonly lastGood: LastGood,
    private readonly key: CallKey,
  ) {}

  add(value: unknown): void {
    if (this.values === undefined) return;
    try {
      if (this.values.length === MAX_STREAMED)
        throw new TypeError(`a stream has more than ${MAX_STREAMED} values, which are not kept`);
      this.values.push(plainCopy(value));
    } catch (error) {
      this.stop();
      this.lastGood.refused(this.key, error);
    }
  }

  /** Somebody else than the stream decides what comes next. */
  stop(): void {
    this.values = undefined;
  }

  /** @param returned by a generator */
  ended(returned?: unknown): void {
    const { values } = this;
    this.stop();
    if (values !== undefined) this.lastGood.keep(this.key, { values, returned }, now());
  }
}

/** What is kept of a stream. */
export interface Recorded {
  readonly values: readonly unknown[];
  readonly returned: unknown;
}
