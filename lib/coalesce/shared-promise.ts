import { openPromise } from '../common/open-promise.js';
import type { Scope } from '../context/scope.js';
import { SharedScope, Waiter } from './shared-scope.js';

/** Work that several callers share, whose answer is one value. */
export class SharedPromise<T> extends SharedScope {
  private isBegun = false;

  /** Waits for the work, which is begun for the first one. */
  join(
    madeIn: Scope | undefined,
    signals: readonly AbortSignal[],
    make: (madeIn: SharedScope) => Promise<T>,
  ): Promise<T> {
    if (!this.isBegun && madeIn === undefined && signals.length === 0) return this.begin(make);
    const waiter = new PromiseWaiter<T>(this, madeIn, signals);
    waiter.wait();
    if (this.waiting.size > 0 && !this.isBegun) this.beginCuttable(make);
    return waiter.answer.promise;
  }

  /** For one whom nothing can cut: each promise more is paid for. */
  private begin(make: (madeIn: SharedScope) => Promise<T>): Promise<T> {
    this.isBegun = true;
    new Patient(this, undefined, []).wait();
    return make(this).then(
      (value) => {
        this.succeeded(value);
        return value;
      },
      (error) => {
        this.failed(error);
        throw error;
      },
    );
  }

  private beginCuttable(make: (madeIn: SharedScope) => Promise<T>): void {
    this.isBegun = true;
    make(this).then(
      (value) => this.succeeded(value),
      (error) => this.failed(error),
    );
  }

  private succeeded(value: T): void {
    for (const each of this.finish() as Patient[]) each.succeed(value);
  }

  private failed(error: unknown): void {
    for (const each of this.finish() as Patient[]) each.fail(error);
  }
}

/** A caller whom nothing can cut, and who has the promise of the work. */
class Patient extends Waiter {
  override cut(): void {}

  succeed(_value: unknown): void {}

  fail(_error: unknown): void {}
}

class PromiseWaiter<T> extends Patient {
  readonly answer = openPromise<T>();

  override cut(reason?: unknown): void {
    this.answer.reject(reason);
  }

  override succeed(value: unknown): void {
    this.answer.resolve(value as T);
  }

  override fail(error: unknown): void {
    this.answer.reject(error);
  }
}
