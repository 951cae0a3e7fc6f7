import type { SharedRegister } from '../index.js';
import type { Store } from './store.js';

/** The shared orders. To be written. */
export class RedisRegister implements SharedRegister {
  constructor(readonly store: Store) {}

  listen(): void {}
}
