/**
 * What time it is in Redis, counted on our monotonic clock: nobody's wall clock is compared with another.
 * It is behind by as long as the answer was on its way, and never ahead.
 */
export class RedisClock {
  private offsetMs = Number.NaN;

  /** @param heardAt when we heard it, on the monotonic clock */
  set(redisMs: number, heardAt: number): void {
    this.offsetMs = redisMs - heardAt;
  }

  /** In whole ms. */
  now(at: number): number {
    return Math.floor(at + this.offsetMs);
  }
}
