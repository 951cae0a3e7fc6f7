import { Observable, type Subscriber, takeWhile } from 'rxjs';
import { CallContext, runInScope, surroundings } from '../context/ambient.js';
import type { Scope } from '../context/scope.js';
import type { CallKey } from '../stage/call-keys.js';
import { SharedScope, Waiter } from './shared-scope.js';

/**
 * A stream that several subscribers share, all of whom have come before its first value.
 *
 * @param find the work that a subscription shares, if any
 * @param make that of a subscription that is on its own
 * @param signals by which the subscriber gives up
 */
export function sharedStream<T>(
  find: (madeIn: Scope | undefined) => SharedStream<T> | undefined,
  make: () => Observable<T>,
  signals: readonly AbortSignal[],
): Observable<T> {
  return new Observable<T>((subscriber) => {
    const madeIn = surroundings();
    const work = find(madeIn);
    return work === undefined
      ? make().subscribe(subscriber)
      : work.join(new StreamWaiter(work, madeIn, signals, subscriber));
  });
}

export class SharedStream<T> extends SharedScope {
  private isBegun = false;

  constructor(
    around: Scope | undefined,
    private readonly make: (madeIn: SharedScope) => Observable<T>,
    running: Map<CallKey, SharedScope>,
    key: CallKey,
  ) {
    super(around, running, key);
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
    const values = this.make(this).pipe(takeWhile(() => this.waiting.size > 0));
    runInScope(this, () => values.subscribe(events)); // which ends when it is aborted
  }
}

/** What a subscriber makes of a value is neither inside the shared work, nor in the async context of another one. */
class StreamWaiter<T> extends Waiter {
  private readonly context = new CallContext();

  constructor(
    shared: SharedStream<T>,
    madeIn: Scope | undefined,
    signals: readonly AbortSignal[],
    readonly subscriber: Subscriber<T>,
  ) {
    super(shared, madeIn, signals);
  }

  override cut(reason: unknown): void {
    this.subscriber.error(reason);
  }

  emit(value: T): void {
    this.context.runInAsyncScope(() => this.subscriber.next(value));
  }

  complete(): void {
    this.context.runInAsyncScope(() => this.subscriber.complete());
  }

  fail(error: unknown): void {
    this.context.runInAsyncScope(() => this.subscriber.error(error));
  }
}

function unsubscribed(): DOMException {
  return new DOMException('The subscriber unsubscribed', 'AbortError');
}
