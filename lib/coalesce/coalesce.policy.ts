import type { Observable } from 'rxjs';
import { now } from '../common/clock.js';
import { surroundings } from '../context/ambient.js';
import { innermost, type Scope } from '../context/scope.js';
import type { CallKeys } from '../stage/call-keys.js';
import type { StageHost } from '../stage/stage-host.js';
import { SharedGenerator, sharedValues } from './shared-generator.js';
import { SharedPromise } from './shared-promise.js';
import type { SharedScope } from './shared-scope.js';
import { SharedStream, sharedStream } from './shared-stream.js';

/** The call at hand. */
export interface CoalescedCall {
  readonly self: unknown;
  readonly args: readonly unknown[];
  readonly signal: AbortSignal | undefined;
}

/** Lets equal calls of an operation that run at the same time share one execution. */
export class CoalescePolicy {
  private readonly shared = new Map<string, SharedScope>();

  constructor(
    private readonly operation: string,
    readonly keys: CallKeys,
    private readonly host: Pick<StageHost, 'metrics' | 'report'>,
  ) {}

  /** @param make begins the work, made in a scope; a caller's signal is of its own call only */
  promise<T>(
    { self, args, signal }: CoalescedCall,
    make: (madeIn: Scope | undefined, signal?: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const madeIn = surroundings();
    const work = this.find<SharedPromise<T>>(
      { self, args, signal },
      madeIn,
      (forget) => new SharedPromise<T>(madeIn, forget),
    );
    return work === undefined ? make(madeIn, signal) : work.join(madeIn, signal, make);
  }

  /** The same for streams: each subscription is a call. */
  stream<T>(
    { self, args, signal }: CoalescedCall,
    make: (signal?: AbortSignal) => Observable<T>,
  ): Observable<T> {
    const find = (madeIn: Scope | undefined) =>
      this.find<SharedStream<T>>(
        { self, args, signal },
        madeIn,
        (forget) => new SharedStream<T>(madeIn, make, forget),
      );
    return sharedStream(find, make, signal);
  }

  /** The same for async generators, which are called by the first `next()`. */
  generate<T>(
    { self, args, signal }: CoalescedCall,
    make: () => AsyncGenerator<T, unknown, unknown>,
  ): AsyncGenerator<T, unknown, unknown> {
    const find = (madeIn: Scope | undefined) =>
      this.find<SharedGenerator<T>>(
        { self, args, signal },
        madeIn,
        (forget) => new SharedGenerator<T>(madeIn, make, forget),
      );
    return sharedValues(find, make);
  }

  /**
   * The work that a call shares.
   *
   * @param begin makes it; what it is given lets nobody join any more
   * @returns `undefined` where the call is on its own: also one that cannot begin any more
   */
  private find<S extends SharedScope>(
    { self, args, signal }: CoalescedCall,
    madeIn: Scope | undefined,
    begin: (forget: () => void) => S,
  ): S | undefined {
    const key = this.keys.of(self, args);
    if (key === undefined || signal?.aborted || isOver(innermost(madeIn))) return undefined;
    const running = this.shared.get(key) as S | undefined;
    if (running === undefined) {
      const begun = begin(() => {
        if (this.shared.get(key) === begun) this.shared.delete(key);
      });
      this.shared.set(key, begun);
      return begun;
    }
    if (running.contains(madeIn)) return undefined;
    this.tellJoined(running.waiting.size + 1);
    return running;
  }

  private tellJoined(waiting: number): void {
    const { operation, host } = this;
    host.metrics.increment('coalesce.joined', { operation });
    host.report({ type: 'coalesced', operation, waiting });
  }
}

/** Whether a caller has given up, or has no time left. */
function isOver(caller: Scope | undefined): boolean {
  return caller !== undefined && (caller.aborted || caller.deadline <= now());
}
