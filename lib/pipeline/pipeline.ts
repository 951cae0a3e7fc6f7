import type { Observable, ObservableInput } from 'rxjs';
import { NO_ARGS } from '../attempt/attempt-stage.js';
import type { CoalescePolicy } from '../coalesce/coalesce.policy.js';
import { surroundings } from '../context/ambient.js';
import type { AttemptContext, Scope } from '../context/scope.js';
import { generate } from './generator.js';
import type { Plan, Trace } from './plan.js';
import { PromiseCall } from './promise-call.js';
import { StraightCall } from './straight-call.js';
import { observeStream } from './stream.js';
import { traceStream } from './trace-stream.js';
import { FunctionWork, type Work } from './work.js';

/** What is said of one call of a bundle or a pipeline. */
export interface ExecuteOptions {
  /** Ends the call at once when it aborts, with its reason. */
  signal?: AbortSignal | undefined;
  /**
   * What functions among the options of the stages are given as the call's arguments. The function that
   * is called does not get them. @default none
   */
  args?: readonly unknown[] | undefined;
}

/** The stages of one operation, put together once, through which all its calls go. */
export class Pipeline {
  /** What calls that begin now go by. @internal */
  plan: Plan;

  /** @internal */
  onDisposed: (() => void) | undefined = undefined;

  /** @internal */
  constructor(plan: Plan) {
    this.plan = plan;
  }

  /**
   * Runs `fn` as often as the stages want it.
   *
   * @throws the last attempt's error, untouched; `CircuitBreakerOpenError`, `TimeoutError`,
   * `RateLimitedError`, `BulkheadRejectedError`; the reason of a caller that gave up
   */
  execute<T>(
    fn: (attempt: AttemptContext) => PromiseLike<T>,
    options?: ExecuteOptions,
  ): Promise<T> {
    return this.call(new FunctionWork(fn), undefined, argsOf(options), options?.signal);
  }

  /**
   * Runs an Observable through the stages, as `execute()` runs a Promise: an attempt begins at subscription,
   * and its first value is its success.
   */
  observe<T>(
    source: (attempt: AttemptContext) => ObservableInput<T>,
    options?: ExecuteOptions,
  ): Observable<T> {
    return this.stream(new FunctionWork(source), undefined, argsOf(options), options?.signal);
  }

  /**
   * Ends the pipeline's registration: its name, and those of its own circuit breaker, bulkhead and rate
   * limit, are free again. Calls under way end as they would, and later ones can still be made. (What nobody
   * holds any more, the application forgets by itself.)
   */
  dispose(): void {
    this.onDisposed?.();
    this.onDisposed = undefined;
  }

  /** Does the same as `dispose()`, at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** @internal */
  call<T>(work: Work, self: unknown, args: unknown[], signal?: AbortSignal): Promise<T> {
    const { coalesce } = this.plan;
    return coalesce === undefined
      ? this.make(work, self, args, signal)
      : this.share(coalesce, work, self, args, signal);
  }

  /** What is in a function of its own here would cost every call that has no use for its closure. */
  private share<T>(
    coalesce: CoalescePolicy,
    work: Work,
    self: unknown,
    args: unknown[],
    signal: AbortSignal | undefined,
  ): Promise<T> {
    return coalesce.promise({ self, args, signal }, (call, madeIn) =>
      this.make(work, self, call.args, call.signal, madeIn),
    );
  }

  private make<T>(
    work: Work,
    self: unknown,
    args: unknown[],
    signal: AbortSignal | undefined,
    madeIn?: Scope,
  ): Promise<T> {
    const { trace } = this.plan;
    return trace === undefined
      ? this.begin(work, self, args, signal, madeIn)
      : this.traced(trace, work, self, args, signal, madeIn);
  }

  private traced<T>(
    trace: Trace,
    work: Work,
    self: unknown,
    args: unknown[],
    signal: AbortSignal | undefined,
    madeIn: Scope | undefined,
  ): Promise<T> {
    return trace(() => this.begin(work, self, args, signal, madeIn));
  }

  private begin<T>(
    work: Work,
    self: unknown,
    args: unknown[],
    signal: AbortSignal | undefined,
    madeIn = surroundings(),
  ): Promise<T> {
    const { plan } = this;
    const isStraight = madeIn === undefined && signal === undefined;
    return isStraight && !work.needsScope && !plan.needsScope
      ? new StraightCall<T>(plan, work, self, args).run()
      : new PromiseCall<T>(plan, work, self, args, madeIn).run(signal);
  }

  /**
   * The same for an async generator: an attempt lasts until the first value.
   *
   * @internal
   */
  generate<T>(work: Work, self: unknown, args: unknown[]): AsyncGenerator<T, unknown, unknown> {
    const { coalesce } = this.plan;
    return coalesce === undefined
      ? generate<T>(this, work, self, args)
      : coalesce.generate({ self, args }, (call) => generate<T>(this, work, self, call.args));
  }

  /** @internal */
  stream<T>(work: Work, self: unknown, args: unknown[], signal?: AbortSignal): Observable<T> {
    const { coalesce } = this.plan;
    return coalesce === undefined
      ? this.makeStream(work, self, args, signal)
      : coalesce.stream({ self, args, signal }, (call) =>
          this.makeStream(work, self, call.args, call.signal),
        );
  }

  private makeStream<T>(
    work: Work,
    self: unknown,
    args: unknown[],
    signal?: AbortSignal,
  ): Observable<T> {
    const stream = observeStream<T>(this, work, self, args, signal);
    return this.plan.trace === undefined ? stream : traceStream(this.plan.trace, stream);
  }
}

function argsOf(options: ExecuteOptions | undefined): unknown[] {
  return (options?.args ?? NO_ARGS) as unknown[]; // which nobody changes
}
