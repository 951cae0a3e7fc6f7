import { Alone } from '../attempt/alone.js';
import {
  type AttemptStage,
  type Permit,
  type Retention,
  type Settlement,
  type Admission as StageAdmission,
  type StageAttempt,
  WAIT,
} from '../attempt/attempt-stage.js';
import { AdaptiveLimit } from '../common/adaptive-limit.js';
import { now } from '../common/clock.js';
import type { Mode } from '../common/mode.js';
import { remembering } from '../common/options.js';
import type { AttemptContext, Scope } from '../context/scope.js';
import { checkSharedStays } from '../fleet/sharing.js';
import type { StageHost } from '../stage/stage-host.js';
import { BulkheadRejectedError, type BulkheadRejectionReason } from './bulkhead.error.js';
import {
  type BulkheadOptions,
  checkBulkheadOptions,
  type ResolvedBulkheadOptions,
  resolveBulkheadOptions,
} from './bulkhead.options.js';
import { BulkheadTelemetry } from './bulkhead.telemetry.js';
import { MeasuredRuns } from './measured-runs.js';
import { ShadowPermit, ShadowSlots } from './shadow-slots.js';
import { Borrowed, UNTIMED } from './slot-permit.js';
import { Slots } from './slots.js';
import { evenShareOf, leasedSlotsOf } from './slots-of.js';

/** A bulkhead at this moment. */
export interface BulkheadSnapshot {
  /** The name by which it is registered. */
  name: string;
  /** How many calls run. */
  running: number;
  /** How many calls wait for a slot. */
  queued: number;
  /**
   * How many calls may run at a time; with `adaptive`, at this moment; with `shared`, of all instances
   * together.
   */
  maxConcurrent: number;
  /** How many calls may wait. */
  queueLimit: number;
  /** How many calls it has rejected since it was made. */
  rejected: number;
  /** Of one that is shared: so many of the slots this instance has at this moment. */
  leased?: number;
  /** `shadow` where it is in shadow mode; else missing. */
  mode?: Mode;
  /** How many calls it would have rejected since it is in shadow mode; only there. */
  wouldReject?: number;
  /** How many calls would have waited for a slot since it is in shadow mode; only there. */
  wouldQueue?: number;
}

const optionsOf = remembering((place, options: BulkheadOptions) => {
  const given = checkBulkheadOptions(place, options);
  return { given, options: resolveBulkheadOptions(place, given) };
});

/**
 * Limits how many calls run at a time, so that one slow dependency cannot take everything down with it. A
 * call that finds no slot waits in a queue, as long as it can still be in time.
 */
export class BulkheadPolicy implements AttemptStage {
  private inForce: ReturnType<typeof optionsOf>;
  private readonly runs = new MeasuredRuns();
  private readonly slots: Slots;
  private shadow: ShadowSlots | undefined = undefined;
  private readonly telemetry: BulkheadTelemetry | undefined;
  private alone: Alone | undefined = undefined;
  /** So many operations have it as a stage. */
  private operations = 0;

  /** @throws ResilienceConfigurationError */
  constructor(name: string, options?: BulkheadOptions);
  /**
   * @param host is for the module that owns the bulkhead
   * @internal
   */
  constructor(name: string, options?: BulkheadOptions, host?: StageHost);
  constructor(
    /** The name by which it is registered. */
    readonly name: string,
    options: BulkheadOptions = {},
    private readonly host?: StageHost,
  ) {
    this.inForce = optionsOf(`bulkhead "${name}"`, options);
    const { maxConcurrent, queueTimeoutMs } = this.options;
    this.telemetry = host && new BulkheadTelemetry(name, host);
    this.slots = new Slots(maxConcurrent, queueTimeoutMs, this.runs, this.telemetry);
    this.apply();
  }

  /** The options in force, with defaults filled in. */
  get options(): Readonly<ResolvedBulkheadOptions> {
    return this.inForce.options;
  }

  /** The options without the defaults, for who builds on them. @internal */
  get given(): Readonly<BulkheadOptions> {
    return this.inForce.given;
  }

