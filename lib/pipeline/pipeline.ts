import type { Observable, ObservableInput } from 'rxjs';
import { enclosingScope, runInScope } from '../context/ambient.js';
import { join } from '../context/join.js';
import type { AttemptContext, Scope } from '../context/scope.js';
import type { Attempt, Invoke } from './attempt.js';
import { Execution, type Origin } from './execution.js';
import { Begun, beginGenerator } from './generator.js';
import type { Plan } from './stages.js';
import { observeStream } from './stream.js';
import { traceStream } from './trace-stream.js';

/** Of one call. */
export interface ExecuteOptions {
  /** When it aborts, the call ends at once with its reason. */
  signal?: AbortSignal | undefined;
}

const NOBODY: Origin = { self: undefined, args: [] };

/** The stages of one operation, put together once, through which all its calls go. */
export class Pipeline {
  /** @internal */
  readonly plan: Plan;

  /** @internal */
  constructor(plan: Plan) {
    this.plan = plan;
  }

  /**
   * Runs `fn` as often as the stages want it.
   *
   * @throws the last attempt's error, untouched; `CircuitBreakerOpenError`, `TimeoutError`,
   * `BulkheadRejectedError`; the reason of a caller that gave up
   */
  execute<T>(
    fn: (attempt: AttemptContext) => PromiseLike<T>,
    options?: ExecuteOptions,
  ): Promise<T> {
    return this.call(fn, NOBODY, options?.signal);
  }

  /**
   * The same for an Observable: an attempt begins at subscription, and the first value is its success.
   */
  observe<T>(
    source: (attempt: AttemptContext) => ObservableInput<T>,
    options?: ExecuteOptions,
  ): Observable<T> {
    return this.stream(source, NOBODY, options?.signal);
  }

  /** @internal */
  call<T>(
    fn: (attempt: AttemptContext) => unknown,
    origin: Origin,
    signal?: AbortSignal,
  ): Promise<T> {
    const caller = enclosingScope();
    const execution = new Execution<T>(
      this.plan,
      invokePromise(fn, origin.discard),
      origin,
      caller,
    );
    const { trace } = this.plan;
    if (trace !== undefined) return trace(() => within(execution, caller, signal));
    if (caller === undefined && signal === undefined) return execution.run();
    return within(execution, caller, signal);
  }

  /**
   * The same for an async generator: an attempt lasts until the first value.
   *
   * @internal
   */
  async *generate<T>(
    generate: (attempt: AttemptContext) => AsyncGenerator<T>,
    origin: Origin,
  ): AsyncGenerator<T> {
    const caller = enclosingScope();
    const invoke = (attempt: Attempt<Begun<T>>) => beginGenerator(attempt, () => generate(attempt));
    const execution = new Execution<Begun<T>>(this.plan, invoke, origin, caller);
    const begin = () => within(execution, caller, undefined);
    const begun: Begun<T> | T = await (this.plan.trace === undefined
      ? begin()
      : this.plan.trace(begin));
    if (begun instanceof Begun) yield* begun.all();
    else yield begun; // a fallback's answer
  }

  /** @internal */
  stream<T>(
    source: (attempt: AttemptContext) => unknown,
    origin: Origin,
    signal?: AbortSignal,
  ): Observable<T> {
    const values = source as (attempt: AttemptContext) => ObservableInput<T>;
    const stream = observeStream(this.plan, values, origin, signal);
    return this.plan.trace === undefined ? stream : traceStream(this.plan.trace, stream);
  }
}

/** Runs a call that ends when its caller does. */
async function within<T>(
  execution: Execution<T>,
  caller: Scope | undefined,
  signal: AbortSignal | undefined,
): Promise<T> {
  const leave = join(execution, caller, signal);
  try {
    return await execution.run();
  } finally {
    leave();
  }
}

function invokePromise<T>(
  fn: (attempt: AttemptContext) => unknown,
  discard: Origin['discard'],
): Invoke<T> {
  return (attempt: Attempt<T>) => {
    const succeed = (value: T) => {
      attempt.finish();
      if (!attempt.succeed(value)) discard?.(value);
    };
    const fail = (error: unknown) => {
      attempt.finish();
      attempt.fail(error);
    };
    try {
      // In the scope too: a thenable (a query builder, a lazy promise) begins when `then` is called,
      // and that happens once.
      runInScope(attempt, () => {
        void promised<T>(fn(attempt)).then(succeed, fail);
      });
    } catch (error) {
      fail(error);
    }
  };
}

function promised<T>(result: unknown): Promise<T> {
  return (result instanceof Promise ? result : Promise.resolve(result)) as Promise<T>;
}
