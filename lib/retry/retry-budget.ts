import type { Retention, StageAttempt } from '../attempt/attempt-stage.js';
import { now } from '../common/clock.js';
import { read } from '../common/read.js';
import { amountIn } from '../common/remembered.js';
import { TimeWindow } from '../common/time-window.js';
import type { FleetLink } from '../fleet/fleet.js';
import type { Membership } from '../fleet/membership.js';
import { checkSharedStays, checkSharing } from '../fleet/sharing.js';
import {
  checkRetryBudgetOptions,
  type ResolvedRetryBudgetOptions,
  type RetryBudgetOptions,
  resolveRetryBudgetOptions,
} from './retry-budget.options.js';

const SECOND = 1_000;
/** A window holds the calls of at least 95 % of it: this much longer, it holds all of those we mean. */
const ALL = 20 / 19;

/** What may be spent in a part of the window: so many times its even share. */
const PACE = [
  { part: (windowMs: number) => windowMs, shares: 1 },
  { part: (windowMs: number) => windowMs / 4, shares: 1.2 },
  { part: (windowMs: number) => Math.min(windowMs, SECOND), shares: 2 }, // calls do not come evenly either
];

/** So many of a quiet window may come at once; no more than half of its reserve, the floor. */
const BURST = 50;

/** Nobody makes more in a window. */
const MOST = 1_000_000_000;

interface Limit {
  readonly retries: TimeWindow;
  /** Of what the whole window allows. */
  readonly share: number;
}

function limitsOf(windowMs: number): readonly Limit[] {
  return PACE.map(({ part, shares }) => ({
    retries: new TimeWindow(part(windowMs) * ALL),
    share: Math.min(1, (shares * part(windowMs)) / windowMs),
  }));
}

/** So many count as of that moment. */
function count(window: TimeWindow, calls: number, at: number): void {
  window.add({ at, calls, failures: 0, slow: 0 });
}

/** What is left of a time, as a share. */
function left(ofMs: number, agoMs: number): number {
  return Math.max(0, 1 - agoMs / ofMs);
}

/** The call that a retry is of, as far as its key needs it. */
export type BudgetedCall = Pick<StageAttempt, 'self' | 'args'>;

/** Where the budget of a call comes from. */
export interface BudgetSource {
  readonly name: string;
  readonly options: object;
  /** @throws ResilienceConfigurationError where the call has no key, and needs one */
  of(call: BudgetedCall, at: number): RetryBudget;
}

/** A retry budget at this moment. */
export interface RetryBudgetSnapshot {
  /**
   * The name of the budget. Of budgets by key it is the pattern of their names, as `partner[*]`, and
   * `allowed` and `spent` are of the one that is used up most.
   */
  name: string;
  /** How many retries the window allows. */
  allowed: number;
  /** How many retries were made in the window. */
  spent: number;
  /** Retries and hedges that it has refused since it was made; by key, all together. */
  refused: number;
  /** How many budgets there are; only of budgets by key. */
  keys?: number;
}

/**
 * Bounds what retries add to the load of a dependency, so that they cannot keep it down: over the
 * window, retries ≤ ratio × first attempts + minRetriesPerSecond × window. It is spent evenly: in any
 * quarter of the window at most 1.2 times its share, in any second at most twice (or one retry).
 *
 * Calls that fail together after a quiet time, as by a connection that was reset, come together too. So
 * the first retries of a window may come at once: 50, but no more than half of its floor. Whatever
 * comes, a second or a quarter sees no more than the greater of that and its share, and a window no
 * more than its budget.
 *
 * After Finagle's RetryBudget (its ratio, floor and time to live), as sliding windows instead of a
 * bucket, which would let all the savings of quiet times out at once. Like Envoy since its issue 30205
 * it counts a retry when it is scheduled.
 */
export class RetryBudget implements BudgetSource {
  private inForce: Readonly<ResolvedRetryBudgetOptions>;
  /** Of those that the floor is for together. */
  private readonly sharers: Pick<FleetLink, 'instances'> | undefined;
  private firstAttempts: TimeWindow;
  private limits: readonly Limit[];
  private refused = 0;

  /** @throws ResilienceConfigurationError */
  constructor(name: string, options?: RetryBudgetOptions);
  /**
   * @param fleet of the application that owns the budget
   * @internal
   */
  constructor(name: string, options: RetryBudgetOptions, fleet: Membership | undefined);
  constructor(
    readonly name: string,
    options: RetryBudgetOptions = {},
    fleet?: Membership,
  ) {
    const place = `retry budget "${name}"`;
    this.inForce = resolveRetryBudgetOptions(checkRetryBudgetOptions(place, options));
    const { windowMs, shared } = this.options;
    checkSharing(place, shared, fleet);
    this.sharers = shared === true ? fleet?.link : undefined;
    this.firstAttempts = new TimeWindow(windowMs);
    this.limits = limitsOf(windowMs);
  }

