import type {
  SharedTokens,
  TokenLease,
  TokenRate,
  TokenRequest,
} from '../../lib/fleet/shared-tokens.js';
import type { Board, MemoryFleet } from './memory-fleet.js';

const NOTHING = 1e-6;

/** A bucket, as the store keeps it. */
interface Stored {
  fullAt: number;
  resumesAt: number;
  rate: string | undefined;
}

/** The buckets of shared rate limits, as Redis has them. */
export class TokenStore {
  private readonly buckets = new Map<string, Stored>();

  constructor(private readonly publish: (rateLimit: string, pauseMs: number) => void) {}

  clear(): void {
    this.buckets.clear();
  }

  lease(
    name: string,
    rate: TokenRate,
    { balance, wanted, atLeast }: TokenRequest,
    now: number,
  ): TokenLease {
    const bucket = this.of(name);
    const { limit, intervalMs, burst } = rate;
    const tokenMs = intervalMs / limit;
    const isPaused = bucket.resumesAt > now;
    bucket.fullAt = Math.max(bucket.fullAt, now);
    if (balance < 0) bucket.fullAt -= balance * tokenMs;
    else if (!isPaused) bucket.fullAt = Math.max(now, bucket.fullAt - balance * tokenMs);
    const available = () => burst - (bucket.fullAt - now) / tokenMs;
    let granted = 0;
    if (!isPaused) {
      granted = Math.max(0, Math.min(wanted, Math.floor(available() + NOTHING)));
      if (granted < atLeast) granted = 0;
      bucket.fullAt += granted * tokenMs;
    }
    const left = Math.floor(available() + NOTHING);
    const needed = Math.max(1, atLeast) - available() - NOTHING;
    const waitMs = Math.ceil(Math.max(0, needed) * tokenMs);
    const said = JSON.stringify(rate);
    const isDisputed = bucket.rate !== undefined && bucket.rate !== said;
    bucket.rate = said;
    return isPaused
      ? {
          granted,
          left: Math.min(left, 0),
          waitMs: Math.max(waitMs, bucket.resumesAt - now),
          isDisputed,
        }
      : { granted, left, waitMs, isDisputed };
  }

  pause(name: string, { limit, intervalMs, burst }: TokenRate, pauseMs: number, now: number): void {
    const bucket = this.of(name);
    if (now + pauseMs > bucket.resumesAt) {
      bucket.resumesAt = now + pauseMs;
      const fullAt = bucket.resumesAt + ((burst - 1) * intervalMs) / limit;
      bucket.fullAt = Math.max(bucket.fullAt, fullAt);
    }
    this.publish(name, bucket.resumesAt - now);
  }

  private of(name: string): Stored {
    const known = this.buckets.get(name);
    if (known !== undefined) return known;
    const made = { fullAt: 0, resumesAt: 0, rate: undefined };
    this.buckets.set(name, made);
    return made;
  }
}

export function memoryTokens(
  hub: MemoryFleet,
): Board<SharedTokens> & { readonly store: TokenStore } {
  const channel = (rateLimit: string) => `pause/${rateLimit}`;
  const store = new TokenStore((rateLimit, pauseMs) => hub.publish(channel(rateLimit), pauseMs));
  return {
    store,
    clear: () => store.clear(),
    side: (line) => ({
      lease: (rateLimit, rate, request) =>
        line.ask((now) => store.lease(rateLimit, rate, request, now)),
      async pause(rateLimit, rate, pauseMs) {
        await line.ask((now) => store.pause(rateLimit, rate, Math.ceil(pauseMs), now));
      },
      listen: (rateLimit, told) => line.listen<number>(channel(rateLimit), told),
    }),
  };
}
