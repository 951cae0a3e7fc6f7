import { decorate } from '../dispatch/decorate.js';
import type { ResilienceDecorator } from '../dispatch/decorator-types.js';
import type { ResilienceOptions } from './resilience.options.js';

/**
 * Applies a whole bundle, which decorators beside it override field by field; or names the operation.
 *
 * @param resilience the name of a bundle in `services`, or options. Checked when the application boots.
 *
 * @example ＠Resilience('payments')
 * @example ＠Resilience({ name: 'payments.charge', service: 'payments' })
 */
export function Resilience(resilience: string | ResilienceOptions): ResilienceDecorator {
  return decorate('resilience', resilience);
}

/** Labels errors and metrics with the dependency that the method calls. */
export function Upstream(name: string): ResilienceDecorator {
  return decorate('upstream', name);
}
