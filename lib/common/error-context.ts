/** Where and for whom something failed. */
export interface ErrorContext {
  /** The bundle's name under `@Resilience(name)`, else the class's. */
  service: string;
  /** `ClassName.method`, or the name of the bundle or pipeline. */
  operation: string;
  userId?: string;
  requestId?: string;
  /** The dependency that the operation calls, from `@Upstream(name)`. */
  upstream?: string;
  metadata?: Record<string, unknown>;
}
