import type { SharedTokens } from '../index.js';
import type { Store } from './store.js';

/** The shared rate limits. To be written. */
export class RedisTokens implements SharedTokens {
  constructor(readonly store: Store) {}

  listen(): void {}
}
