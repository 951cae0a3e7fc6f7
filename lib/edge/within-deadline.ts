import { Observable } from 'rxjs';
import { Alarm } from '../common/alarm.js';
import { now } from '../common/clock.js';
import type { ClientScope } from './client-scope.js';

/**
 * What answers a request, ended at the request's deadline by a `TimeoutError`, as is all that runs
 * inside; not even begun where the deadline has passed.
 *
 * The deadline is for the answer's beginning. What has begun (a stream's first value, headers that
 * were sent) flows on, rather than break off in the middle: a client that has lost interest leaves.
 *
 * @param isStream whether the first value begins the answer, rather than the end
 */
export function withinDeadline<T>(
  handled: Observable<T>,
  scope: ClientScope,
  isStream: boolean,
): Observable<T> {
  return new Observable<T>((subscriber) => {
    const expire = () => subscriber.error(scope.expire());
    const leftMs = scope.expiresAt - now();
    if (leftMs <= 0) return expire();
    const alarm = new Alarm(() => (scope.committed ? scope.answered() : expire()));
    alarm.letProcessEnd(); // whoever waits for the answer keeps the process alive, and nobody else does
    alarm.set(leftMs);
    const answered = () => {
      alarm.stop();
      scope.answered();
    };
    subscriber.add(() => alarm.stop());
    subscriber.add(
      handled.subscribe({
        next: (value) => {
          if (isStream) answered();
          subscriber.next(value);
        },
        error: (error) => {
          answered();
          subscriber.error(error);
        },
        complete: () => {
          answered();
          subscriber.complete();
        },
      }),
    );
  });
}
