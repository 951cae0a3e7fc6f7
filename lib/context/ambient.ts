import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { read } from '../common/read.js';
import { isImpatience } from '../errors/resilience.error.js';
import { PolicyScope } from './policy-scope.js';
import { type AttemptContext, innermost, type Scope } from './scope.js';

const KEY = Symbol.for('nestjs-bulwark:ambient:1');
const global = globalThis as { [KEY]?: AsyncLocalStorage<Scope | undefined> };

// One for the process, so that calls nest also where the package is loaded twice (ESM and CommonJS).
global[KEY] ??= new AsyncLocalStorage();
const storage = global[KEY];

/**
 * Whether this Node keeps async contexts in frames, as Node 24 does: an AsyncResource then is a cheap
 * way back to one, while `run()` makes two of them. Without frames, `enterWith()` would change the
 * context of the resource itself.
 */
const HAS_FRAMES = Number.parseInt(process.versions.node, 10) >= 24 && keepsFrames();

/** Asked where it can be so only: where it is not, to ask would make every promise of the process dearer for good. */
function keepsFrames(): boolean {
  const probe = new AsyncLocalStorage<boolean>();
  const resource = new AsyncResource('ResilienceProbe');
  resource.runInAsyncScope(() => probe.enterWith(true));
  const isKept = resource.runInAsyncScope(() => probe.getStore()) === undefined;
  probe.disable();
  return isKept;
}

/** Runs `fn` with `scope` as what the calls inside it see as their caller. */
export function runInScope<R, A extends unknown[]>(
  scope: Scope | undefined,
  fn: (...args: A) => R,
  ...args: A
): R {
  return storage.run(scope, fn, ...args);
}

/** The innermost scope around this code, be it over. */
export function currentScope(): Scope | undefined {
  return storage.getStore();
}

/** The async context of a call: what is to run in it later comes back to it. */
export class CallContext extends AsyncResource {
  constructor() {
    super('ResilientCall', 1); // without a trigger of its own, which Node would have to look up
  }

  /** The same as `runInScope()`, for who is in this context. */
  runInScope<R, A extends unknown[]>(scope: Scope, fn: (...args: A) => R, ...args: A): R {
    return HAS_FRAMES
      ? (this.runInAsyncScope(enter<R, A>, undefined, scope, fn, ...args) as R)
      : storage.run(scope, fn, ...args);
  }
}

/** The same as `runInScope()`, for who does not come back to this context: the cheapest way of this Node. */
export function runInScopeOnce<R, A extends unknown[]>(
  scope: Scope,
  fn: (...args: A) => R,
  ...args: A
): R {
  return HAS_FRAMES
    ? new CallContext().runInScope(scope, fn, ...args)
    : storage.run(scope, fn, ...args);
}

function enter<R, A extends unknown[]>(scope: Scope, fn: (...args: A) => R, ...args: A): R {
  storage.enterWith(scope);
  return fn(...args);
}

/**
 * The innermost scope around this code that is not over. One that was aborted counts for as long as
 * its call goes on: what is called from abandoned work must not start. But what lives longer than the
 * call in which it was made (a connection, an interval) keeps its async context, and is not held to it.
 */
export function enclosingScope(): Scope | undefined {
  return innermost(storage.getStore());
}

/**
 * The same, with the calls through policies on their own, and those that are over and still hold a slot:
 * for who looks for a policy that is around this code.
 */
export function surroundings(): Scope | undefined {
  const scope = storage.getStore();
  if (scope === undefined) return scopeOfPlain();
  return (scope.gone ? scope.around : scope) ?? scopeOfPlain();
}

/** A call that has no async context of its own. */
export interface PlainCall {
  permitFor(policy: object): unknown;
}

let plainCall: PlainCall | undefined;
let plainScope: PolicyScope | undefined;

/**
 * A call begins that has no async context: what it does before it waits for anything happens inside it, as
 * can be told without one. There is one such call at a time, since none that is made inside it is plain.
 */
export function beginPlain(call: PlainCall): void {
  plainCall = call;
}

/** It has begun. @returns its scope, where something inside has asked for it */
export function endPlain(): PolicyScope | undefined {
  const scope = plainScope;
  plainCall = undefined;
  plainScope = undefined;
  return scope;
}

function scopeOfPlain(): PolicyScope | undefined {
  if (plainCall === undefined) return undefined;
  plainScope ??= new PolicyScope(plainCall, undefined);
  return plainScope;
}

/**
 * The signal of the attempt that this code runs in: aborted with the `TimeoutError` when the attempt
 * times out, and with the caller's reason when the caller gives up. Outside a resilient call, and in
 * what outlives it, a signal that never aborts.
 *
 * @example
 * const response = await fetch('https://shop.test', { signal: currentSignal() });
 */
export function currentSignal(): AbortSignal {
  // A new one each time: listeners on one that lives as long as the process would pile up.
  return enclosingScope()?.signal ?? new AbortController().signal;
}

/** Which attempt of a call this is. */
export interface CurrentAttempt {
  /** Which attempt of the call it is, by `@Retry`: the first is 1. */
  readonly attempt: number;
  /** Which of the calls that `@Hedge` makes side by side of this attempt it is: the first is 0. */
  readonly hedge: number;
}

/**
 * Which attempt this code runs in, of the innermost call of a decorated method, a bundle or a pipeline that
 * it is part of: to go elsewhere when it is made again. In a call that is not repeated, and outside of any,
 * it is `{ attempt: 1, hedge: 0 }`; in `beforeRetry` the attempt that is to come.
 *
 * @example
 * const replicas = ['https://a.test', 'https://b.test'];
 * const url = replicas[(currentAttempt().attempt - 1) % replicas.length];
 */
export function currentAttempt(): CurrentAttempt {
  const scope = enclosingScope();
  return { attempt: scope?.attempt ?? 1, hedge: scope?.hedge ?? 0 };
}

/** What a policy on its own hands to its function: whatever attempt is around it. */
export const AMBIENT: AttemptContext = {
  get signal() {
    return currentSignal();
  },
  get attempt() {
    return enclosingScope()?.attempt ?? 1;
  },
};

/** Whether an abort says something about the dependency: a deadline that was not a client's impatience. */
export function isEvidence(reason: unknown): boolean {
  return isDeadline(reason) && !isImpatience(reason);
}

/**
 * Whether an abort was a deadline rather than a caller that lost interest. Our `TimeoutError` and that
 * of `AbortSignal.timeout()` have the same name.
 */
export function isDeadline(reason: unknown): boolean {
  return read(reason, 'name') === 'TimeoutError';
}

/** Whether an error is that of work which was called off, as `AbortController` has it. */
export function isAbort(error: unknown): boolean {
  return read(error, 'name') === 'AbortError';
}
