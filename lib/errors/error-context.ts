/** Where and for whom something failed. */
export interface ErrorContext {
  /** The bundle's name under `@Resilience(name)`, else the class's. */
  service: string;
  /** `ClassName.method`, or the name of the bundle or pipeline. */
  operation: string;
  /** The user that the call was for. */
  userId?: string;
  /** The request that the call was part of. */
  requestId?: string;
  /** The dependency that the operation calls, from `@Upstream(name)`. */
  upstream?: string;
  /** Whatever else is worth knowing with the error. */
  metadata?: Record<string, unknown>;
}
