import { decorate } from '../dispatch/decorate.js';
import type { ResilienceDecorator } from '../dispatch/decorator-types.js';
import type { HedgeOptions } from './hedge.options.js';

/**
 * Makes a call that is slow to answer once more, beside the first: the first success wins, and the
 * others' `currentSignal()` is aborted. For reads that may be repeated.
 *
 * @param hedge `delayMs`, after which the second begins, or options
 * @throws ResilienceConfigurationError when the application boots, where an option is wrong
 *
 * @example
 * class Prices {@Hedge(50)
 *   async price(product: string): Promise<number> { return product.length; }
 * }
 */
export function Hedge(hedge: number | HedgeOptions): ResilienceDecorator {
  return decorate('hedge', hedge);
}
