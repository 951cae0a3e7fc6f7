import type { SharedSlots } from '../index.js';
import type { Store } from './store.js';

/** The shared bulkheads. To be written. */
export class RedisSlots implements SharedSlots {
  constructor(readonly store: Store) {}

  listen(): void {}
}
