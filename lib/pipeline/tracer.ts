/** A call as a tracer sees it. */
export interface TracedOperation {
  /** `ClassName.method`, or the name of the bundle or pipeline. */
  readonly operation: string;
  /** The bundle's name under `@Resilience(name)`, else the class's. */
  readonly service: string;
  /** The dependency that it calls, by `@Upstream()`; `undefined` where none is named. */
  readonly upstream: string | undefined;
  /** What `@Critical()` says of it. */
  readonly critical: boolean | undefined;
  /** What may be told of an error of its calls: cut at 2 kB, and without what looks like a secret. */
  describe(error: unknown): {
    /** The name of the error's class. */
    type: string;
    /** The error's message. */
    message: string;
  };
}

/**
 * Surrounds every resilient call, with a span for instance.
 *
 * `trace` calls `call` at once, in whatever async context it wants the call to have. What it returns
 * is ignored, and where it throws, the call goes on without it. A stream is traced until it ends.
 */
export interface OperationTracer {
  /** Calls `call` at once, in the async context that it is to have. */
  trace<T>(operation: TracedOperation, call: () => Promise<T>): unknown;
}
