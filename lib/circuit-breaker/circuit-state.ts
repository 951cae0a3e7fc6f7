/** What a breaker does with calls. */
export enum CircuitState {
  /** Calls go through, and are counted. */
  CLOSED = 'CLOSED',
  /** Calls are rejected. */
  OPEN = 'OPEN',
  /** A few calls go through as probes, which decide whether it closes. */
  HALF_OPEN = 'HALF_OPEN',
  /** By `forceOpen()`: rejects everything until `reset()`. */
  FORCED_OPEN = 'FORCED_OPEN',
  /** By `disable()`: lets everything through and counts nothing until `reset()`. */
  DISABLED = 'DISABLED',
}

/** Whether it is in a state that only somebody ends. */
export function isForced(state: CircuitState): boolean {
  return state === CircuitState.FORCED_OPEN || state === CircuitState.DISABLED;
}

/** A breaker at this moment. */
export interface CircuitBreakerSnapshot {
  /** The name by which it is registered. */
  name: string;
  /** Whether it lets calls through. */
  state: CircuitState;
  /** How many calls in the window failed. */
  failures: number;
  /** How many calls in the window succeeded. */
  successes: number;
  /** How many calls in the window were counted. */
  calls: number;
  /** The percentage of the counted calls that failed, 0 to 100. */
  failureRate: number;
  /** The percentage of the counted calls that were slow, 0 to 100. */
  slowCallRate: number;
  /**
   * Since when the dependency has been failing, as an ISO 8601 time: the first opening, however often
   * recovery has failed since. Only while it is not closed.
   */
  openedAt?: string;
  /** How long it takes until the first probe, in ms; only while it is open. */
  retryAfterMs?: number;
  /** Which share of the calls it lets through, 0 to 1; only while it ramps up after it has closed. */
  rampUpShare?: number;
  /**
   * `shadow` where it is in shadow mode, and else missing. There `openedAt`, `retryAfterMs` and `rampUpShare`
   * are of what it would be.
   */
  mode?: 'shadow';
  /** The state that it would be in; only in shadow mode. */
  wouldBe?: CircuitState;
}

/**
 * Why a breaker changed its state. Of one that is shared, `fleet-opened` is where so many instances had opened
 * by themselves that all do, or where a probe of another has failed; `fleet-closed` where enough probes have
 * succeeded, of all instances together. `mode-changed` is where it was put into shadow while it was open, or
 * taken out of it while it would have been; `recalled` where it goes on as it was before a restart.
 */
export type CircuitTransitionReason =
  | 'failure-threshold'
  | 'failure-rate'
  | 'slow-call-rate'
  | 'open-time-passed'
  | 'probe-failed'
  | 'probes-succeeded'
  | 'fleet-opened'
  | 'fleet-closed'
  | 'mode-changed'
  | 'recalled'
  | 'forced-open'
  | 'disabled'
  | 'reset'
  | 'fleet-forced'
  | 'fleet-disabled'
  | 'fleet-reset';

/** What a breaker knew when it changed its state. */
export interface CircuitTransitionDetails {
  /**
   * The failure that made it: the last that counted towards the opening, or that of the probe. Absent
   * where no failure did.
   */
  error?: unknown;
  /** How many calls were counted: those of the window, or of the probes where it was half-open. */
  calls: number;
  /** How many of the counted calls failed. */
  failures: number;
  /** The percentage of the counted calls that failed, 0 to 100. */
  failureRate: number;
  /** How long it takes until the first probe, in ms; only where it opens by itself. */
  retryAfterMs?: number;
  /**
   * Who has ordered it, where somebody has: the name that the scope of `forceOpen()` says. Of what the whole fleet is
   * told, the instance at which it was, after the name: `alice at shop-7f9c:1`.
   */
  by?: string;
}
