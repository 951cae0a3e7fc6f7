import { Alone } from '../attempt/alone.js';
import {
  type Admission,
  type AttemptStage,
  type Permit,
  type Retention,
  type Settlement,
  type StageAttempt,
  WAIT,
} from '../attempt/attempt-stage.js';
import { Ticket } from '../attempt/ticket.js';
import { now } from '../common/clock.js';
import type { Mode } from '../common/mode.js';
import { positiveCount } from '../common/option-rules.js';
import { check, remembering } from '../common/options.js';
import type { AttemptContext, Scope } from '../context/scope.js';
import type { TokenRate } from '../fleet/shared-tokens.js';
import { checkSharedStays } from '../fleet/sharing.js';
import type { StageHost } from '../stage/stage-host.js';
import type { Bucket } from './bucket.js';
import { bucketOf, rateOf } from './bucket-of.js';
import { pauseAskedBy, pauseToldBy } from './pushback.js';
import { RateLimitedError } from './rate-limit.error.js';
import {
  checkRateLimitOptions,
  type RateLimitOptions,
  type ResolvedRateLimitOptions,
  resolveRateLimitOptions,
} from './rate-limit.options.js';
import { RateLimitTelemetry } from './rate-limit.telemetry.js';
import { ShadowTurns } from './shadow-turns.js';
import { TokenBucket } from './token-bucket.js';
import { deadlineOf, Refused, type TurnTicket, type Weighed } from './turn-ticket.js';
import { Turns } from './turns.js';
import { weightOf } from './weight.js';

/** A rate limit at this moment. */
export interface RateLimitSnapshot {
  /** The name by which it is registered. */
  name: string;
  /** How many calls may begin in an interval. */
  limit: number;
  /** How long an interval is, in ms. */
  intervalMs: number;
  /** So many could begin at once. */
  available: number;
  /** How many calls wait for their turn. */
  queued: number;
  /** How many calls may wait for their turn; 0 where calls do not wait. */
  queueLimit: number;
  /** How many calls it has refused since it was made. */
  rejected: number;
  /** How long nobody is let in, because the partner has said so, in ms. */
  pausedMs: number;
  /** Of one that is shared: so many of those available the instance has taken ahead. */
  leased?: number;
  /** `shadow` where it is in shadow mode; else missing. */
  mode?: Mode;
  /** How many calls it would have refused since it is in shadow mode; only there. */
  wouldReject?: number;
  /** How many calls would have waited for their turn since it is in shadow mode; only there. */
  wouldQueue?: number;
}

const optionsOf = remembering((place, options: Partial<RateLimitOptions>) => {
  const given = checkRateLimitOptions(place, options);
  return { given, options: resolveRateLimitOptions(place, given) };
});

/**
 * Limits how many calls begin in a time. A call that is too much waits for its turn, where that comes in
 * time, or is refused at once.
 */
export class RateLimitPolicy implements AttemptStage {
  /**
   * Hears what the partner answers, where it is to.
   *
   * @internal
   */
  settled: AttemptStage['settled'];
  private inForce: ReturnType<typeof optionsOf>;
  private limit: number;
  /** That a new one would have. */
  private usualLimit: number;
  private burst: number;
  /** Of the attempt that has just been told to wait. */
  private weight = 1;
  private readonly turns: Turns;
  private shadow: ShadowTurns | undefined = undefined;
  private readonly telemetry: RateLimitTelemetry | undefined;
  private alone: Alone | undefined = undefined;

  /** @throws ResilienceConfigurationError */
  constructor(name: string, options: RateLimitOptions);
  /**
   * @param host is for the module that owns the rate limit
   * @internal
   */
  constructor(name: string, options: Partial<RateLimitOptions>, host: StageHost);
  constructor(
    /** The name by which it is registered. */
    readonly name: string,
    options: Partial<RateLimitOptions>,
    private readonly host?: StageHost,
  ) {
    this.inForce = optionsOf(`rate limit "${name}"`, options);
    const { limit, burst } = this.options;
    this.limit = limit;
    this.usualLimit = limit;
    this.burst = burst;
    this.telemetry = host && new RateLimitTelemetry(name, host);
    this.turns = new Turns(this.newBucket, () => this.options, this.telemetry);
    this.settled = this.listener;
    this.beInShadow(this.options.mode === 'shadow');
    this.telemetry?.limited(limit);
  }

  /** The options in force, with defaults filled in. */
  get options(): Readonly<ResolvedRateLimitOptions> {
    return this.inForce.options;
  }

