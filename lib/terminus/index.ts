export type { BreakerHealth, BulkheadHealth, HealthLevel } from './policy-health.js';
export {
  ResilienceHealthIndicator,
  type ResilienceHealthOptions,
} from './resilience-health.indicator.js';
