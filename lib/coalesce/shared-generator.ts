import { openPromise } from '../common/open-promise.js';
import { CallContext, runInScope, surroundings } from '../context/ambient.js';
import type { Scope } from '../context/scope.js';
import type { CallKey } from '../stage/call-keys.js';
import { SharedScope, Waiter } from './shared-scope.js';

/** So many values who reads fast may be ahead of who reads slowly, for whom they are kept. */
const MAX_AHEAD = 1_000;

type Step<T> = IteratorResult<T, unknown>;

/** A value that was asked for; who has not read it yet holds it, and all that follow. */
interface Read<T> {
  readonly index: number;
  readonly step: Promise<Step<T>>;
  next: Read<T> | undefined;
}

/**
 * The values of an async generator that several callers share, all of whom have come before its first value.
 * What they send to it and throw into it, it does not hear.
 *
 * @param find the work that a call shares, if any
 * @param make that of a call that is on its own
 * @param signals by which the caller gives up
 */
export async function* sharedValues<T>(
  find: (madeIn: Scope | undefined) => SharedGenerator<T> | undefined,
  make: () => AsyncGenerator<T, unknown, unknown>,
  signals: readonly AbortSignal[],
): AsyncGenerator<T, unknown, unknown> {
  const madeIn = surroundings();
  const work = find(madeIn);
  if (work === undefined) return yield* make();
  const reader = work.join(madeIn, signals);
  try {
    for (;;) {
      const step = await reader.take();
      if (step.done) return step.value;
      yield step.value;
    }
  } finally {
    reader.leave(new DOMException('The caller wants no more values', 'AbortError'));
  }
}

export class SharedGenerator<T> extends SharedScope {
  private source: AsyncGenerator<T, unknown, unknown> | undefined = undefined;
  private newest: Read<T> = { index: 0, step: new Promise(() => undefined), next: undefined };
  /** What comes before the first value; let go of with that, since all others hang on it. */
  private start: Read<T> | undefined = this.newest;
  private movement = openPromise<void>();
  /** That of the one who began it: a generator goes on in that of whoever asks for a value. */
  private readonly context = new CallContext();

  constructor(
    around: Scope | undefined,
    private readonly make: (madeIn: SharedScope) => AsyncGenerator<T, unknown, unknown>,
    running: Map<CallKey, SharedScope>,
    key: CallKey,
  ) {
    super(around, running, key);
  }

  join(madeIn: Scope | undefined, signals: readonly AbortSignal[]): Reader<T> {
    const reader = new Reader<T>(this, madeIn, signals, this.start ?? this.newest);
    reader.wait();
    return reader;
  }

  /** The next value of a reader, which waits where another one is too far behind. */
  async read(reader: Reader<T>): Promise<Step<T>> {
    while (reader.at === this.newest && this.newest.index - this.slowest >= MAX_AHEAD)
      await this.movement.promise;
    reader.at = reader.at.next ?? this.pull();
    this.moved();
    return reader.at.step;
  }

  /** A reader has gone on, or has left. */
  moved(): void {
    const { resolve } = this.movement;
    this.movement = openPromise<void>();
    resolve();
  }

  private get slowest(): number {
    const readers = [...this.waiting] as Reader<T>[];
    return Math.min(this.newest.index, ...readers.map(({ at }) => at.index));
  }

  private pull(): Read<T> {
    const step = this.context.runInAsyncScope(() =>
      runInScope(this, () => {
        this.source ??= this.make(this);
        return this.source.next();
      }),
    );
    const begun = () => {
      this.forget();
      this.start = undefined;
    };
    const ended = () => {
      begun();
      this.end();
    };
    step.then(({ done }) => (done ? ended() : begun()), ended);
    const read: Read<T> = { index: this.newest.index + 1, step, next: undefined };
    this.newest.next = read;
    this.newest = read;
    return read;
  }
}

class Reader<T> extends Waiter {
  private interrupt: ((reason: unknown) => void) | undefined = undefined;
  private cutBy: { readonly reason: unknown } | undefined = undefined;

  /** @param at what it has read last */
  constructor(
    private readonly work: SharedGenerator<T>,
    madeIn: Scope | undefined,
    signals: readonly AbortSignal[],
    public at: Read<T>,
  ) {
    super(work, madeIn, signals);
  }

  take(): Promise<Step<T>> {
    return new Promise<Step<T>>((resolve, reject) => {
      if (this.cutBy !== undefined) throw this.cutBy.reason;
      this.interrupt = reject;
      this.work.read(this).then(resolve, reject);
    });
  }

  override cut(reason: unknown): void {
    this.cutBy = { reason };
    this.interrupt?.(reason);
  }

  override done(): boolean {
    const waited = super.done();
    this.work.moved();
    return waited;
  }
}
