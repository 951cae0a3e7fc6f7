import { openPromise } from '../common/open-promise.js';
import { runInScope } from '../context/ambient.js';
import { refuseWithout } from '../context/refusal.js';
import type { Scope } from '../context/scope.js';
import { noteRetried } from './note-retried.js';
import { SharedScope, Waiter } from './shared-scope.js';

/** Work that several callers share, whose answer is one value. */
export class SharedPromise<T> extends SharedScope {
  private isBegun = false;

  constructor(
    around: Scope | undefined,
    private readonly forget: () => void,
  ) {
    super(around, forget);
  }

  /** Waits for the work, which is begun for the first one. */
  join(
    madeIn: Scope | undefined,
    signal: AbortSignal | undefined,
    make: () => Promise<T>,
  ): Promise<T> {
    const waiter = new PromiseWaiter<T>(this, madeIn, signal);
    try {
      refuseWithout(madeIn);
      waiter.wait();
    } catch (reason) {
      waiter.cut(reason);
    }
    if (this.waiting.size === 0) this.forget();
    else if (!this.isBegun) this.begin(make);
    return waiter.answer.promise;
  }

  private begin(make: () => Promise<T>): void {
    this.isBegun = true;
    runInScope(this, () => make()).then(
      (value) => {
        this.forget();
        for (const each of this.finish() as PromiseWaiter<T>[]) each.succeed(value);
      },
      (error) => {
        this.forget();
        for (const each of this.finish() as PromiseWaiter<T>[]) each.fail(error);
      },
    );
  }
}

class PromiseWaiter<T> extends Waiter {
  readonly answer = openPromise<T>();

  override cut(reason: unknown): void {
    this.answer.reject(reason);
  }

  succeed(value: T): void {
    noteRetried(this, value);
    this.answer.resolve(value);
  }

  fail(error: unknown): void {
    noteRetried(this, error);
    this.answer.reject(error);
  }
}
