import { MAX_TIMER_MS } from './clock.js';
import { amountIn } from './remembered.js';

/** So many samples make a round at least; otherwise a round has as many as may run at a time. */
const MINIMUM_ROUND = 10;

/** Where it begins, if the bounds allow: it doubles from there as long as nothing queues. */
const INITIAL = 4;

/** After so many rounds under load, the unloaded time is measured again. */
const PROBE_EVERY = 30;

/** A round of which this share met no deadline says that there is too much, whatever the times say. */
const DROPPED_SHARE = 0.1;
const BACK_OFF = 0.9;

/** No bulkhead has more. */
const MOST = 1_000_000;

/** Half of the load in less than this share of the time: even half of it had to wait. */
const STILL_WAITING = 0.6;

/**
 * How many calls a dependency can take, found by TCP Vegas (Brakmo and Peterson, "TCP Vegas: End to
 * End Congestion Avoidance on a Global Internet", 1995) with the parameters of `VegasLimit` in
 * Netflix's concurrency-limits.
 *
 * A run takes longer the longer it waits inside the dependency. With L calls at a time that take T
 * each, and T0 without load, L × (1 − T0 ÷ T) of them do not work but wait. The limit grows while
 * fewer than α wait and shrinks while more than β do, so it settles a little above what the
 * dependency can work on at a time: enough to keep it busy, and hardly anybody waits there, where
 * nobody knows a deadline.
 *
 * As in TCP it begins small and doubles, and measures in rounds, the mean of each. Vegas takes the
 * shortest time ever seen for T0, which one answer from a cache would spoil, and which a dependency
 * that has become slower never reaches again. So T0 is the mean of a round with little load; where
 * there was none for a while, the limit is halved for two rounds to see it, as BBR does (Cardwell et
 * al., "BBR: Congestion-Based Congestion Control", 2016), and again where that is not enough. Until
 * then a dependency that has become faster gets more than it needs, and no call takes longer for it.
 *
 * It knows no clock and no chance: the same samples make the same limit.
 */
export class AdaptiveLimit {
  /** With its fractions. */
  private estimate: number;
  /** How long a run takes without load; 0 until that is known. */
  private unloadedMs = 0;
  private phase: 'starting' | 'steady' | 'draining' | 'probing' = 'starting';
  /** While it probes: what the limit is divided by, and how long a run took before it was. */
  private divisor = 1;
  private beforeMs = 0;
  private roundsSinceCalm = 0;
  private samples = 0;
  private totalMs = 0;
  private dropped = 0;
  private mostInFlight = 0;
  private isHeeded = true;

  /** @param initial where it begins, within the bounds */
  constructor(
    private minimum: number,
    private maximum: number,
    initial = INITIAL,
  ) {
    this.estimate = this.bounded(initial);
  }

  /** From now on it lies between these; what it has learnt stays. */
  bound(minimum: number, maximum: number): void {
    this.minimum = minimum;
    this.maximum = maximum;
    this.estimate = this.bounded(this.estimate);
  }

  /** What a new one would have to find out again. */
  remember(): object | undefined {
    const { estimate, unloadedMs } = this;
    return unloadedMs === 0 ? undefined : { limit: estimate, unloadedMs };
  }

  /** It goes on from there. Whatever is no limit and no time is left out. */
  recall(remembered: unknown): void {
    const limit = amountIn(remembered, 'limit', MOST);
    const unloadedMs = amountIn(remembered, 'unloadedMs', MAX_TIMER_MS);
    if (limit === undefined || unloadedMs === undefined || unloadedMs === 0) return;
    this.estimate = this.bounded(limit);
    this.unloadedMs = unloadedMs;
    this.goOn();
  }

  /** Whether calls go by it: where they do not, it is not lowered to see what that does. */
  heed(isHeeded: boolean): void {
    this.isHeeded = isHeeded;
    if (!isHeeded && this.divisor > 1) this.goOn();
  }

  /** So many calls may run at a time. */
  get limit(): number {
    return Math.floor(this.bounded(this.estimate / this.divisor));
  }

  /**
   * @param durationMs how long a run took
   * @param inFlight how many ran when it ended, itself included
   * @param dropped whether it met no deadline
   */
  sample(durationMs: number, inFlight: number, dropped: boolean): void {
    this.samples++;
    this.totalMs += durationMs;
    if (dropped) this.dropped++;
    this.mostInFlight = Math.max(this.mostInFlight, inFlight);
    if (this.samples < this.roundSize) return;
    this.endRound(this.totalMs / this.samples);
    this.samples = 0;
    this.totalMs = 0;
    this.dropped = 0;
    this.mostInFlight = 0;
  }

  /** What is running when the probe begins ran under load, however low the limit is then. */
  private get roundSize(): number {
    return Math.max(MINIMUM_ROUND, this.phase === 'draining' ? this.limit * 2 : this.limit);
  }

  private endRound(meanMs: number): void {
    if (this.dropped >= this.samples * DROPPED_SHARE) {
      this.goOn();
      this.estimate = this.bounded(this.estimate * BACK_OFF);
    } else if (this.phase === 'draining') {
      this.phase = 'probing';
    } else if (this.phase === 'probing') {
      if (meanMs < this.beforeMs * STILL_WAITING && this.limit > this.minimum) this.probe(meanMs);
      else this.seenUnloaded(meanMs);
    } else if (this.mostInFlight * 2 <= this.limit) {
      this.seenUnloaded(meanMs); // and so few say nothing about the limit
    } else {
      this.adjust(meanMs);
      if (++this.roundsSinceCalm >= PROBE_EVERY && this.isHeeded) this.probe(meanMs);
    }
  }

  private probe(beforeMs: number): void {
    this.phase = 'draining';
    this.divisor *= 2;
    this.beforeMs = beforeMs;
  }

  private goOn(): void {
    this.phase = 'steady';
    this.divisor = 1;
  }

  private seenUnloaded(meanMs: number): void {
    this.unloadedMs = meanMs;
    this.roundsSinceCalm = 0;
    if (this.divisor > 1) this.goOn();
  }

  private adjust(meanMs: number): void {
    if (this.unloadedMs === 0) this.unloadedMs = meanMs;
    const waiting = meanMs === 0 ? 0 : this.estimate * (1 - this.unloadedMs / meanMs);
    const unit = Math.max(1, Math.log10(this.estimate));
    const alpha = 3 * unit;
    const beta = 6 * unit;
    if (waiting >= alpha) this.phase = 'steady';
    this.estimate = this.bounded(this.estimate + this.step(waiting, unit, alpha, beta));
  }

  private step(waiting: number, unit: number, alpha: number, beta: number): number {
    if (this.phase === 'starting') return this.estimate;
    if (waiting <= unit) return beta;
    if (waiting < alpha) return unit;
    if (waiting <= beta) return 0;
    // Vegas wears a great excess away by `unit`; half of it at once is sooner out of the way.
    return -Math.max(unit, (waiting - beta) / 2);
  }

  private bounded(limit: number): number {
    return Math.min(this.maximum, Math.max(this.minimum, limit));
  }
}
