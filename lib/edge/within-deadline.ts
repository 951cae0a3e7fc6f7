import { Observable } from 'rxjs';
import { Alarm } from '../common/alarm.js';
import { now } from '../common/clock.js';
import { closeStreamOf } from '../common/open-stream.js';
import type { TimeoutError } from '../context/timeout.error.js';
import type { ClientScope } from './client-scope.js';

/**
 * The deadline of a request, by which its answer has to begin. What has begun (a stream's first value,
 * headers that were sent) flows on, rather than break off in the middle: a client that has lost interest
 * leaves.
 */
class AnswerDeadline {
  private readonly alarm = new Alarm(() => this.ring());

  constructor(
    private readonly scope: ClientScope,
    private readonly expired: (error: TimeoutError) => void,
  ) {}

  /** @returns whether there is any time left; if not, it has expired by this */
  begin(): boolean {
    const leftMs = this.scope.expiresAt - now();
    if (leftMs <= 0) {
      this.expired(this.scope.expire());
      return false;
    }
    this.alarm.letProcessEnd(); // whoever waits for the answer keeps the process alive, and nobody else does
    this.alarm.set(leftMs);
    return true;
  }

  answered(): void {
    this.stop();
    this.scope.answered();
  }

  stop(): void {
    this.alarm.stop();
  }

  private ring(): void {
    if (this.scope.committed) this.scope.answered();
    else this.expired(this.scope.expire());
  }
}

/**
 * What answers a request, ended at the request's deadline by a `TimeoutError`, as is all that runs
 * inside; not even begun where the deadline has passed.
 *
 * @param isStream whether the first value begins the answer, rather than the end
 */
export function withinDeadline<T>(
  handled: Observable<T>,
  scope: ClientScope,
  isStream: boolean,
): Observable<T> {
  return new Observable<T>((subscriber) => {
    const deadline = new AnswerDeadline(scope, (error) => subscriber.error(error));
    if (!deadline.begin()) return;
    subscriber.add(() => deadline.stop());
    subscriber.add(
      handled.subscribe({
        next: (value) => {
          if (isStream) deadline.answered();
          subscriber.next(value);
        },
        error: (error) => {
          deadline.answered();
          subscriber.error(error);
        },
        complete: () => {
          deadline.answered();
          subscriber.complete();
        },
      }),
    );
  });
}

/**
 * The same for a promise. The deadline goes on to hold for an Observable that it resolves to; a file that
 * comes too late is closed.
 */
export function promiseWithinDeadline(
  begin: () => Promise<unknown>,
  scope: ClientScope,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const deadline = new AnswerDeadline(scope, reject);
    if (!deadline.begin()) return;
    begin().then(
      (answer) => {
        deadline.stop();
        if (scope.aborted) closeStreamOf(answer);
        resolve(answer);
      },
      (error) => {
        deadline.stop();
        reject(error);
      },
    );
  });
}
