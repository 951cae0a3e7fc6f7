/** Told of every call, so that the application's end can wait for it. */
export interface InFlight {
  enter(): void;
  /** Once for each `enter()`, when the call's caller has its answer. */
  leave(): void;
}