  get options(): Readonly<ResolvedRetryBudgetOptions> {
    return this.inForce;
  }

  /**
   * It goes by other options from now on. What was spent and what it was earned by stays. Where the window is
   * of another length, all retries that the one before holds count as of this moment, and so do the first
   * attempts; of these, where it is shorter, only its part.
   *
   * @throws ResilienceConfigurationError, also where `shared` is another
   * @internal
   */
  change(options: RetryBudgetOptions): void {
    const place = `retry budget "${this.name}"`;
    const inForce = resolveRetryBudgetOptions(checkRetryBudgetOptions(place, options));
    checkSharedStays(place, this.options.shared, inForce.shared);
    const { windowMs } = this.options;
    this.inForce = inForce;
    if (inForce.windowMs === windowMs) return;
    const at = now();
    const { firstAttempts, limits } = this;
    const part = Math.min(1, inForce.windowMs / windowMs);
    this.firstAttempts = new TimeWindow(inForce.windowMs);
    count(this.firstAttempts, Math.floor(firstAttempts.counts(at).calls * part), at);
    this.limits = limitsOf(inForce.windowMs);
    for (const [index, { retries }] of this.limits.entries())
      count(retries, (limits[index] as Limit).retries.counts(at).calls, at);
  }

  /** A call begins. */
  recordFirstAttempt(at: number): void {
    this.firstAttempts.record(at, false, false);
  }

  /** @returns whether there may be another retry, which is counted then */
  tryRetry(at: number): boolean {
    if (this.mayRetry(at)) {
      for (const { retries } of this.limits) retries.record(at, false, false);
      return true;
    }
    this.refused++;
    return false;
  }

  getSnapshot(): RetryBudgetSnapshot {
    const at = now();
    const { name, whole, refused } = this;
    const allowed = Math.floor(this.allowed(at));
    return { name, allowed, spent: whole.counts(at).calls, refused };
  }

  private mayRetry(at: number): boolean {
    const allowed = this.allowed(at);
    if (allowed < 1) return false;
    const floor = this.floor;
    const burst = Math.max(1, Math.min(BURST, floor / 2));
    const isBurst = this.whole.counts(at).calls + 1 <= burst;
    for (const { retries, share } of this.limits)
      if (!isBurst && retries.counts(at).calls + 1 > Math.max(1, allowed * share)) return false;
    return true;
  }

  /** In the whole window. */
  private allowed(at: number): number {
    return this.options.ratio * this.firstAttempts.counts(at).calls + this.floor;
  }

  /** Whatever the calls are. */
  private get floor(): number {
    const { minRetriesPerSecond, windowMs } = this.options;
    return (minRetriesPerSecond * windowMs) / SECOND / (this.sharers?.instances ?? 1);
  }

  /** That of a call: one for all. */
  of(): RetryBudget {
    return this;
  }

  /** What was spent and what it was earned by. @internal */
  remember(): object | undefined {
    const at = now();
    const firstAttempts = this.firstAttempts.counts(at).calls;
    const retries = this.limits.map((limit) => limit.retries.counts(at).calls);
    return firstAttempts + (retries[0] as number) === 0 ? undefined : { firstAttempts, retries };
  }

  /**
   * The same of so long ago, before a restart: as if it had come evenly, so that as much of it is left as of
   * the window. Whatever is no number is left out.
   *
   * @internal
   */
  recall(remembered: unknown, agoMs: number): void {
    const at = now();
    const { windowMs } = this.options;
    const counted = amountIn(remembered, 'firstAttempts', MOST) ?? 0;
    count(this.firstAttempts, Math.floor(counted * left(windowMs, agoMs)), at);
    for (const [index, { retries }] of this.limits.entries()) {
      const spent = amountIn(read(remembered, 'retries'), index, MOST) ?? 0;
      const { part } = PACE[index] as (typeof PACE)[number];
      count(retries, Math.ceil(spent * left(part(windowMs), agoMs)), at);
    }
  }

  /** All retries of the window. */
  private get whole(): TimeWindow {
    return (this.limits[0] as Limit).retries;
  }

  /** What was spent in the window must not be there again. */
  get retention(): Retention {
    return this.whole.counts(now()).calls === 0 ? 'none' : 'kept';
  }
}
