import type { Scope } from '../context/scope.js';
import type { RateLimitReason } from './rate-limit.error.js';
import type { TokenBucket } from './token-bucket.js';
import { Weighed } from './turn-ticket.js';
import type { Turns } from './turns.js';

/**
 * What a rate limit in shadow mode would have done with the calls that it lets in. Those that would have waited
 * take their tokens at once, before they are there, so that the next would have had to wait for longer; those
 * that would have been refused take none.
 */
export class ShadowTurns {
  /** Since the rate limit is in shadow mode. */
  wouldReject = 0;
  wouldQueue = 0;

  /** @param follow has the bucket have its rate, where that is another from time to time */
  constructor(
    private readonly bucket: TokenBucket,
    private readonly turns: Turns,
    private readonly tell: (reason: RateLimitReason) => void,
    private readonly follow: ((at: number) => void) | undefined,
  ) {}

  /** @returns its permit */
  admit(scope: Scope | undefined, weight: number, at: number): number | Weighed {
    const { bucket, turns } = this;
    this.follow?.(at);
    if (bucket.take(weight, at)) return turns.permit(weight);
    const reason = turns.reasonAgainst(scope, bucket.waitMs(weight, at), at, bucket.owed(at));
    if (reason === undefined) {
      this.wouldQueue++;
      bucket.owe(weight, at);
      return turns.permit(weight);
    }
    this.wouldReject++;
    this.tell(reason);
    return new Weighed(0, bucket.receipt, bucket);
  }
}
