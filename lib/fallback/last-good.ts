import { now } from '../common/clock.js';
import type { CallKeys } from '../stage/call-keys.js';
import type { LastGoodOptions } from './last-good.options.js';
import { plainCopy } from './plain-copy.js';

/** So many values of a stream are kept: longer ones are none that a call stands and falls with. */
const MAX_STREAMED = 1_000;

interface Kept {
  readonly value: unknown;
  /** On the monotonic clock. */
  readonly at: number;
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
  /** The one first that was not used for longest. */
  private readonly kept = new Map<string, Kept>();

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
  keyOf(self: unknown, args: readonly unknown[]): string | undefined {
    return this.keys.of(self, args);
  }

  /** The same for a call whose answer is a stream. */
  keyOfStream(self: unknown, args: readonly unknown[]): string | undefined {
    const key = this.keys.of(self, args);
    return key === undefined ? undefined : `${STREAM}${key}`;
  }

  /** A call has ended well. */
  keep(key: string | undefined, value: unknown, at: number): void {
    if (key === undefined) return;
    try {
      this.set(key, { value: plainCopy(value), at });
    } catch (error) {
      this.kept.delete(key); // what stood for it is outdated
      this.warn(error);
    }
  }

  /** A copy of what stands in for a call. */
  find(key: string | undefined): Given | undefined {
    const kept = key === undefined ? undefined : this.kept.get(key);
    if (key === undefined || kept === undefined) return undefined;
    const ageMs = now() - kept.at;
    if (ageMs > this.maxAgeMs) {
      this.kept.delete(key);
      return undefined;
    }
    this.set(key, kept);
    return { value: plainCopy(kept.value), ageMs };
  }

  /** Takes down the values of a stream. */
  record(key: string | undefined): Recording | undefined {
    return key === undefined ? undefined : new Recording(this, key);
  }

  /** @internal */
  refused(key: string, error: unknown): void {
    this.kept.delete(key);
    this.warn(error);
  }

  private set(key: string, kept: Kept): void {
    this.kept.delete(key);
    this.kept.set(key, kept);
    if (this.kept.size <= this.maxEntries) return;
    const [oldest] = this.kept.keys();
    this.kept.delete(oldest as string);
  }
}

/** The values of a stream so far, which are kept when it has ended well. */
export class Recording {
  private values: unknown[] | undefined = [];

  constructor(
    private readonly lastGood: LastGood,
    private readonly key: string,
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
