import type { Linked } from '../common/linked-list.js';

/** What calls are made in, and end with. */
export interface Caller {
  adopt(dependent: Dependent): void;
  release(dependent: Dependent): void;
}

/** A call that ends when the scope that it was made in is aborted. Of one scope at a time, which links it. */
export interface Dependent extends Linked<Dependent> {
  cancel(reason: unknown): void;
  /** The scope has ended well. Without this, what outlives it is on its own. */
  moveOn?(caller: Caller | undefined): void;
}
