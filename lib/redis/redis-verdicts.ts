import type { SharedVerdicts } from '../index.js';
import type { Store } from './store.js';

/** The shared circuit breakers. To be written. */
export class RedisVerdicts implements SharedVerdicts {
  constructor(readonly store: Store) {}

  listen(): void {}
}
