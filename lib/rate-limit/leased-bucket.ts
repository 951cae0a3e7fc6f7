import { Alarm } from '../common/alarm.js';
import { clock, MAX_TIMER_MS, now } from '../common/clock.js';
import type { Membership } from '../fleet/membership.js';
import type { TokenLease, TokenRate } from '../fleet/shared-tokens.js';
import { type Sharer, takePart } from '../fleet/take-part.js';
import type { Bucket } from './bucket.js';
import { CommonBucket } from './common-bucket.js';
import { OwnPace } from './own-pace.js';
import { TokenBucket } from './token-bucket.js';

/** Tokens are of no use after so many times the time that they are taken ahead for. */
const LAPSE = 2;
/** The next are asked for when so much of the last is left. */
const AHEAD = 1 / 4;
/** Sums of fractions are not exact: so little is nothing. */
const NOTHING = 1e-6;

/** Who is told of what others did. */
export interface LeaseEvents {
  /** There are tokens again, maybe. */
  refilled(): void;
  /** Nobody gets any for a while. */
  paused(): void;
  /** Another instance has another rate by the same name. */
  disputed(own: TokenRate): void;
}

/**
 * An instance's part of a bucket that its fleet shares. It takes tokens ahead, for as many calls as it expects
 * within the time of a lease, and lets calls in by these; those that it did not need go back.
 *
 * Nobody waits for the fleet: where none are left of the last lease, and the bucket of all has some by what
 * was heard of it, calls are let in ahead, at most the instance's even share of these, but always one; they
 * are taken out of the bucket afterwards. So where calls are few, each is charged when it has begun. Where
 * the bucket was empty, nobody is let in until it has answered again.
 *
 * Without the fleet there is a bucket of one's own, for an even share of the limit and of the burst, but at
 * least one call. So in any time t, all instances together let in no more than limit × t ÷ interval + burst,
 * what they hold of leases, and once more a burst (or one call each) where they do not hear of each other.
 */
export class LeasedBucket implements Bucket, Sharer<[number]> {
  receipt = 0;
  /** Taken ahead, and not used yet; below 0, let in ahead and not charged yet. */
  private balance = 0;
  /** Of that, what goes back by the question that is on its way. */
  private carried = 0;
  /** When what was taken ahead lapses. */
  private expiresAt = Number.NEGATIVE_INFINITY;
  private readonly common: CommonBucket;
  /** Not before that is it worth asking again. */
  private retryAt = Number.NEGATIVE_INFINITY;
  private isAsking = false;
  /** Whether the fleet is heard of no more. */
  private isAlone: boolean;
  /** Somebody was not let in since it was asked last. */
  private isMissed = false;
  /** The next tokens are asked for when no more than these are left. */
  private mark = Number.NEGATIVE_INFINITY;
  /** What was let in of late that the bucket of one's own does not know of yet. */
  private untold = 0;
  private usedAt = Number.NEGATIVE_INFINITY;
  private era = clock.era;
  private rate: TokenRate;
  private instances: number;
  private readonly share: TokenBucket;
  private readonly pace: OwnPace;
  private readonly leaseMs: number;
  private readonly alarm = new Alarm(() => this.ring(Math.max(now(), this.alarm.dueAt)));
  private readonly endPart: () => void;

  constructor(
    private readonly name: string,
    { limit, intervalMs, burst }: TokenRate,
    private readonly fleet: Membership,
    private readonly events: LeaseEvents,
  ) {
    const { link, options } = fleet;
    this.rate = { limit, intervalMs, burst };
    this.common = new CommonBucket(burst);
    this.leaseMs = options.rateLimitLeaseMs;
    this.pace = new OwnPace(this.leaseMs);
    this.instances = link.instances;
    this.isAlone = !link.isUp;
    this.share = new TokenBucket(limit / this.instances, intervalMs, this.shareOfBurst);
    this.alarm.letProcessEnd();
    this.endPart = takePart(this, name, fleet, link.tokens);
  }

  take(weight: number, at: number): boolean {
    if (this.era !== clock.era) this.followClock();
    if (this.isAlone) return this.takeAlone(weight, at);
    if (this.balance > 0 && at >= this.expiresAt) this.lapse(at);
    if (
      this.share.pausedMs(at) > 0 ||
      (this.balance < weight - NOTHING && !this.mayOwe(weight, at))
    ) {
      this.isMissed = true;
      void this.ask(at, weight);
      return false;
    }
    this.balance -= weight;
    this.untold += weight;
    this.pace.used(weight);
    this.receipt = at;
    this.usedAt = at;
    if (this.balance < 0 || this.balance <= this.mark) void this.ask(at);
    return true;
  }

