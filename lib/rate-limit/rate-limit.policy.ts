import { Alarm } from '../common/alarm.js';
import { MAX_TIMER_MS, now } from '../common/clock.js';
import { check, positiveCount, remembering } from '../common/options.js';
import { Turn } from '../common/turn.js';
import type { AttemptContext, Scope } from '../context/scope.js';
import { checkSharedStays } from '../fleet/sharing.js';
import { Alone } from '../stage/alone.js';
import {
  type Admission,
  type AttemptStage,
  type Permit,
  type Retention,
  type Settlement,
  type StageAttempt,
  WAIT,
} from '../stage/attempt-stage.js';
import type { StageHost } from '../stage/stage-host.js';
import { Ticket } from '../stage/ticket.js';
import { TicketQueue } from '../stage/ticket-queue.js';
import type { Bucket } from './bucket.js';
import { bucketOf } from './bucket-of.js';
import { pauseAskedBy, pauseToldBy } from './pushback.js';
import { RateLimitedError, type RateLimitReason } from './rate-limit.error.js';
import {
  checkRateLimitOptions,
  type RateLimitOptions,
  type ResolvedRateLimitOptions,
  resolveRateLimitOptions,
} from './rate-limit.options.js';
import { RateLimitTelemetry } from './rate-limit.telemetry.js';
import {
  deadlineOf,
  isLate,
  RESOLUTION_MS,
  Refused,
  type TurnTicket,
  Weighed,
} from './turn-ticket.js';
import { weightOf } from './weight.js';

/** Nobody is waited for whose answer may be ready: a timer that is late rings at once. */
const HOWEVER_LATE = Number.POSITIVE_INFINITY;

/** A rate limit at this moment. */
export interface RateLimitSnapshot {
  name: string;
  /** So many may begin in an interval. */
  limit: number;
  intervalMs: number;
  /** So many could begin at once. */
  available: number;
  queued: number;
  /** 0 where calls do not wait. */
  queueLimit: number;
  /** Since the rate limit was made. */
  rejected: number;
  /** How long nobody is let in, because the partner has said so, in ms. */
  pausedMs: number;
  /** Of one that is shared: so many of those available the instance has taken ahead. */
  leased?: number;
}

const optionsOf = remembering((place, options: Partial<RateLimitOptions>) => {
  const given = checkRateLimitOptions(place, options);
  return { given, options: resolveRateLimitOptions(place, given) };
});