  /** The options without the defaults, for who builds on them. @internal */
  get given(): Readonly<Partial<RateLimitOptions>> {
    return this.inForce.given;
  }

  /**
   * Calls `fn` as soon as it is its turn.
   *
   * @throws RateLimitedError without calling
   * @throws what `fn` throws, untouched; the reason of a caller that gave up before it began
   *
   * @example
   * await rateLimit.execute(({ signal }) => fetch('https://shop.test', { signal }));
   */
  execute<T>(fn: (attempt: AttemptContext) => PromiseLike<T>): Promise<T> {
    this.alone ??= new Alone(this, this.name, this.host?.inFlight, { start: 'never' });
    return this.alone.run(fn);
  }

  /** How it stands at this moment. */
  getSnapshot(): RateLimitSnapshot {
    const at = now();
    const { name, limit, turns, options, shadow } = this;
    const { queued, bucket, rejected } = turns;
    const { intervalMs, maxWaitMs, queueLimit } = options;
    const snapshot: RateLimitSnapshot = {
      name,
      limit,
      intervalMs,
      available: bucket.available(at),
      queued,
      queueLimit: maxWaitMs === 0 ? 0 : queueLimit,
      rejected,
      pausedMs: Math.ceil(bucket.pausedMs(at)),
    };
    if (shadow !== undefined) {
      const { wouldReject, wouldQueue } = shadow;
      return { ...snapshot, mode: 'shadow', wouldReject, wouldQueue };
    }
    return bucket.leased === undefined ? snapshot : { ...snapshot, leased: bucket.leased };
  }

  /**
   * Sets how many calls begin in an interval from now on, and how many at once, where `burst` was not given.
   * Calls that wait get new turns, and are refused where these come later than `maxWaitMs`.
   *
   * @throws ResilienceConfigurationError where it is no whole number of at least 1
   */
  setLimit(limit: number): void {
    check(`rate limit "${this.name}".setLimit()`, limit, positiveCount);
    this.goBy(limit, this.given.burst ?? limit);
    this.turns.planAnew(now(), this.burst);
  }

  /**
   * It goes by other options from now on. What is in the bucket stays there, up to the new burst, so that in
   * any time no more begin than by the greater of the two limits. Those who wait have their turns anew, and
   * wait no longer than by the `maxWaitMs` that they came by. Where the rate (`limit`, `intervalMs`, `burst`)
   * is another than before, it takes the place of what `setLimit()` said, and else that stays. In shadow mode
   * whoever waits is let in, and one that is shared gives back what it has taken ahead.
   *
   * @throws ResilienceConfigurationError, also where `shared` is another
   * @internal
   */
  change(options: Partial<RateLimitOptions>): void {
    const place = `rate limit "${this.name}"`;
    const inForce = optionsOf(place, options);
    const before = this.options;
    checkSharedStays(place, before.shared, inForce.options.shared);
    this.inForce = inForce;
    const { limit, intervalMs, burst } = inForce.options;
    this.turns.letWait();
    this.settled = this.listener;
    this.beInShadow(inForce.options.mode === 'shadow');
    if (before.limit !== limit || before.intervalMs !== intervalMs || before.burst !== burst) {
      this.usualLimit = limit;
      this.goBy(limit, burst);
    }
    this.turns.planAnew(now(), this.burst);
  }

  /** How empty its bucket is, and what is left of a pause; nothing of the bucket of a fleet. @internal */
  remember(): object | undefined {
    const { bucket } = this.turns;
    return bucket instanceof TokenBucket ? bucket.remember(now()) : undefined;
  }

  /** @internal */
  recall(remembered: unknown, agoMs: number): void {
    const { bucket } = this.turns;
    if (!(bucket instanceof TokenBucket)) return;
    const at = now();
    bucket.recall(remembered, agoMs, at);
    this.turns.planAnew(at, this.burst);
  }

  /** Not before a new one would let in no more than this, nor where it has another limit than that would. */
  get retention(): Retention {
    if (this.limit !== this.usualLimit || this.turns.queued > 0) return 'kept';
    return this.turns.bucket.isLikeNew(now()) ? 'none' : 'kept';
  }

  /** @internal */
  becameUsual(): void {
    this.usualLimit = this.limit;
  }