  takeLate(at: number): boolean {
    return this.take(1, at);
  }

  /** What was taken long ago is not there any more for anybody. */
  giveBack(weight: number, receipt: number, at: number): void {
    if (this.isAlone) {
      this.share.giveBack(weight, this.share.receipt, at);
    } else if (at - receipt <= LAPSE * this.leaseMs) {
      this.balance += weight;
      this.expiresAt = Math.max(this.expiresAt, at + this.leaseMs);
      this.plan(at);
    }
  }

  waitMs(weight: number, at: number): number {
    if (this.isAlone) return this.share.waitMs(weight, at);
    if (weight <= this.balance) return this.share.pausedMs(at);
    const { limit, intervalMs } = this.rate;
    const perMs = limit / intervalMs;
    const missing = weight - this.balance - Math.max(0, this.known(at));
    const hoped = Math.min(perMs, Math.max(this.pace.perMs, perMs / this.instances));
    return Math.max(1, this.share.pausedMs(at), this.retryAt - at, missing / hoped);
  }

  available(at: number): number {
    if (this.isAlone) return this.share.available(at);
    if (this.share.pausedMs(at) > 0) return 0;
    const known = this.known(at) + Math.min(0, this.balance);
    const ahead = known < 1 ? 0 : Math.max(this.balance < 0 ? 0 : 1, known / this.instances);
    return Math.max(0, Math.floor(Math.max(this.balance, 0) + ahead + NOTHING));
  }

  /** So many are taken ahead. */
  get leased(): number {
    return Math.max(0, Math.floor(this.balance + NOTHING));
  }

  isLikeNew(at: number): boolean {
    if (this.share.pausedMs(at) > 0 || this.isAsking || this.balance < 0) return false;
    return !this.isAlone || this.share.isLikeNew(at);
  }

  change(rate: TokenRate, at: number): void {
    this.rate = rate;
    this.cutTo(rate.burst);
    this.spread(at);
  }

  pause(until: number, at: number): void {
    const isLonger = until - at > this.share.pausedMs(at) + 1;
    this.stop(until, at);
    if (isLonger) void this.fleet.link.tokens.pause(this.name, this.rate, until - at);
  }

  /** Nobody is to begin a call for so long, as another was told. */
  heard(pauseMs: number): void {
    const at = now();
    if (pauseMs <= this.share.pausedMs(at) + 1) return;
    this.stop(at + pauseMs, at);
    this.events.paused();
  }

  pausedMs(at: number): number {
    return this.share.pausedMs(at);
  }

  dispose(): void {
    this.endPart();
    void this.leave();
  }

  /** What others did meanwhile is asked for where calls have come of late. */
  async sync(): Promise<void> {
    const at = now();
    this.retryAt = at;
    if (at - this.usedAt < this.rate.intervalMs) await this.ask(at);
    else this.isAlone = false;
  }

  lost(): void {
    const at = now();
    this.spread(at);
    this.isAlone = true;
    this.alarm.stop();
    this.events.refilled(); // who waited for an answer
  }

  async leave(): Promise<void> {
    this.alarm.stop();
    const balance = this.balance - this.carried;
    if (this.isAlone || balance === 0) return;
    this.isAlone = true;
    this.balance = this.carried;
    await this.request(balance, 0, 0);
  }

  /** What is left of the last lease still counts: others have it as taken. */
  private takeAlone(weight: number, at: number): boolean {
    const isAsked = !this.isAsking && at >= this.retryAt && this.fleet.link.isUp;
    if (isAsked) void this.ask(at);
    if (at < this.expiresAt && this.balance >= weight && this.share.pausedMs(at) === 0) {
      this.balance -= weight;
      this.untold += weight;
    } else if (!this.share.takeAhead(weight, at)) {
      return false;
    }
    this.receipt = at;
    this.usedAt = at;
    return true;
  }

  /** Whether one may be let in ahead. */
  private mayOwe(weight: number, at: number): boolean {
    const owed = Math.max(0, -this.balance);
    const known = this.known(at) - owed;
    if (known < weight - Math.max(0, this.balance)) return false;
    return owed === 0 || owed + weight <= this.known(at) / this.instances;
  }

  private known(at: number): number {
    return this.common.tokens(this.rate, at);
  }

