import { Observable } from 'rxjs';
import { runInScope } from '../context/ambient.js';
import type { ClientScope } from './client-scope.js';

/**
 * What a handler's Observable does when it is subscribed to belongs to the call as well. The scope ends
 * when the handler has settled.
 *
 * @param isPromised whether the handler is an async function
 * @param map what becomes of an error. (Not by an operator: there may be one of these for each request.)
 */
export function inScope<T>(
  values: Observable<T>,
  scope: ClientScope,
  isPromised: () => boolean,
  map: (error: unknown) => unknown,
): Observable<T> {
  return new Observable((subscriber) => {
    let settled = false;
    const settle = () => {
      settled = true;
      scope.end();
    };
    const subscription = runInScope(scope, () =>
      values.subscribe({
        next: (value) => subscriber.next(value),
        error: (error) => {
          settle();
          subscriber.error(map(error));
        },
        complete: () => {
          settle();
          subscriber.complete();
        },
      }),
    );
    return () => {
      // Unsubscribing ends an Observable, but not an async function: it goes on, and tells its end here.
      if (settled || (scope.isForNobody && isPromised())) return;
      subscription.unsubscribe();
      settle();
    };
  });
}
