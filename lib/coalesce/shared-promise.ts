import { openPromise } from '../common/open-promise.js';
import type { Dependent } from '../context/dependent.js';
import type { Scope } from '../context/scope.js';
import { SharedScope, Waiter } from './shared-scope.js';

/** Work that several callers share, whose answer is one value. */
export class SharedPromise<T> extends SharedScope {
  private isBegun = false;
  /** The call that makes it, where nothing can cut that. */
  private call: Dependent | undefined = undefined;
  /** What that one comes to. */
  private answer: Promise<T> | undefined = undefined;
  private isFollowed = false;

  /** Waits for the work, which is begun for the first one. */
  join(
    madeIn: Scope | undefined,
    signals: readonly AbortSignal[],
    make: (madeIn: SharedScope) => Promise<T>,
  ): Promise<T> {
    if (!this.isBegun && madeIn === undefined && signals.length === 0) return this.begin(make);
    const waiter = new PromiseWaiter<T>(this, madeIn, signals);
    waiter.wait();
    if (this.answer !== undefined) {
      this.follow(this.answer);
    } else if (this.waiting.size > 0 && !this.isBegun) {
      this.isBegun = true;
      this.follow(make(this));
    }
    return waiter.answer.promise;
  }

  /** It is told of that call rather than of all that is made in it: there is nothing to end it for. */
  override adopt(dependent: Dependent): void {
    if (this.isAwaited && this.call === undefined) this.call = dependent;
    else super.adopt(dependent);
  }

  override release(dependent: Dependent): void {
    if (dependent !== this.call) {
      super.release(dependent);
      return;
    }
    this.forget();
    this.end();
  }

  /** For one whom nothing can cut, and who gets what the call answers: each promise more is paid for. */
  private begin(make: (madeIn: SharedScope) => Promise<T>): Promise<T> {
    this.isBegun = true;
    this.isAwaited = true;
    this.answer = make(this);
    if (this.count > 1) this.follow(this.answer);
    return this.answer;
  }

  /** From now on those who wait are told what it comes to. */
  private follow(answer: Promise<T>): void {
    if (this.isFollowed) return;
    this.isFollowed = true;
    answer.then(
      (value) => {
        for (const each of this.finish() as PromiseWaiter<T>[]) each.answer.resolve(value);
      },
      (error) => {
        for (const each of this.finish() as PromiseWaiter<T>[]) each.answer.reject(error);
      },
    );
  }
}

class PromiseWaiter<T> extends Waiter {
  readonly answer = openPromise<T>();

  override cut(reason?: unknown): void {
    this.answer.reject(reason);
  }
}
