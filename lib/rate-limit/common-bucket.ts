import type { TokenRate } from '../fleet/shared-tokens.js';

/** What an instance knows of the bucket that its fleet shares. */
export class CommonBucket {
  /** When that was said, on the monotonic clock. */
  answeredAt = Number.NEGATIVE_INFINITY;
  private trustedUntil = Number.NEGATIVE_INFINITY;

  /** @param left so many tokens it had then */
  constructor(private left: number) {}

  /** As many as it has now, as far as one may know. */
  tokens({ limit, intervalMs, burst }: TokenRate, at: number): number {
    if (at < this.trustedUntil) return this.left;
    return Math.min(burst, this.left + ((at - this.answeredAt) * limit) / intervalMs);
  }

  /** @param until nothing else is to be thought */
  has(left: number, at: number, until: number): void {
    this.left = left;
    this.answeredAt = at;
    this.trustedUntil = until;
  }

  /** It has none until then. */
  stop(until: number): void {
    this.has(Math.min(0, this.left), until, until);
  }

  /** What was known is of another clock. */
  followClock(beganAt: number): void {
    this.answeredAt = beganAt;
    this.trustedUntil = beganAt;
  }
}
