import { Observable, type Subscriber, takeWhile } from 'rxjs';
import { runInScope, surroundings } from '../context/ambient.js';
import type { Scope } from '../context/scope.js';
import { SharedScope, Waiter } from './shared-scope.js';

/**
 * A stream that several subscribers share, all of whom have come before its first value.
 *
 * @param find the work that a subscription shares, if any
 */
export function sharedStream<T>(
  find: (madeIn: Scope | undefined) => SharedStream<T> | undefined,
  make: (signal?: AbortSignal) => Observable<T>,
  signal: AbortSignal | undefined,
): Observable<T> {
  return new Observable<T>((subscriber) => {
    const madeIn = surroundings();
    const work = find(madeIn);
    return work === undefined
      ? make(signal).subscribe(subscriber)
      : work.join(new StreamWaiter(work, madeIn, signal, subscriber));
  });
}

export class SharedStream<T> extends SharedScope {
  private isBegun = false;

  constructor(
    around: Scope | undefined,
    private readonly make: () => Observable<T>,
    forget: () => void,
  ) {
    super(around, forget);
  }

  join(waiter: StreamWaiter<T>): void {
    // A source that emits at once has to see that nobody wants more.
    waiter.subscriber.add(() => waiter.leave(unsubscribed()));
    waiter.wait();
    if (this.waiting.size > 0 && !this.isBegun) this.begin();
  }

  private begin(): void {
    this.isBegun = true;
    const events = {
      next: (value: T) => {
        this.forget();
        for (const each of [...this.waiting] as StreamWaiter<T>[]) each.emit(value);
      },
      error: (error: unknown) => {
        for (const each of this.finish() as StreamWaiter<T>[]) each.fail(error);
      },
      complete: () => {
        for (const each of this.finish() as StreamWaiter<T>[]) each.complete();
      },
    };
    const values = this.make().pipe(takeWhile(() => this.waiting.size > 0));
    runInScope(this, () => values.subscribe(events)); // which ends when it is aborted
  }
}

/** What a subscriber makes of a value is not inside the shared work. */
class StreamWaiter<T> extends Waiter {
  constructor(
    shared: SharedStream<T>,
    madeIn: Scope | undefined,
    signal: AbortSignal | undefined,
    readonly subscriber: Subscriber<T>,
  ) {
    super(shared, madeIn, signal);
  }

  override cut(reason: unknown): void {
    this.subscriber.error(reason);
  }

  emit(value: T): void {
    runInScope(this.madeIn, () => this.subscriber.next(value));
  }

  complete(): void {
    runInScope(this.madeIn, () => this.subscriber.complete());
  }

  fail(error: unknown): void {
    runInScope(this.madeIn, () => this.subscriber.error(error));
  }
}

function unsubscribed(): DOMException {
  return new DOMException('The subscriber unsubscribed', 'AbortError');
}