  admit(attempt: StageAttempt, askedAt: number): Permit {
    const { weight: weigh } = this.options;
    const weight = weigh === undefined ? 1 : weightOf(weigh, attempt, this.name, this.burst);
    const at = askedAt || now();
    const { turns, shadow } = this;
    if (shadow !== undefined) return shadow.admit(attempt.scope, weight, at);
    if (turns.take(weight, at)) return turns.permit(weight);
    const outcome = turns.takeLater(attempt.scope, weight, at);
    if (outcome instanceof Refused) throw this.refusal(outcome, attempt.scope);
    if (outcome === true) return turns.permit(weight);
    this.weight = weight;
    return WAIT;
  }

  wait(attempt: StageAttempt, admitted: (ask: () => Admission) => void): () => void {
    const scope = attempt.scope as Scope;
    const ticket: TurnTicket = new Ticket(
      scope,
      deadlineOf(scope),
      (outcome) =>
        admitted(() =>
          outcome instanceof Refused
            ? { refusal: this.refusal(outcome, scope) }
            : { permit: outcome },
        ),
      this.weight,
    );
    this.turns.enqueue(ticket);
    return () => this.turns.leave(ticket);
  }

  /** What an attempt was given that has not begun goes back. */
  finished(permit: Permit, attempt: StageAttempt): void {
    if (!attempt.ran) this.turns.giveBack(permit as number | Weighed, now());
  }

  /** Refuses what waits, and whatever would have to wait from now on (`reason: 'shutdown'`). */
  shutdown(): void {
    this.turns.close();
  }

  /** It is used no more. @internal */
  dispose(): void {
    this.turns.bucket.dispose?.();
  }

  private get listener(): AttemptStage['settled'] {
    if (!this.options.adaptToResponses) return undefined;
    return (_permit, _attempt, how, error, _at, result) =>
      this.hear(how, how === 'success' ? result : error);
  }

  private goBy(limit: number, burst: number): void {
    this.limit = limit;
    this.burst = burst;
    this.turns.bucket.change(this.rate, now());
    this.telemetry?.limited(limit);
  }

  private get rate(): TokenRate {
    const { limit, burst, options, host } = this;
    return rateOf({ ...options, limit, burst }, host);
  }

  private get newBucket(): Bucket {
    const { name, limit, burst, options, host } = this;
    return bucketOf(name, { ...options, limit, burst }, host, {
      refilled: () => this.turns.serve(now()),
      paused: () => this.turns.planAnew(now(), this.burst),
    });
  }

  private beInShadow(isShadow: boolean): void {
    const { turns, telemetry } = this;
    if (isShadow === (this.shadow !== undefined)) return;
    const isShared = this.options.shared === true;
    if (isShared) this.replaceBucket(now());
    // That of the fleet is not there in shadow mode.
    const own = isShadow ? (turns.bucket as TokenBucket) : undefined;
    turns.debtor = own;
    this.shadow =
      own &&
      new ShadowTurns(
        own,
        turns,
        (reason) => telemetry?.wouldReject(reason),
        isShared ? (at) => own.change(this.rate, at) : undefined,
      );
  }

  /** What is left of a pause is left of it. */
  private replaceBucket(at: number): void {
    const { turns } = this;
    const pausedMs = turns.bucket.pausedMs(at);
    turns.bucket.dispose?.();
    turns.bucket = this.newBucket;
    if (pausedMs > 0) turns.bucket.pause(at + pausedMs, at);
  }

  private refusal({ reason, waitMs }: Refused, scope: Scope | undefined): RateLimitedError {
    const retryAfterMs = Math.ceil(waitMs);
    this.telemetry?.rejected(reason, retryAfterMs);
    const byClient = reason === 'deadline' && scope?.caller?.impatient === true;
    const { captureStackTrace } = this.host ?? {};
    return new RateLimitedError(this.name, reason, retryAfterMs, captureStackTrace, byClient);
  }

  /** An answer by which the partner pushes back is for all callers. */
  private hear(how: Settlement, answer: unknown): void {
    if (how !== 'failure' && how !== 'success') return;
    const pauseMs = how === 'success' ? pauseToldBy(answer, this) : pauseAskedBy(answer, this);
    if (pauseMs !== undefined) this.pause(pauseMs);
  }

  /** Nobody is let in for so long. @internal */
  pause(pauseMs: number): void {
    const at = now();
    const { bucket } = this.turns;
    const isNew = bucket.pausedMs(at) === 0;
    bucket.pause(at + pauseMs, at);
    if (isNew) this.telemetry?.paused(pauseMs, this.options.mode === 'shadow');
    this.turns.planAnew(at, this.burst);
  }
}
