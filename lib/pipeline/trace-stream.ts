import { Observable, Subscription, takeWhile } from 'rxjs';
import type { Trace } from './plan.js';

/** A stream, traced from each subscription to its end. */
export function traceStream<T>(trace: Trace, stream: Observable<T>): Observable<T> {
  return new Observable<T>((subscriber) => {
    const subscription = new Subscription();
    const ended = trace(
      () =>
        new Promise<void>((resolve, reject) => {
          const events = {
            next: (value: T) => subscriber.next(value),
            error: (error: unknown) => {
              reject(error);
              subscriber.error(error);
            },
            complete: () => {
              resolve();
              subscriber.complete();
            },
          };
          subscription.add(resolve); // whoever leaves ends it too
          const values = stream.pipe(takeWhile(() => !subscriber.closed));
          subscription.add(values.subscribe(events));
        }),
    );
    ended.catch(() => undefined); // the subscriber has the error
    return subscription;
  });
}
