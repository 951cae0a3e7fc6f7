/** What time it is in Redis, by our monotonic clock: neither's wall clock is compared with another. */
export class RedisClock {
  private offsetMs = Number.NaN;

  /** @param redisMs what Redis said, at some moment between two of ours */
  set(redisMs: number, sentAt: number, heardAt: number): void {
    this.offsetMs = redisMs - (sentAt + heardAt) / 2;
  }

  /** In whole ms. */
  now(at: number): number {
    return Math.round(at + this.offsetMs);
  }
}
