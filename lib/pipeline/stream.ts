import {
  defer,
  isObservable,
  Observable,
  type ObservableInput,
  type Subscriber,
  Subscription,
  takeWhile,
} from 'rxjs';
import { enclosingScope, runInScope } from '../context/ambient.js';
import { join } from '../context/join.js';
import type { AttemptContext, Dependent, Scope } from '../context/scope.js';
import type { Attempt } from './attempt.js';
import { Execution, type Origin } from './execution.js';
import type { Plan } from './stages.js';

/** What an execution resolves to when its stream has begun; a fallback's result is anything else. */
const STREAMING = Symbol('streaming');

/**
 * A resilient call whose answer is a stream. Each subscription is a call, each attempt subscribes
 * anew. The first value (or the end without one) settles the attempt; what comes after passes through.
 */
export function observeStream<T>(
  plan: Plan,
  source: (attempt: AttemptContext) => ObservableInput<T>,
  origin: Origin,
  signal?: AbortSignal,
): Observable<T> {
  return new Observable<T>((subscriber) => {
    const call = new StreamCall(plan, source, origin, enclosingScope(), subscriber);
    return call.start(signal);
  });
}

class StreamCall<T> implements Dependent {
  private readonly execution: Execution<unknown>;
  /** Of the stream that is being passed on, or of the attempt that hopes to be. */
  private subscription: Subscription | undefined = undefined;
  private leave: () => void = () => undefined;
  private ended = false;

  constructor(
    plan: Plan,
    private readonly source: (attempt: AttemptContext) => ObservableInput<T>,
    origin: Origin,
    private readonly caller: Scope | undefined,
    private readonly subscriber: Subscriber<T>,
  ) {
    this.execution = new Execution<unknown>(
      plan,
      (attempt) => this.subscribe(attempt),
      origin,
      caller,
    );
  }

  /** @returns the teardown */
  start(signal: AbortSignal | undefined): () => void {
    this.leave = join(this, this.caller, signal);
    this.execution.run().then(
      (result) => {
        if (result !== STREAMING) this.answerWith(result);
      },
      (error) => this.subscriber.error(error),
    );
    return () => {
      this.leave();
      if (this.ended) return;
      this.execution.cancel(new DOMException('The subscriber unsubscribed', 'AbortError'));
      this.subscription?.unsubscribe();
    };
  }

  /** The caller gave up: the stream ends, also where it has begun. */
  cancel(reason: unknown): void {
    this.execution.cancel(reason);
    this.subscriber.error(reason);
  }

  private subscribe(attempt: Attempt<unknown>): void {
    const subscription = new Subscription();
    this.subscription = subscription;
    attempt.onAbandoned = () => {
      subscription.unsubscribe();
      attempt.finish(); // an unsubscribed source has really ended
    };
    let begun = false;
    const { subscriber } = this;
    const events = {
      next: (value: T) => {
        if (!begun) attempt.succeed(STREAMING);
        begun = true;
        subscriber.next(value);
      },
      error: (error: unknown) => {
        attempt.finish();
        this.ended = begun;
        if (begun) subscriber.error(error);
        else attempt.fail(error);
      },
      complete: () => {
        attempt.finish();
        attempt.succeed(STREAMING);
        this.ended = true;
        subscriber.complete();
      },
    };
    // A synchronous source does not see an unsubscription before it has run dry, so it is asked each time.
    const values = defer(() => this.source(attempt)).pipe(takeWhile(() => !subscriber.closed));
    subscription.add(runInScope(attempt, () => values.subscribe(events)));
  }

  /** A fallback's result: a stream, or the only value of one. */
  private answerWith(result: unknown): void {
    const { subscriber } = this;
    if (isObservable(result)) {
      this.subscription = (result as Observable<T>).subscribe(subscriber);
      return;
    }
    subscriber.next(result as T);
    subscriber.complete();
  }
}
