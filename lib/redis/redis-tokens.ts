import type { SharedTokens, TokenLease, TokenRate, TokenRequest } from '../index.js';
import type { Script, Store } from './store.js';
import { LEASE_TOKENS, MAX_PAUSE_MS, PAUSE_TOKENS } from './token-scripts.js';
import { isWhole, Told } from './told.js';

const KIND = 'pause';

/** What a rate limit may be told at most, and what may be owed beside. */
const MAX_TOKENS = 10_000_000;
/** No rate limit takes longer for all its tokens: a million of the longest intervals. */
const MAX_WAIT_MS = Number.MAX_SAFE_INTEGER;

/** The buckets of the shared rate limits, each in a hash. */
export class RedisTokens implements SharedTokens {
  private readonly paused: Told<number>;

  constructor(private readonly store: Store) {
    this.paused = new Told(store, KIND, ([pauseMs]) =>
      isWhole(pauseMs, MAX_PAUSE_MS) ? pauseMs : undefined,
    );
  }

  async lease(
    rateLimit: string,
    rate: TokenRate,
    { balance, wanted, atLeast }: TokenRequest,
  ): Promise<TokenLease | undefined> {
    const asked = [balance.toFixed(6), wanted, atLeast];
    const answer = await this.run(LEASE_TOKENS, rateLimit, rate, asked);
    if (answer === undefined) return undefined;
    const [granted, left, waitMs, disputed] = answer;
    if (
      isWhole(granted, wanted) &&
      isWhole(Math.abs(left ?? Number.NaN), MAX_TOKENS) &&
      isWhole(waitMs, MAX_WAIT_MS) &&
      isWhole(disputed, 1)
    )
      return { granted, left: left as number, waitMs, isDisputed: disputed === 1 };
    this.store.refused('an answer about tokens');
    return undefined;
  }

  async pause(rateLimit: string, rate: TokenRate, pauseMs: number): Promise<void> {
    const whole = Math.ceil(Math.min(pauseMs, MAX_PAUSE_MS));
    await this.run(PAUSE_TOKENS, rateLimit, rate, [whole, this.store.channel, rateLimit]);
  }

  listen(rateLimit: string, told: (pauseMs: number) => void): () => void {
    return this.paused.listen(rateLimit, told);
  }

  private run(
    script: Script,
    rateLimit: string,
    { limit, intervalMs, burst }: TokenRate,
    args: readonly (string | number)[],
  ): Promise<readonly number[] | undefined> {
    const { store } = this;
    const keys = [store.key('rate-limit', rateLimit, 't')];
    return store.run(script, keys, [limit, intervalMs, burst, ...args]);
  }
}
