/** A call as a tracer sees it. */
export interface TracedOperation {
  /** `ClassName.method`, or the name of the bundle or pipeline. */
  readonly operation: string;
  /** The bundle's name under `@Resilience(name)`, else the class's. */
  readonly service: string;
  readonly upstream: string | undefined;
  readonly critical: boolean | undefined;
  /** What may be told of an error of its calls: cut at 2 kB, and without what looks like a secret. */
  describe(error: unknown): { type: string; message: string };
}

/**
 * Surrounds every resilient call, with a span for instance.
 *
 * `trace` calls `call` at once, in whatever async context it wants the call to have. What it returns
 * is ignored, and where it throws, the call goes on without it. A stream is traced until it ends.
 */
export interface OperationTracer {
  trace<T>(operation: TracedOperation, call: () => Promise<T>): unknown;
}
