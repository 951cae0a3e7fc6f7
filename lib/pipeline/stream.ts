import {
  defer,
  from,
  isObservable,
  Observable,
  type ObservableInput,
  type Subscriber,
  Subscription,
  takeWhile,
} from 'rxjs';
import type { Attempt } from '../attempt/attempt.js';
import { runInScope, surroundings } from '../context/ambient.js';
import { isFeigned } from '../context/chaos-marks.js';
import type { Scope } from '../context/scope.js';
import { NO_RESULT } from '../errors/failed-result.js';
import type { LastGood, Recorded } from '../fallback/last-good.js';
import type { CallKey } from '../stage/call-keys.js';
import { Call } from './call.js';
import type { Plan } from './plan.js';
import type { Work } from './work.js';

/** What a call resolves to when its stream has begun; a fallback's result is anything else. */
const STREAMING = Symbol('streaming');

/**
 * A resilient call whose answer is a stream. Each subscription is a call, each attempt subscribes
 * anew. The first value (or the end without one) settles the attempt; what comes after passes through.
 *
 * @param operation whose plan of that moment a subscription goes by
 */
export function observeStream<T>(
  operation: { readonly plan: Plan },
  work: Work,
  self: unknown,
  args: unknown[],
  signal?: AbortSignal,
): Observable<T> {
  return new Observable<T>((subscriber) =>
    new StreamCall(operation.plan, work, self, args, surroundings(), subscriber).start(signal),
  );
}

class StreamCall<T> extends Call<unknown> {
  /** Of the stream that is being passed on, or of the attempt that hopes to be. */
  private subscription: Subscription | undefined = undefined;
  private ended = false;
  /** By the stream of a fallback, which has begun: the call is over. */
  private answered = false;

  constructor(
    plan: Plan,
    work: Work,
    self: unknown,
    args: unknown[],
    private readonly outside: Scope | undefined,
    private readonly subscriber: Subscriber<T>,
  ) {
    super(plan, work, self, args, outside);
  }

  /** @returns the teardown */
  start(signal: AbortSignal | undefined): () => void {
    this.run(signal).then(
      (result) => {
        if (result !== STREAMING) this.answerWith(result as T);
      },
      (error) => this.subscriber.error(error),
    );
    return () => {
      super.end();
      if (this.ended) return;
      if (!this.answered) super.cancel(unsubscribed());
      this.subscription?.unsubscribe();
    };
  }

  /** The caller gave up: the stream ends, also where it has begun. */
  override cancel(reason: unknown): void {
    super.cancel(reason);
    this.subscriber.error(reason);
  }

  override get keepsAnswers(): boolean {
    return false;
  }

  /** The stream goes on when the call has ended, and is torn down with its caller until then. */
  protected override end(): void {}

  protected override keyFor(lastGood: LastGood): CallKey | undefined {
    return lastGood.keyOfStream(this.self, this.args);
  }

  override replay(kept: unknown): Observable<T> {
    return from((kept as Recorded).values as T[]);
  }

  override accept(answer: unknown): unknown {
    return isObservable(answer) ? this.relay(answer as Observable<T>) : answer;
  }

  override invoke(attempt: Attempt<unknown>): void {
    const subscription = new Subscription();
    this.subscription = subscription;
    attempt.watch(() => {
      try {
        subscription.unsubscribe();
      } catch {} // what an abandoned attempt throws is dropped
      attempt.finish(); // an unsubscribed source has really ended
    });
    const recording = this.plan.lastGood?.record(this.goodKey);
    let begun = false;
    let last: T | undefined;
    const { subscriber } = this;
    const events = {
      next: (value: T) => {
        if (!begun && !attempt.begin(STREAMING, value)) this.waste(attempt, value);
        if (attempt.kept !== undefined) recording?.stop(); // it counts as a failure
        begun = true;
        if (attempt.aborted) return; // by how it was judged
        last = value;
        recording?.add(value);
        this.emit(() => subscriber.next(value));
      },
      error: (error: unknown) => {
        attempt.finish();
        if (attempt.aborted) return;
        this.ended = begun;
        if (!begun) {
          attempt.fail(error);
          return;
        }
        if (attempt.hasRetried(error)) this.outside?.noteRetried(error);
        this.emit(() => subscriber.error(error));
      },
      complete: () => {
        attempt.finish(true);
        if (attempt.aborted) return;
        attempt.succeed(STREAMING, NO_RESULT);
        attempt.flowOn(last);
        this.ended = true;
        if (!isFeigned(attempt)) recording?.ended();
        this.emit(() => subscriber.complete());
      },
    };
    // A synchronous source does not see an unsubscription before it has run dry, so it is asked each time.
    const source = () => this.work.begin(this.self, this.args, attempt) as ObservableInput<T>;
    const values = defer(source).pipe(takeWhile(() => !subscriber.closed && !attempt.aborted));
    subscription.add(this.inScope(attempt, () => values.subscribe(events)));
  }

  /**
   * Passes a fallback's stream on. By its first value it has answered.
   *
   * @throws the error by which it ends before
   */
  private relay(answer: Observable<T>): Promise<unknown> {
    const { subscriber } = this;
    const subscription = new Subscription();
    this.subscription = subscription;
    return new Promise((resolve, reject) => {
      const begin = () => {
        this.answered = true;
        resolve(STREAMING);
      };
      const events = {
        next: (value: T) => {
          begin();
          this.emit(() => subscriber.next(value));
        },
        error: (error: unknown) => {
          if (this.answered) this.emit(() => subscriber.error(error));
          else reject(error);
        },
        complete: () => {
          begin();
          this.emit(() => subscriber.complete());
        },
      };
      subscription.add(answer.pipe(takeWhile(() => !subscriber.closed)).subscribe(events));
    });
  }

  /** What the subscriber makes of a value is not inside the attempt or the fallback, and does not end with it. */
  private emit(emission: () => void): void {
    runInScope(this.outside, emission);
  }

  /** The only value of the stream: what a fallback that is none answers, or `null`. */
  private answerWith(value: T): void {
    this.subscriber.next(value);
    this.subscriber.complete();
  }
}

function unsubscribed(): DOMException {
  return new DOMException('The subscriber unsubscribed', 'AbortError');
}
