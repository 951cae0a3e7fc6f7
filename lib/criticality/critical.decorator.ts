import { decorate } from '../dispatch/decorate.js';
import type { ResilienceDecorator } from '../dispatch/decorator-types.js';

/**
 * Says what the final failure of a call means: that somebody is alerted, or that nobody minds.
 *
 * @param critical `true`: it alerts, whether or not a fallback answers. `false`: the call is nice to
 * have, and its failure degrades silently to `null`.
 *
 * @example
 * class Payments {@Critical()
 *   async charge(): Promise<void> {}
 * }
 */
export function Critical(critical = true): ResilienceDecorator {
  return decorate('critical', critical);
}
