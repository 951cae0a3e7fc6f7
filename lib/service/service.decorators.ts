import { decorate } from '../dispatch/decorate.js';
import type { ResilienceDecorator } from '../dispatch/decorator-types.js';

/**
 * Applies a whole bundle. Decorators beside it override it field by field.
 *
 * @param service the name of one in `services`. Checked when the application boots.
 */
export function Resilience(service: string): ResilienceDecorator {
  return decorate('service', service, '@Resilience()');
}

/** Labels errors and metrics with the dependency that the method calls. */
export function Upstream(name: string): ResilienceDecorator {
  return decorate('upstream', name, '@Upstream()');
}
