export { ResilienceDashboardModule } from './dashboard.module.js';
export type { ResilienceDashboardOptions } from './dashboard.options.js';
