import { decorate } from '../dispatch/decorate.js';
import type { ResilienceDecorator } from '../dispatch/decorator-types.js';
import type { ResilienceOptions } from './resilience.options.js';

/**
 * Applies a whole bundle, which decorators beside it override field by field; or names the operation.
 *
 * @param resilience the name of a bundle in `services`, or options
 * @throws ResilienceConfigurationError when the application boots, where an option is wrong or a name unknown
 *
 * @example
 * class Payments {@Resilience({ name: 'payments.charge', service: 'payments' })
 *   async charge(): Promise<void> {}
 * }
 */
export function Resilience(resilience: string | ResilienceOptions): ResilienceDecorator {
  return decorate('resilience', resilience);
}

/**
 * Names the dependency that the method calls: errors and metrics are labelled with it, and all who call it share
 * a retry budget.
 *
 * @example
 * class Payments {@Upstream('payments')
 *   async charge(): Promise<void> {}
 * }
 */
export function Upstream(name: string): ResilienceDecorator {
  return decorate('upstream', name);
}
