import { AdaptiveLimit } from '../common/adaptive-limit.js';
import { now } from '../common/clock.js';
import type { Mode } from '../common/mode.js';
import { LoopDelay } from './loop-delay.js';
import {
  OverloadedError,
  type RequestCriticality,
  type SheddingReason,
} from './overloaded.error.js';
import { ShedLevel } from './shed-level.js';
import {
  checkSheddingOptions,
  type ResolvedSheddingOptions,
  resolveSheddingOptions,
  type SheddingOptions,
} from './shedding.options.js';
import type { SheddenRequest, SheddingGauges, SheddingTelemetry } from './shedding.telemetry.js';
import { TurnBudget } from './turn-budget.js';

/** How a server sheds at this moment. */
export interface SheddingSnapshot {
  /** Whether it sheds, or only tells what it would. */
  mode: Mode;
  /** Requests that it is answering. */
  inFlight: number;
  /** So many normal ones may be in flight; `undefined` where nothing limits that. */
  limit: number | undefined;
  /** How late the event loop is, in ms, smoothed; 0 where that is not looked at, or no request comes. */
  eventLoopDelayMs: number;
  /** Since the application began, by criticality; in shadow mode, those that would have been. */
  refused: Record<RequestCriticality, number>;
}

/** A limit on the requests in flight, for each criticality. */
type Bounds = Readonly<Record<RequestCriticality, number>>;

const NONE: Bounds = {
  sheddable: Number.POSITIVE_INFINITY,
  normal: Number.POSITIVE_INFINITY,
  critical: Number.POSITIVE_INFINITY,
};

/** The timer of the event loop stops after so many measurements without a request. */
const IDLE_MEASUREMENTS = 100;

/**
 * Keeps a whole server from being overloaded: it says which requests to refuse before anything is done for
 * them, those that matter least first.
 *
 * Two things can be too much. The requests in flight have a limit for each criticality, of which the rest is
 * kept free for those that matter more, like the partitions of Netflix's concurrency-limits; what waits for
 * others takes slots and no time. The event loop can be late, where the server itself has too much to do, be
 * it for few requests; see `ShedLevel` and, for what comes at once, `TurnBudget`.
 */
export class Shedding implements SheddingGauges {
  private options: ResolvedSheddingOptions | undefined = undefined;
  private bounds = NONE;
  private adaptive: AdaptiveLimit | undefined = undefined;
  private maxDelayMs = Number.POSITIVE_INFINITY;
  private level = new ShedLevel();
  private turn = new TurnBudget();
  private readonly delay = new LoopDelay((delayMs, sinceMs) => this.measured(delayMs, sinceMs));
  private measurementsSinceRequest = 0;
  private readonly refused = { sheddable: 0, normal: 0, critical: 0 };
  /** Requests that are being answered. */
  inFlight = 0;

  /** @param options checked before; `undefined` where nothing is shed until `change()` says so */
  constructor(
    options: SheddingOptions | undefined,
    private readonly telemetry: SheddingTelemetry,
    private readonly captureStackTrace = false,
  ) {
    if (options !== undefined) this.change(options);
  }

  /** Whether requests are counted at all. */
  get isOn(): boolean {
    return this.options !== undefined;
  }

  /** Paths that are never refused, besides the usual ones. */
  get exempt(): readonly string[] {
    return this.options?.exempt ?? [];
  }

  /**
   * From now on other options hold, or none at all. Requests in flight go on, and stay counted; what an
   * adaptive limit has found stays where its bounds do, and how much is refused for a late event loop stays
   * where that is looked at before and after.
   *
   * @throws ResilienceConfigurationError, and nothing has changed
   */
  change(given: SheddingOptions | undefined): void {
    const before = this.options;
    const options =
      given && resolveSheddingOptions(checkSheddingOptions('inbound.shedding', given));
    this.options = options;
    this.maxDelayMs = options?.maxEventLoopDelayMs ?? Number.POSITIVE_INFINITY;
    if (options?.maxEventLoopDelayMs === undefined) {
      this.delay.stop();
      this.level = new ShedLevel();
      this.turn = new TurnBudget();
    }
    if (!isSameLimit(before, options)) {
      const { adaptive, minInFlight = 1, maxInFlight = 1 } = options ?? {};
      this.adaptive = adaptive === true ? new AdaptiveLimit(minInFlight, maxInFlight) : undefined;
    }
    if (options !== undefined) this.telemetry.watch(this);
    const found = this.adaptive?.limit;
    this.bound(found === undefined ? boundsWithin(options?.maxInFlight) : boundsAround(found));
  }

