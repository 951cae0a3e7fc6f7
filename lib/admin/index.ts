export { ResilienceAdminModule } from './admin.module.js';
export type { ResilienceAdminOptions } from './admin.options.js';
export type { WhoIs } from './who.js';