  /**
   * Calls `fn` as soon as there is a slot, which it holds until it has settled.
   *
   * @throws BulkheadRejectedError without calling
   * @throws what `fn` throws, untouched; the reason of a caller that gave up before it began
   *
   * @example
   * await bulkhead.execute(({ signal }) => fetch('https://shop.test', { signal }));
   */
  execute<T>(fn: (attempt: AttemptContext) => PromiseLike<T>): Promise<T> {
    // What is made inside of such a call, nobody can tell before.
    this.alone ??= new Alone(this, this.name, this.host?.inFlight, { scope: true, start: 'never' });
    return this.alone.run(fn);
  }

  /** How it stands at this moment. */
  getSnapshot(): BulkheadSnapshot {
    const { name, slots, options, shadow } = this;
    const { running, queued, rejected, limit, leased } = slots;
    const { queueLimit } = options;
    const snapshot = { name, running, queued, maxConcurrent: limit, queueLimit, rejected };
    if (shadow !== undefined) {
      const { wouldReject, wouldQueue } = shadow;
      return { ...snapshot, mode: 'shadow', wouldReject, wouldQueue };
    }
    const { maxConcurrent } = options;
    return leased === undefined ? snapshot : { ...snapshot, maxConcurrent, leased: limit };
  }

  /**
   * A call made inside of one that holds a slot has to find it where it can have no other. Of a method that
   * is alone in using the bulkhead, and does not call itself, nothing is made inside but in a roundabout
   * way: then it is enough that whoever takes the last slot is found, and so can always go on.
   */
  get needsScope(): boolean {
    const { slots, options } = this;
    return (
      slots.running + 1 >= slots.limit ||
      this.operations > (this.alone === undefined ? 1 : 0) ||
      options.adaptive === true ||
      slots.leased !== undefined ||
      options.queueLimit === 0
    );
  }

  /** Not while calls through it hold a slot, or wait for one. */
  get retention(): Retention {
    return this.slots.running > 0 || this.slots.queued > 0 ? 'kept' : 'none';
  }

  /** @internal */
  joined(): void {
    this.operations++;
  }

  /**
   * It goes by other options from now on. Nobody is cut: where fewer may run than do, none begins until there
   * is room; where more may, those who wait begin at once. Whoever waits does so by the `queueLimit` and
   * `queueTimeoutMs` that it came by. What it has found out (`adaptive`) is kept, within the bounds; one that
   * begins to find it out begins with what was allowed before. In shadow mode whoever waits is let in, and
   * one that is shared gives its slots back.
   *
   * @throws ResilienceConfigurationError, also where `shared` is another
   * @internal
   */
  change(options: BulkheadOptions): void {
    const place = `bulkhead "${this.name}"`;
    const inForce = optionsOf(place, options);
    checkSharedStays(place, this.options.shared, inForce.options.shared);
    this.inForce = inForce;
    this.apply(this.slots.limit);
  }

  /** What it has found out (`adaptive`). @internal */
  remember(): object | undefined {
    return this.runs.adaptive?.remember();
  }

  /** @internal */
  recall(remembered: unknown): void {
    const { adaptive } = this.runs;
    adaptive?.recall(remembered);
    if (adaptive !== undefined) this.limitTo(adaptive.limit, now());
  }

  admit(attempt: StageAttempt, at: number): Permit {
    const { slots, runs } = this;
    if (slots.tryAcquire())
      return runs.isTimed(slots.running >= slots.limit) ? at || now() : UNTIMED;
    if (this.shadow !== undefined) return this.admitInShadow(this.shadow, attempt.scope, at);
    const holder = attempt.scope?.callThrough(this);
    return slots.borrow(holder) ? new Borrowed(holder) : WAIT;
  }

  wait(attempt: StageAttempt, admitted: (ask: () => StageAdmission) => void): () => void {
    const scope = attempt.scope as Scope;
    const ticket = this.slots.enqueue(scope, scope.callThrough(this), (admission) =>
      admitted(() => {
        if (typeof admission === 'string') return { refusal: this.refusal(admission, scope) };
        const { lender } = ticket;
        return { permit: lender === undefined ? admission : new Borrowed(lender) };
      }),
    );
    return () => this.slots.leave(ticket);
  }

  /** Who waits in the queue needs its answer to begin in time. */
  settled(
    permit: Permit,
    attempt: StageAttempt,
    _how: Settlement,
    _error: unknown,
    at: number,
  ): void {
    if (attempt.begun) this.measure(permit, attempt, true, at);
  }

