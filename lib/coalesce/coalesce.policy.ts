import type { Observable } from 'rxjs';
import { now } from '../common/clock.js';
import { surroundings } from '../context/ambient.js';
import { innermost, type Scope } from '../context/scope.js';
import { type CallKey, type CallKeys, isSignal } from '../stage/call-keys.js';
import type { StageHost } from '../stage/stage-host.js';
import { SharedGenerator, sharedValues } from './shared-generator.js';
import { SharedPromise } from './shared-promise.js';
import type { SharedScope } from './shared-scope.js';
import { SharedStream, sharedStream } from './shared-stream.js';

/** The call at hand. */
export interface CoalescedCall {
  readonly self: unknown;
  readonly args: unknown[];
  readonly signal?: AbortSignal | undefined;
}

/** Of a call that nothing can cut by a signal. */
const NO_SIGNALS: readonly AbortSignal[] = [];

/** Lets equal calls of an operation that run at the same time share one execution. */
export class CoalescePolicy {
  /** What runs, by key. A pipeline may be called in all three ways, each of which shares with its like only. */
  private readonly promises = new Map<CallKey, SharedScope>();
  private readonly streams = new Map<CallKey, SharedScope>();
  private readonly generators = new Map<CallKey, SharedScope>();

  constructor(
    private readonly operation: string,
    readonly keys: CallKeys,
    private readonly host: Pick<StageHost, 'metrics' | 'report'>,
  ) {}

  /** @param make begins a call, made in a scope: this one, or as it is made for all who share it */
  promise<T>(
    call: CoalescedCall,
    make: (call: CoalescedCall, madeIn: Scope | undefined) => Promise<T>,
  ): Promise<T> {
    const madeIn = surroundings();
    const signals = signalsOf(call);
    const work = this.find<SharedPromise<T>>(
      this.promises,
      call,
      signals,
      madeIn,
      (key) => new SharedPromise<T>(madeIn, this.promises, key),
    );
    return work === undefined
      ? make(call, madeIn)
      : work.join(madeIn, signals, (shared) => make(madeForAll(call, signals, shared), shared));
  }

  /** The same for streams: each subscription is a call. */
  stream<T>(call: CoalescedCall, make: (call: CoalescedCall) => Observable<T>): Observable<T> {
    const signals = signalsOf(call);
    const makeShared = (shared: Scope) => make(madeForAll(call, signals, shared));
    const find = (madeIn: Scope | undefined) =>
      this.find<SharedStream<T>>(
        this.streams,
        call,
        signals,
        madeIn,
        (key) => new SharedStream<T>(madeIn, makeShared, this.streams, key),
      );
    return sharedStream(find, () => make(call), signals);
  }

  /** The same for async generators, which are called by the first `next()`. */
  generate<T>(
    call: CoalescedCall,
    make: (call: CoalescedCall) => AsyncGenerator<T, unknown, unknown>,
  ): AsyncGenerator<T, unknown, unknown> {
    const signals = signalsOf(call);
    const makeShared = (shared: Scope) => make(madeForAll(call, signals, shared));
    const find = (madeIn: Scope | undefined) =>
      this.find<SharedGenerator<T>>(
        this.generators,
        call,
        signals,
        madeIn,
        (key) => new SharedGenerator<T>(madeIn, makeShared, this.generators, key),
      );
    return sharedValues(find, () => make(call), signals);
  }

  /**
   * The work that a call shares.
   *
   * @param shared that of its kind
   * @param begin makes it, where others find it by this key
   * @returns `undefined` where the call is on its own: also one that cannot begin any more
   */
  private find<S extends SharedScope>(
    shared: Map<CallKey, SharedScope>,
    { self, args }: CoalescedCall,
    signals: readonly AbortSignal[],
    madeIn: Scope | undefined,
    begin: (key: CallKey) => S,
  ): S | undefined {
    const key = this.keys.of(self, args);
    if (key === undefined || isOver(innermost(madeIn))) return undefined;
    if (signals.some(({ aborted }) => aborted)) return undefined;
    const running = shared.get(key) as S | undefined;
    if (running === undefined) return begin(key);
    if (running.waitsFor(madeIn)) return undefined;
    this.tellJoined(running.count + 1);
    return running;
  }

  private tellJoined(waiting: number): void {
    const { operation, host } = this;
    host.metrics.increment('coalesce.joined', { operation });
    host.report({ type: 'coalesced', operation, waiting });
  }
}

/** By which its caller gives up: what `execute` was given, and those among its arguments. */
function signalsOf({ args, signal }: CoalescedCall): readonly AbortSignal[] {
  if (args.some(isSignal)) return [...args.filter(isSignal), ...(signal ? [signal] : [])];
  return signal === undefined ? NO_SIGNALS : [signal];
}

/** With no signal of one who waits, but one that is aborted when nobody does. */
function madeForAll(
  call: CoalescedCall,
  signals: readonly AbortSignal[],
  shared: Scope,
): CoalescedCall {
  if (signals.length === 0) return call;
  const args = call.args.map((argument) => (isSignal(argument) ? shared.signal : argument));
  return { self: call.self, args };
}

/** Whether a caller has given up, or has no time left. */
function isOver(caller: Scope | undefined): boolean {
  return caller !== undefined && (caller.aborted || caller.deadline <= now());
}
