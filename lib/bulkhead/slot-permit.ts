import type { Scope } from '../context/scope.js';

/** The permit of a run whose time is not taken; of others it is when they got their slot. */
export const UNTIMED = -1;

/** The permit of a run in a slot that a call around it has lent to it. */
export class Borrowed {
  constructor(readonly lender: Scope) {}
}