  finished(permit: Permit, attempt: StageAttempt, answered: boolean): void {
    const lender = permit instanceof Borrowed ? permit.lender : undefined;
    if (attempt.ran && permit !== UNTIMED && !attempt.begun)
      this.measure(permit, attempt, answered, now());
    this.slots.release(attempt.ran ? attempt.scope : undefined, lender);
    if (this.shadow !== undefined) this.endInShadow(this.shadow, permit);
  }

  /** @internal */
  tryAcquire(): boolean {
    return this.slots.tryAcquire();
  }

  /** @internal */
  release(): void {
    this.slots.release(undefined, undefined);
  }

  /** Rejects what waits, and whatever would have to wait from now on (`reason: 'shutdown'`). */
  shutdown(): void {
    this.slots.close();
  }

  /** It is used no more. @internal */
  dispose(): void {
    this.slots.leased?.dispose();
  }

  /** @param before so many were allowed until now */
  private apply(before?: number): void {
    const { slots, runs, options } = this;
    const { adaptive, minConcurrent = 1, maxConcurrent, queueLimit, queueTimeoutMs } = options;
    const isShadow = options.mode === 'shadow';
    slots.letWait(queueLimit, queueTimeoutMs);
    if (!adaptive) runs.adaptive = undefined;
    else if (runs.adaptive !== undefined) runs.adaptive.bound(minConcurrent, maxConcurrent);
    else runs.adaptive = new AdaptiveLimit(minConcurrent, maxConcurrent, before);
    runs.adaptive?.heed(!isShadow);
    this.beInShadow(isShadow);
    if (slots.leased === undefined) this.limitTo(this.ownLimit, now());
    else slots.leased.change(maxConcurrent);
    this.shadow?.serve(now(), queueTimeoutMs);
  }

  /** By itself it lets so many run. */
  private get ownLimit(): number {
    return this.runs.adaptive?.limit ?? evenShareOf(this.options, this.host);
  }

  private beInShadow(isShadow: boolean): void {
    const { slots, runs, telemetry } = this;
    slots.isOpen = isShadow;
    if (isShadow) {
      this.shadow ??= new ShadowSlots(slots, runs, (reason) => telemetry?.wouldReject(reason));
      slots.leased?.dispose();
      slots.leased = undefined;
    } else {
      this.shadow = undefined;
      this.lease();
    }
  }

  private lease(): void {
    const { slots } = this;
    if (slots.leased !== undefined) return;
    const leased = leasedSlotsOf(this.name, this.options, this.host, {
      limited: (limit) => this.limitTo(limit, now()),
      warmed: () => slots.trim(),
    });
    if (leased === undefined) return;
    slots.leased = leased;
    this.limitTo(leased.limit, now());
  }

  private admitInShadow(
    shadow: ShadowSlots,
    scope: Scope | undefined,
    askedAt: number,
  ): ShadowPermit {
    const isLent = scope?.callThrough(this) !== undefined;
    const { queueTimeoutMs } = this.options;
    const deadline = scope?.deadline ?? Number.POSITIVE_INFINITY;
    const permit = shadow.admit(askedAt || now(), deadline, isLent, queueTimeoutMs);
    this.slots.take();
    return permit;
  }

  private endInShadow(shadow: ShadowSlots, permit: Permit): void {
    // Its part of what all have follows how many they are, of which nobody tells it.
    if (this.options.shared === true) this.slots.limit = this.ownLimit;
    shadow.ended(permit, this.options.queueTimeoutMs);
  }

  /** Learns from how a run went, before its slot is given back. */
  private measure(permit: Permit, { scope }: StageAttempt, answered: boolean, at: number): void {
    const { slots } = this;
    const since = permit instanceof ShadowPermit ? permit.at : permit;
    const limit = this.runs.learn(since, scope, answered, at, slots.running);
    if (limit !== undefined && limit !== slots.limit) this.limitTo(limit, at);
  }

  private limitTo(limit: number, at: number): void {
    const { slots, runs, telemetry } = this;
    telemetry?.limited(limit, runs.adaptive !== undefined || slots.leased !== undefined);
    slots.limitTo(limit, at);
  }

  /** The error for a call that was refused, which `scope` is of. */
  private refusal(reason: BulkheadRejectionReason, scope: Scope): BulkheadRejectedError {
    this.telemetry?.rejected(reason);
    const byClient = reason === 'deadline' && scope.impatient;
    return new BulkheadRejectedError(this.name, reason, this.host?.captureStackTrace, byClient);
  }
}
