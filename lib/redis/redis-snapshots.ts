import type { SharedSnapshots } from '../index.js';
import type { Store } from './store.js';

/** The shared what instances show. To be written. */
export class RedisSnapshots implements SharedSnapshots {
  constructor(readonly store: Store) {}

  listen(): void {}
}