/**
 * Limits how many calls begin in a time. What is too much waits for its turn, where that comes in time, or
 * is refused at once; every step is O(1), and there is a timer only while somebody waits.
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
  private rejected = 0;
  private closed = false;
  /** Of the attempt that has just been told to wait. */
  private weight = 1;
  private readonly turn = new Turn();
  private readonly bucket: Bucket;
  private readonly queue: TicketQueue<TurnTicket>;
  /** Rings when it is the turn of the first in the queue. */
  private readonly alarm = new Alarm(() => this.serve(Math.max(now(), this.alarm.dueAt)));
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
    readonly name: string,
    options: Partial<RateLimitOptions>,
    private readonly host?: StageHost,
  ) {
    this.inForce = optionsOf(`rate limit "${name}"`, options);
    const { limit, burst } = this.options;
    this.limit = limit;
    this.usualLimit = limit;
    this.burst = burst;
    this.bucket = bucketOf(name, this.options, host, {
      refilled: () => this.serve(now()),
      paused: () => this.planAnew(now()),
    });
    this.queue = new TicketQueue(this.timeoutMs, (ticket) => this.expire(ticket));
    this.settled = this.listener;
    this.telemetry = host && new RateLimitTelemetry(name, host);
    this.telemetry?.limited(limit);
  }

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
   */
  execute<T>(fn: (attempt: AttemptContext) => PromiseLike<T>): Promise<T> {
    this.alone ??= new Alone(this, this.name, this.host?.inFlight, { start: 'never' });
    return this.alone.run(fn);
  }

  getSnapshot(): RateLimitSnapshot {
    const at = now();
    const { name, limit, queue, bucket, rejected, options } = this;
    const { intervalMs, maxWaitMs, queueLimit } = options;
    const snapshot: RateLimitSnapshot = {
      name,
      limit,
      intervalMs,
      available: bucket.available(at),
      queued: queue.size,
      queueLimit: maxWaitMs === 0 ? 0 : queueLimit,
      rejected,
      pausedMs: Math.ceil(bucket.pausedMs(at)),
    };
    return bucket.leased === undefined ? snapshot : { ...snapshot, leased: bucket.leased };
  }

  /**
   * From now on so many calls begin in an interval; and at once, where `burst` was not given. Those who
   * wait have their turns anew, and are refused where these come too late.
   *
   * @throws ResilienceConfigurationError
   */
  setLimit(limit: number): void {
    check(`rate limit "${this.name}".setLimit()`, limit, positiveCount);
    this.goBy(limit, this.given.burst ?? limit);
    this.planAnew(now());
  }

  /**
   * It goes by other options from now on. What is in the bucket stays there, up to the new burst, so that in
   * any time no more begin than by the greater of the two limits. Those who wait have their turns anew, and
   * wait no longer than by the `maxWaitMs` that they came by. Where the rate (`limit`, `intervalMs`, `burst`)
   * is another than before, it takes the place of what `setLimit()` said, and else that stays.
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
    this.queue.limitTo(this.timeoutMs);
    this.settled = this.listener;
    if (before.limit !== limit || before.intervalMs !== intervalMs || before.burst !== burst) {
      this.usualLimit = limit;
      this.goBy(limit, burst);
    }
    this.planAnew(now());
  }

  /** Not before a new one would let in no more than this, nor where it has another limit than that would. */
  get retention(): Retention {
    if (this.limit !== this.usualLimit || this.queue.size > 0) return 'kept';
    return this.bucket.isLikeNew(now()) ? 'none' : 'kept';
  }

  /** @internal */
  becameUsual(): void {
    this.usualLimit = this.limit;
  }

  admit(attempt: StageAttempt, askedAt: number): Permit {
    const { weight: weigh } = this.options;
    const weight = weigh === undefined ? 1 : weightOf(weigh, attempt, this.name, this.burst);
    const at = askedAt || now();
    if (this.queue.size === 0 && this.bucket.take(weight, at)) return this.permit(weight);
    return this.admitLater(attempt.scope, weight, at);
  }

  wait(attempt: StageAttempt, admitted: (ask: () => Admission) => void): () => void {
    const scope = attempt.scope as Scope;
    const ticket: TurnTicket = new Ticket(
      scope,
      deadlineOf(scope),
      (outcome) =>
        admitted(() =>
          outcome instanceof Refused
            ? { refusal: this.refusal(outcome.reason, outcome.waitMs, scope) }
            : { permit: outcome },
        ),
      this.weight,
    );
    if (this.queue.size >= this.options.queueLimit) this.displace();
    this.queue.add(ticket);
    if (this.queue.first === ticket) this.serve(now());
    else this.changed();
    return () => this.leave(ticket);
  }

  /** What an attempt was given that has not begun goes back. */
  finished(permit: Permit, attempt: StageAttempt): void {
    if (attempt.ran) return;
    const at = now();
    if (permit instanceof Weighed) this.bucket.giveBack(permit.weight, permit.receipt, at);
    else this.bucket.giveBack(1, permit as number, at);
    if (this.queue.size > 0) this.serve(at);
  }

  /** Refuses what waits, and whatever would have to wait from now on (`reason: 'shutdown'`). */
  shutdown(): void {
    this.closed = true;
    this.queue.close(
      this.turn,
      (ticket) => this.refuse(ticket, 'shutdown', this.bucket.waitMs(ticket.weight, now())),
      () => this.serve(now()),
    );
  }

  /** It is used no more. @internal */
  dispose(): void {
    this.bucket.dispose?.();
  }

  /** One whose turn comes in the last moment has it. */
  private get timeoutMs(): number {
    return Math.min(this.options.maxWaitMs + RESOLUTION_MS, MAX_TIMER_MS);
  }

  private get listener(): AttemptStage['settled'] {
    if (!this.options.adaptToResponses) return undefined;
    return (_permit, _attempt, how, error, _at, result) =>
      this.hear(how, how === 'success' ? result : error);
  }

  private goBy(limit: number, burst: number): void {
    this.limit = limit;
    this.burst = burst;
    this.bucket.change({ limit, intervalMs: this.options.intervalMs, burst }, now());
    this.telemetry?.limited(limit);
  }

  private permit(weight: number): number | Weighed {
    const { receipt } = this.bucket;
    return weight === 1 ? receipt : new Weighed(weight, receipt);
  }

  /** @throws RateLimitedError where it cannot wait for its turn */
  private admitLater(scope: Scope | undefined, weight: number, at: number): Permit {
    if (this.alarm.isSet && at >= this.alarm.dueAt) this.serve(at); // the timer is late
    const ahead = this.queue.weightAhead(scope?.critical);
    if (ahead === 0 && this.bucket.take(weight, at)) return this.permit(weight);
    const waitMs = this.bucket.waitMs(ahead + weight, at);
    const reason = this.reasonAgainst(scope, waitMs, at);
    if (reason !== undefined) {
      this.rejected++;
      throw this.refusal(reason, waitMs, scope);
    }
    this.weight = weight;
    return WAIT;
  }

  /** Why a call does not wait for a turn that comes in `waitMs`. */
  private reasonAgainst(
    scope: Scope | undefined,
    waitMs: number,
    at: number,
  ): RateLimitReason | undefined {
    const { maxWaitMs, queueLimit } = this.options;
    const { queue } = this;
    if (this.closed) return 'shutdown';
    if (waitMs > maxWaitMs) return 'limit';
    if (isLate(at + waitMs, deadlineOf(scope))) return 'deadline';
    const displaces = scope?.critical === true && queue.youngestSheddable !== undefined;
    return queue.size < queueLimit || displaces ? undefined : 'queue';
  }

  private displace(): void {
    const { youngestSheddable } = this.queue;
    if (youngestSheddable !== undefined) this.refuseNow(youngestSheddable, 'queue');
  }

  /** Lets in those whose turn it is, and waits for that of the next. */
  private serve(at: number): void {
    const { queue, bucket, alarm } = this;
    alarm.stop();
    for (let ticket = queue.first; ticket !== undefined; ticket = queue.first) {
      if (this.turn.isUsedUp()) {
        this.turn.next(() => this.serve(now()));
        break;
      }
      const { weight } = ticket;
      if (weight === 1 ? bucket.takeLate(at) : bucket.take(weight, at)) {
        queue.remove(ticket);
        ticket.settle(this.permit(weight));
        continue;
      }
      const waitMs = bucket.waitMs(weight, at);
      if (isLate(at + waitMs, ticket.deadline)) {
        this.refuse(ticket, 'deadline', waitMs);
      } else {
        const delayMs = Math.min(Math.max(1, Math.ceil(waitMs)), MAX_TIMER_MS);
        alarm.set(delayMs, HOWEVER_LATE, at);
        break;
      }
    }
    this.changed();
  }

  /** Turns come at another time than was thought: those for whom that is too late need not wait. */
  private planAnew(at: number): void {
    let ahead = 0;
    for (const ticket of [...this.queue]) {
      const { weight, timeout } = ticket;
      const waitMs = this.bucket.waitMs(ahead + weight, at);
      const waitsUntil = timeout?.expiresAt ?? Number.POSITIVE_INFINITY;
      if (weight > this.burst || at + waitMs > waitsUntil) this.refuse(ticket, 'limit', waitMs);
      else if (isLate(at + waitMs, ticket.deadline)) this.refuse(ticket, 'deadline', waitMs);
      else ahead += weight;
    }
    this.serve(at);
  }

  /** It has waited as long as it may. */
  private expire(ticket: TurnTicket): void {
    this.serve(now());
    if (ticket.waiting) this.refuseNow(ticket, 'limit');
    this.changed();
  }

  private leave(ticket: TurnTicket): void {
    const isFirst = this.queue.first === ticket;
    if (!this.queue.remove(ticket)) return;
    if (isFirst) this.serve(now());
    else this.changed();
  }

  private refuseNow(ticket: TurnTicket, reason: RateLimitReason): void {
    const ahead = this.queue.weightAhead(ticket.critical);
    this.refuse(ticket, reason, this.bucket.waitMs(ahead, now()));
  }

  private refuse(ticket: TurnTicket, reason: RateLimitReason, waitMs: number): void {
    this.queue.remove(ticket);
    this.rejected++;
    ticket.settle(new Refused(reason, waitMs));
  }

  private refusal(
    reason: RateLimitReason,
    waitMs: number,
    scope: Scope | undefined,
  ): RateLimitedError {
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
    if (pauseMs === undefined) return;
    const at = now();
    const isNew = this.bucket.pausedMs(at) === 0;
    this.bucket.pause(at + pauseMs, at);
    if (isNew) this.telemetry?.paused(pauseMs);
    this.planAnew(at);
  }

  private changed(): void {
    this.telemetry?.changed(this.queue.size);
  }
}
