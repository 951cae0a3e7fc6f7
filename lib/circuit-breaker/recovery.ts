import type { Retention } from '../attempt/attempt-stage.js';
import type { OpenSpan } from '../fleet/shared-verdicts.js';
import type { ResolvedCircuitBreakerOptions } from './circuit-breaker.options.js';
import type { RememberedOutage } from './circuit-memory.js';
import { CircuitState, type CircuitTransitionReason } from './circuit-state.js';
import { OpenTime } from './open-time.js';
import type { Permit } from './probes.js';
import { RampUp } from './ramp-up.js';

/** What says how long a breaker is open. */
const OPEN_TIME = ['timeoutMs', 'timeoutFactor', 'timeoutJitter', 'maxTimeoutMs'] as const;

/**
 * What lasts from the opening of a breaker until everybody has been let back: an open time, which is
 * longer each time that recovery fails, and where it is asked for a ramp after probes have closed it.
 */
export class Recovery {
  /** The latest: the next one grows from it. */
  openTime: OpenTime;
  /** Once probes have closed the breaker. */
  rampUp: RampUp | undefined = undefined;

  /**
   * @param error what opened the breaker, where it was an error
   * @param span for how long, where the fleet has decided that
   */
  constructor(
    private options: Readonly<ResolvedCircuitBreakerOptions>,
    openedAt: number,
    error?: unknown,
    span?: OpenSpan,
  ) {
    this.openTime = new OpenTime(options, openedAt, error, undefined, span);
  }

  /** One of before a restart goes on. */
  static recalled(
    outage: RememberedOutage,
    rampedForMs: number | undefined,
    options: Readonly<ResolvedCircuitBreakerOptions>,
    at: number,
  ): Recovery {
    const recovery = new Recovery(options, at);
    recovery.openTime = OpenTime.recalled(outage, options, at);
    if (rampedForMs !== undefined) recovery.rampsUp(at - rampedForMs);
    return recovery;
  }

  /** Other options hold for the outage at hand. A ramp that has begun, or is over, stays as it is. */
  change(options: Readonly<ResolvedCircuitBreakerOptions>): void {
    const before = this.options;
    this.options = options;
    if (OPEN_TIME.some((option) => options[option] !== before[option]))
      this.openTime.change(options);
  }

  /** The breaker opens again before everybody was let back. */
  fail(at: number, error: unknown, span?: OpenSpan): void {
    this.openTime = new OpenTime(this.options, at, error, this.openTime, span);
    this.rampUp = undefined;
  }

  /** Probes have closed the breaker, of this instance or of its fleet. @returns whether calls are let back by and by from now on */
  rampsUp(at: number): boolean {
    const { rampUpMs } = this.options;
    if (rampUpMs === undefined) return false;
    this.rampUp = new RampUp(at, rampUpMs);
    return true;
  }

  /** Whether everybody has been let back. */
  isOver(at: number): boolean {
    return this.rampUp?.isOver(at) === true;
  }

  /** After so many ms it is worth trying again; half-open none, as soon as a probe has ended. */
  retryAfterMs(at: number): number {
    return this.rampUp?.retryAfterMs(at) ?? this.openTime.leftMs(at);
  }
}

/** What is known of a breaker's transition. */
export interface Transition {
  readonly to: CircuitState;
  readonly reason: CircuitTransitionReason;
  /** What opened it, where it was an error. */
  readonly error?: unknown;
  /** The probe by which it opened. */
  readonly probe?: Permit;
  /** For how long it opens, where the fleet has decided that. */
  readonly span?: OpenSpan;
  /** Who has ordered it, if somebody has. */
  readonly by?: string | undefined;
}

/** What lasts after a transition; nothing where everybody is let in at once. */
export function recoveryAfter(
  { to, reason, error, span }: Transition,
  before: Recovery | undefined,
  options: Readonly<ResolvedCircuitBreakerOptions>,
  at: number,
): Recovery | undefined {
  if (to === CircuitState.HALF_OPEN) return before;
  if (to === CircuitState.OPEN && before?.isOver(at) === false) {
    before.fail(at, error, span);
    return before;
  }
  if (to === CircuitState.OPEN || to === CircuitState.FORCED_OPEN)
    return new Recovery(options, at, error, span);
  const hasRecovered = reason === 'probes-succeeded' || reason === 'fleet-closed';
  return hasRecovered && before?.rampsUp(at) ? before : undefined;
}

/** What becomes of a breaker that nobody has forced, when nobody calls through it. */
export function retentionOf(
  state: CircuitState,
  recovery: Recovery | undefined,
  at: number,
): Retention {
  if (recovery === undefined || recovery.isOver(at)) return 'none';
  if (state === CircuitState.CLOSED) return 'kept'; // while it ramps up
  return recovery.openTime.isOver(at) ? 'idle' : 'kept';
}
