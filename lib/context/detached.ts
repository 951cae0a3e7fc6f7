import { isObservable, Observable } from 'rxjs';
import { anyFunction } from '../common/option-rules.js';
import { check } from '../common/options.js';
import { runInScope, surroundings } from './ambient.js';
import { Scope } from './scope.js';

/**
 * Runs `fn` outside of the calls around it: their deadline, their abort and their criticality do not
 * reach what it does (as with Go's `context.WithoutCancel`). Its own calls are as resilient as ever. For
 * work that several callers share, which must not die with the one who happened to begin it.
 *
 * The slot of a bulkhead that a call around it holds is lent to it all the same, and what it comes to
 * through the breaker of a call around it is one outcome with that: else the two would wait for each
 * other, or count twice.
 *
 * What retries inside gave up on is a new failure to whoever waits for it.
 *
 * @returns what `fn` returns; an Observable or an async generator is detached too, whoever consumes it
 * @throws what `fn` throws; a ResilienceConfigurationError where it is no function, such as a promise of
 * work that has begun already, inside of the caller
 *
 * @example
 * class Tokens {
 *   private token: Promise<string> | undefined;
 *   // One request for the token, however many wait for it; a failure is forgotten.
 *   getToken(): Promise<string> {
 *     this.token ??= detached(() => this.fetchToken()).catch((error) => {
 *       this.token = undefined;
 *       throw error;
 *     });
 *     return this.token;
 *   }
 *   private async fetchToken(): Promise<string> { return 'a token'; }
 * }
 */
export function detached<T>(fn: () => T): T {
  check('detached()', fn, anyFunction);
  const result: unknown = apart(fn);
  if (isObservable(result)) return detachedStream(result) as T;
  return (isAsyncGenerator(result) ? detachedGenerator(result) : result) as T;
}

function apart<T>(fn: () => T): T {
  return runInScope(new DetachedScope(surroundings()), fn);
}

/** It has no caller, but its calls still find the breakers and bulkheads that are around it. */
class DetachedScope extends Scope {
  constructor(around: Scope | undefined) {
    // Work that begins itself anew, detached, must not leave a longer and longer trail.
    super(
      1,
      around instanceof DetachedScope ? around.around : around,
      Number.POSITIVE_INFINITY,
      Number.POSITIVE_INFINITY,
    );
  }

  override get over(): boolean {
    return true;
  }

  /** Also where nothing is around it, it tells that what it runs is detached. */
  override get gone(): boolean {
    return false;
  }

  override get caller(): Scope | undefined {
    return undefined;
  }

  override get detached(): boolean {
    return true;
  }
}

/** Works when it is subscribed to; what the subscriber makes of a value belongs to the subscriber. */
function detachedStream<T>(values: Observable<T>): Observable<T> {
  return new Observable((subscriber) => {
    const scope = surroundings();
    const back = (emit: () => void) => runInScope(scope, emit);
    const events = {
      next: (value: T) => back(() => subscriber.next(value)),
      error: (error: unknown) => back(() => subscriber.error(error)),
      complete: () => back(() => subscriber.complete()),
    };
    return apart(() => values.subscribe(events));
  });
}

/** Works when it is asked for the next value. */
function detachedGenerator<T, R, N>(values: AsyncGenerator<T, R, N>): AsyncGenerator<T, R, N> {
  const methods: Pick<AsyncGenerator<T, R, N>, 'next' | 'return' | 'throw'> = {
    next: (...sent) => apart(() => values.next(...sent)),
    return: (value) => apart(() => values.return(value)),
    throw: (error) => apart(() => values.throw(error)),
  };
  return Object.assign(Object.create(Object.getPrototypeOf(values)), methods);
}

export function isAsyncGenerator<T>(value: unknown): value is AsyncGenerator<T, unknown, unknown> {
  const { next, return: end, throw: fail } = (value ?? {}) as Partial<AsyncGenerator>;
  const isGenerator = [next, end, fail].every((method) => typeof method === 'function');
  return isGenerator && Symbol.asyncIterator in (value as object);
}
