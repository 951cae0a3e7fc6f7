import { decorate } from '../dispatch/decorate.js';
import type { ResilienceDecorator } from '../dispatch/decorator-types.js';
import type { HedgeOptions } from './hedge.options.js';

/**
 * Makes a call that is slow to answer once more, beside the first: the first success wins, and the
 * others' `currentSignal()` is aborted. For reads that may be repeated.
 *
 * @param hedge `delayMs`, or options. Checked when the application boots.
 */
export function Hedge(hedge: number | HedgeOptions): ResilienceDecorator {
  return decorate('hedge', hedge);
}
