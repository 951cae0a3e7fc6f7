import {
  defer,
  observable as interop,
  isObservable,
  lastValueFrom,
  Observable,
  of,
  switchMap,
} from 'rxjs';
import type { Work } from '../pipeline/work.js';
import type { MethodOperation } from './method-planner.js';

/** The two ways in which a method whose return type nobody tells can be called. */
export interface Ways {
  stream(): Observable<unknown>;
  promise(work: Work, signal: AbortSignal): Promise<unknown>;
}

/**
 * Makes a call before it is known what the method returns: the answer is a Promise that can be used as
 * an Observable too. What its caller does with it decides how the method is called, once. A caller who
 * does nothing at once has it called as one that returns a Promise, a microtask later.
 */
export function callEitherWay(
  operation: MethodOperation,
  work: Work,
  ways: Ways,
): Promise<unknown> {
  let made: Promise<unknown> | undefined;
  let taken: Observable<unknown> | undefined;
  const answer = new Promise<unknown>((resolve) => {
    queueMicrotask(() => {
      made = taken === undefined ? callProbing(operation, work, ways) : undefined;
      resolve(made ?? taken);
    });
  });
  answer.catch(() => undefined); // who takes it for an Observable does not look at the Promise
  const observe = (): Observable<unknown> => {
    taken ??= defer(() => (made === undefined ? ways.stream() : flat(made)));
    return taken;
  };
  const methods = {
    subscribe: (...args: []) => observe().subscribe(...args),
    pipe: (...operators: []) => observe().pipe(...operators),
    forEach: (next: (value: unknown) => void) => observe().forEach(next),
    [interop]: observe,
  };
  return Object.assign(answer, methods);
}

/**
 * Calls the method as one that returns a Promise. If it returns an Observable, the call was none: it is
 * given up like one whose caller has left, and a resilient Observable is the answer.
 */
async function callProbing(operation: MethodOperation, work: Work, ways: Ways): Promise<unknown> {
  const probe = new AbortController();
  const probing: Work = {
    needsScope: work.needsScope,
    begin(self, args, attempt) {
      const result = work.begin(self, args, attempt);
      if (!returnsStream(result)) return result;
      probe.abort();
      throw probe.signal.reason;
    },
    answerBy: (...args) => work.answerBy(...args),
    isCommitted: (caller) => work.isCommitted(caller),
    mayRepeat: (args, caller) => work.mayRepeat(args, caller),
  };
  try {
    return await ways.promise(probing, probe.signal);
  } catch (error) {
    if (!probe.signal.aborted) throw error;
    // Nest takes whatever a guard's Promise resolves to for its decision.
    return operation.guards ? lastValueFrom(ways.stream()) : ways.stream();
  }
}

/** Whether a method has returned an Observable, and no Promise that can be used as one too. */
export function returnsStream(result: unknown): boolean {
  return !(result instanceof Promise) && isObservable(result);
}

function flat(made: Promise<unknown>): Observable<unknown> {
  return defer(() => made).pipe(
    switchMap((value) => (isObservable(value) ? (value as Observable<unknown>) : of(value))),
  );
}