  /** @param atLeast what somebody needs who was not let in */
  private async ask(at: number, atLeast = 0): Promise<void> {
    if (this.isAsking) return;
    if (at < this.retryAt) {
      this.plan(at);
      return;
    }
    this.isAsking = true;
    const { balance, isMissed, rate } = this;
    this.carried = balance;
    this.spread(at);
    const ahead = this.pace.ahead(at, rate, isMissed);
    const kept = Math.floor(Math.max(0, balance) + NOTHING);
    const needed = Math.ceil(Math.max(0, atLeast - Math.max(0, balance)) - NOTHING);
    const wanted = Math.min(rate.burst, kept + Math.max(ahead, needed));
    this.isMissed = false;
    const lease = await this.request(balance, wanted, Math.min(wanted, kept + needed));
    this.isAsking = false;
    this.balance -= this.carried;
    this.carried = 0;
    if (lease === undefined) this.unanswered();
    else this.answered(lease, wanted, at);
    this.events.refilled();
  }

  private request(balance: number, wanted: number, atLeast: number) {
    return this.fleet.link.tokens.lease(this.name, this.rate, { balance, wanted, atLeast });
  }

  private answered(lease: TokenLease, wanted: number, askedAt: number): void {
    const at = now();
    const { granted, left, waitMs, isDisputed } = lease;
    this.isAlone = false;
    this.balance += granted;
    this.expiresAt = askedAt + LAPSE * this.leaseMs;
    this.mark = granted > 1 ? granted * AHEAD : Number.NEGATIVE_INFINITY;
    const isShort = granted < wanted;
    const pauseMs = this.pace.pauseMs(this.rate, wanted, this.instances, isShort);
    this.retryAt = isShort ? at + Math.max(pauseMs, waitMs) : at;
    this.common.has(left, at, this.retryAt + LAPSE * this.leaseMs);
    if (isDisputed) this.events.disputed(this.rate);
    this.plan(at);
  }

  private unanswered(): void {
    const at = now();
    this.spread(at);
    this.isAlone = true;
    this.retryAt = at + this.leaseMs;
  }

  /** What is over that is gone, and so does not go back either. */
  private cutTo(most: number): void {
    const excess = Math.max(0, this.balance - most);
    this.balance -= excess;
    if (this.isAsking) this.carried -= excess;
  }

  /** The share of one's own has to know what was let in, and how many share. */
  private spread(at: number): void {
    const { limit, intervalMs } = this.rate;
    this.instances = this.fleet.link.instances;
    const burst = this.shareOfBurst;
    this.share.change({ limit: limit / this.instances, intervalMs, burst }, at);
    this.share.drain(this.untold, at);
    this.untold = 0;
  }

  private get shareOfBurst(): number {
    return Math.max(1, this.rate.burst / this.instances);
  }

  /** What was taken ahead is not to come all at once after it. */
  private stop(until: number, at: number): void {
    this.share.pause(until, at);
    this.cutTo(0);
    this.common.stop(until);
  }

  /** What was taken ahead and not used goes back, unless that is long ago. */
  private lapse(at: number): void {
    if (this.isAsking) return; // what is left of it is on its way back
    const { balance } = this;
    this.balance = 0;
    if (at < this.expiresAt + this.leaseMs) void this.request(balance, 0, 0);
  }

  private plan(at: number): void {
    const due = Math.min(
      this.isMissed || this.balance < 0 ? this.retryAt : Number.POSITIVE_INFINITY,
      this.balance > 0 ? this.expiresAt : Number.POSITIVE_INFINITY,
    );
    if (due === Number.POSITIVE_INFINITY) this.alarm.stop();
    else if (!this.alarm.isSet || due < this.alarm.dueAt - 1 || due > this.alarm.dueAt + 1)
      this.alarm.set(Math.min(Math.max(1, Math.ceil(due - at)), MAX_TIMER_MS));
  }

  private ring(at: number): void {
    if (this.isAlone) return;
    const isDue = this.balance > 0 && at >= this.expiresAt;
    const isUsed = this.usedAt > this.common.answeredAt;
    if (isDue && !isUsed) this.lapse(at);
    if (this.isMissed || this.balance < 0 || (isDue && isUsed)) void this.ask(at);
    else this.plan(at);
  }

  /** What was known is of another clock. */
  private followClock(): void {
    this.era = clock.era;
    this.cutTo(0);
    this.common.followClock(clock.eraBeganAt);
    this.retryAt = clock.eraBeganAt;
    this.expiresAt = clock.eraBeganAt;
    this.usedAt = clock.eraBeganAt;
    this.pace.followClock(clock.eraBeganAt);
  }
}
