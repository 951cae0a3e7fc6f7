import { clock } from '../common/clock.js';
import { amountIn } from '../common/remembered.js';
import type { TokenRate } from '../fleet/shared-tokens.js';
import type { Bucket } from './bucket.js';
import { LONGEST_MS } from './pushback.js';

/** Sums of fractions are not exact: so little is nothing. */
const NOTHING = 1e-6;

/** Those who come after a pause are not to come all at once. */
const AFTER_PAUSE = 1;
/** What a late timer may make up for: less than one, so that whole calls in an interval are no more for it. */
const MADE_UP = 0.99;
/** No bucket holds more. */
const MOST = 1_000_000;

/**
 * What a rate leaves over: the generic cell rate algorithm (GCRA, ITU-T I.371), told as the bucket of
 * tokens that it is equal to. The bucket fills up evenly, and holds no more than a burst; whoever is let
 * in takes tokens out. So in any time t, no more is let in than limit × t ÷ interval + burst.
 *
 * It knows neither timers nor callers: all is worked out when it is asked, in O(1).
 */
export class TokenBucket implements Bucket {
  private tokens: number;
  /** When there were so many. */
  private at = Number.NEGATIVE_INFINITY;
  private era = clock.era;
  private perMs: number;
  private resumesAt = Number.NEGATIVE_INFINITY;
  /** All that was ever taken. */
  private taken = 0;

  constructor(
    limit: number,
    intervalMs: number,
    private burst: number,
  ) {
    this.perMs = limit / intervalMs;
    this.tokens = burst;
  }

  /** @returns whether there were so many, which are gone then */
  take(weight: number, at: number): boolean {
    this.refill(at);
    return this.takeOut(weight, at);
  }

  /**
   * The same for one that has waited for it by a timer. A bucket of a single token would be full until
   * that rings, and lose each time what comes in meanwhile.
   */
  takeLate(at: number): boolean {
    this.refill(at, this.burst + MADE_UP);
    return this.takeOut(1, at);
  }

  /** As many as there are, up to that, where they were had from elsewhere. */
  drain(weight: number, at: number): void {
    this.refill(at);
    this.tokens -= Math.max(0, Math.min(weight, this.tokens));
    this.taken += weight;
  }

  /** The same for one that counts for more than the bucket holds: it takes a full one, and what comes in after it. */
  takeAhead(weight: number, at: number): boolean {
    this.refill(at);
    return this.takeOut(weight, at, Math.min(weight, this.burst));
  }

  /** Takes out so many, whether they are there or not. */
  owe(weight: number, at: number): void {
    this.refill(at);
    this.tokens -= weight;
    this.taken += weight;
  }

  /** So many were taken out that are not there yet. */
  owed(at: number): number {
    this.refill(at);
    return Math.max(0, Math.ceil(-this.tokens - NOTHING));
  }

  private takeOut(weight: number, at: number, least = weight): boolean {
    if (this.tokens < least - NOTHING || at < this.resumesAt) return false;
    this.tokens -= weight;
    this.taken += weight;
    return true;
  }

  /** Tells those that were taken last from those that will be. */
  get receipt(): number {
    return this.taken;
  }

  /**
   * Takes back what was not used. Of a bucket that has filled up since it would be too much: those who
   * come next may have had it already. So it is only as much as is still missing of it, where what was
   * taken first is refilled first.
   *
   * @param receipt of when it had been taken
   */
  giveBack(weight: number, receipt: number, at: number): void {
    this.refill(at);
    const missing = this.burst - this.tokens - (this.taken - receipt);
    this.tokens += Math.max(0, Math.min(weight, missing));
    this.keepPause(at);
  }

  /** How long it takes until there are so many, in ms. */
  waitMs(weight: number, at: number): number {
    this.refill(at);
    const pausedMs = Math.max(0, this.resumesAt - at);
    const tokens = pausedMs > 0 ? this.tokensAfter(pausedMs, AFTER_PAUSE) : this.tokens;
    return pausedMs + Math.max(0, weight - NOTHING - tokens) / this.perMs;
  }

  /** As many as there are, in whole. */
  available(at: number): number {
    this.refill(at);
    return at < this.resumesAt ? 0 : Math.max(0, Math.floor(this.tokens + NOTHING));
  }

  isLikeNew(at: number): boolean {
    return this.available(at) >= Math.floor(this.burst);
  }

  /** How empty it is, and for how long it is paused; `undefined` where a new one would let in no more. */
  remember(at: number): object | undefined {
    const pausedMs = this.pausedMs(at);
    if (pausedMs === 0 && this.isLikeNew(at)) return undefined;
    return { missing: Math.min(this.burst, this.burst - this.tokens), pausedMs };
  }

  /** So it was so long ago, before a restart. Whatever is no number is left out. */
  recall(remembered: unknown, agoMs: number, at: number): void {
    this.refill(at);
    const missing = Math.min(this.burst, amountIn(remembered, 'missing', MOST) ?? 0);
    const left = Math.max(0, missing - agoMs * this.perMs);
    this.tokens = Math.max(this.tokens - left, Math.min(0, this.tokens));
    const pausedMs = (amountIn(remembered, 'pausedMs', LONGEST_MS) ?? 0) - agoMs;
    if (pausedMs > 0) this.pause(at + pausedMs, at);
  }

  /** It fills up at another rate from now on. More than there is, nobody gets for that. */
  change({ limit, intervalMs, burst }: TokenRate, at: number): void {
    this.refill(at);
    this.perMs = limit / intervalMs;
    this.burst = burst;
    this.tokens = Math.min(this.tokens, burst);
  }

  /** Until then nobody has any; then there is no more than one, and others come at the rate of the limit. */
  pause(until: number, at: number): void {
    this.refill(at);
    this.resumesAt = Math.max(this.resumesAt, until);
    this.keepPause(at);
  }

  /** How long that lasts, in ms. */
  pausedMs(at: number): number {
    this.refill(at);
    return Math.max(0, this.resumesAt - at);
  }

  private refill(at: number, most = this.burst): void {
    if (this.era !== clock.era) this.followClock();
    const elapsedMs = at - this.at;
    if (elapsedMs <= 0) return; // who has looked at the clock before others may come after them
    const pausedMs = this.resumesAt - this.at;
    if (pausedMs > 0) this.tokens = this.tokensAfter(Math.min(elapsedMs, pausedMs), AFTER_PAUSE);
    const freeMs = pausedMs > 0 ? elapsedMs - pausedMs : elapsedMs;
    if (freeMs > 0) this.tokens = this.tokensAfter(freeMs, most);
    this.at = at;
  }

  private tokensAfter(ms: number, most: number): number {
    return Math.min(most, this.tokens + ms * this.perMs);
  }

  private keepPause(at: number): void {
    if (this.resumesAt > at) this.tokens = Math.min(this.tokens, AFTER_PAUSE);
  }

  /** All that it holds counts as of the beginning of the new clock. */
  private followClock(): void {
    this.era = clock.era;
    const leftMs = this.resumesAt - this.at;
    this.resumesAt = leftMs > 0 ? clock.eraBeganAt + leftMs : Number.NEGATIVE_INFINITY;
    this.at = clock.eraBeganAt;
  }
}
