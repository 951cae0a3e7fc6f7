/** How well something is. `degraded`: something does not get through, and the instance serves all the same. */
export type HealthLevel = 'up' | 'degraded' | 'down';

/** The instances of one stage: what operations share by name, or have of their own. */
export interface StageInstances {
  /** The stage's name: `circuitBreaker`. */
  readonly stage: string;
  /** The module's option in which they get names: `breakers`. */
  readonly section: string;
  /** Each instance, as it stands. */
  readonly instances: readonly InstanceView[];
}

/** An instance of a stage, such as one circuit breaker, as health checks and dashboards see it. */
export interface InstanceView {
  /** The name by which it is registered. */
  readonly name: string;
  /**
   * Of one that is kept by key (`partner[acme]`): the name of all of those (`partner[*]`), which have a
   * view of their own. Only the worst of them have.
   */
  readonly oneOf?: string;
  /** How it stands. Plain values. */
  snapshot(): object;
  /**
   * How well it is, and what a health check says of it.
   *
   * @param isDecisive whether the application is of no use while it lets nothing through. @default false
   */
  health(isDecisive?: boolean): {
    /** How it is: `up`, `degraded` or `down`. */
    status: HealthLevel;
  };
}
