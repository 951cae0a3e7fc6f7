/**
 * An HTTP API that shows how every operation and policy stands, and changes it where `controls` allow.
 *
 * @packageDocumentation
 */

export { ResilienceAdminModule } from './admin.module.js';
export type { ResilienceAdminOptions } from './admin.options.js';
export type { WhoIs } from './who.js';
