/**
 * A page in the browser that shows how every operation and policy stands, live.
 *
 * @packageDocumentation
 */

export { ResilienceDashboardModule } from './dashboard.module.js';
export type { ResilienceDashboardOptions } from './dashboard.options.js';