  getSnapshot(): SheddingSnapshot | undefined {
    if (this.options === undefined) return undefined;
    const { inFlight, limit, eventLoopDelayMs, refused } = this;
    return { mode: this.options.mode, inFlight, limit, eventLoopDelayMs, refused: { ...refused } };
  }

  /** Whether the load is so that any request might be refused: only then it matters what it is. */
  get isStrained(): boolean {
    return (
      this.inFlight >= this.bounds.sheddable || this.level.isRaised || this.isTurnFull('sheddable')
    );
  }

  /** @returns why a request is refused, which has been told; `undefined` where it is let in */
  refuse(request: SheddenRequest): OverloadedError | undefined {
    const { options } = this;
    const { criticality } = request;
    const reason = this.reasonFor(criticality);
    if (options === undefined || reason === undefined) return undefined;
    const isShadow = options.mode === 'shadow';
    this.refused[criticality]++;
    this.telemetry.refused(request, reason, isShadow);
    if (this.delay.isRunning) this.measurementsSinceRequest = 0;
    if (isShadow) return undefined;
    const retryAfterMs = options.retryAfterMs * (0.5 + Math.random());
    return new OverloadedError(reason, criticality, retryAfterMs, this.captureStackTrace);
  }

  /** A request is let in. @returns when, for `leave()` */
  enter(): number {
    this.inFlight++;
    this.turn.entered();
    this.telemetry.inFlightChanged();
    this.measurementsSinceRequest = 0;
    const { maxEventLoopDelayMs } = this.options ?? {};
    if (maxEventLoopDelayMs !== undefined && !this.delay.isRunning) this.delay.start();
    return this.adaptive === undefined ? 0 : now();
  }

  /**
   * A request is in flight no more; once for each `enter()`.
   *
   * @param enteredAt what `enter()` said
   * @param end how it was answered: `success` and `cut` (its client left) say how long answers take, and
   * `unknown` says nothing
   */
  leave(enteredAt: number, end: 'success' | 'cut' | 'unknown'): void {
    const { adaptive } = this;
    if (adaptive !== undefined && enteredAt > 0 && end !== 'unknown') {
      adaptive.sample(Math.max(0, now() - enteredAt), this.inFlight, end === 'cut');
      if (adaptive.limit !== this.bounds.normal) this.bound(boundsAround(adaptive.limit));
    }
    this.inFlight--;
    this.turn.left();
    this.telemetry.inFlightChanged();
  }

  /** The application has ended. */
  end(): void {
    this.delay.stop();
  }

  get limit(): number | undefined {
    const { normal } = this.bounds;
    return normal === Number.POSITIVE_INFINITY ? undefined : normal;
  }

  get eventLoopDelayMs(): number {
    return this.delay.meanMs;
  }

  private bound(bounds: Bounds): void {
    this.bounds = bounds;
    this.telemetry.limitChanged();
  }

  private reasonFor(criticality: RequestCriticality): SheddingReason | undefined {
    if (this.inFlight >= this.bounds[criticality]) return 'in-flight';
    const isLate = this.isTurnFull(criticality) || this.level.refuses(criticality);
    return isLate ? 'event-loop-delay' : undefined;
  }

  private isTurnFull(criticality: RequestCriticality): boolean {
    const { delay, turn, maxDelayMs } = this;
    return delay.isRunning && turn.refuses(criticality, delay.overdueMs / maxDelayMs);
  }

  private measured(delayMs: number, sinceMs: number): void {
    const load = delayMs / this.maxDelayMs;
    this.level.measured(load, sinceMs);
    this.turn.ended(load, sinceMs, this.maxDelayMs);
    this.measurementsSinceRequest++;
    if (this.measurementsSinceRequest > IDLE_MEASUREMENTS && !this.level.isRaised)
      this.delay.stop();
    this.telemetry.delayChanged();
  }
}

function isSameLimit(
  one: ResolvedSheddingOptions | undefined,
  other: ResolvedSheddingOptions | undefined,
): boolean {
  return (
    one?.adaptive === other?.adaptive &&
    one?.minInFlight === other?.minInFlight &&
    one?.maxInFlight === other?.maxInFlight
  );
}

/** The rest above what normal requests may take is for critical ones. */
function boundsWithin(maxInFlight: number | undefined): Bounds {
  if (maxInFlight === undefined) return NONE;
  return {
    sheddable: Math.max(1, Math.floor(maxInFlight / 2)),
    normal: Math.max(1, Math.floor((maxInFlight * 3) / 4)),
    critical: maxInFlight,
  };
}

/** What was found is just enough to keep the server busy: a few critical ones more cost little time. */
function boundsAround(limit: number): Bounds {
  return {
    sheddable: Math.max(1, Math.floor((limit * 2) / 3)),
    normal: limit,
    critical: limit * 2,
  };
}
