export type { BreakerHealth, BulkheadHealth, HealthLevel } from '../index.js';
export {
  ResilienceHealthIndicator,
  type ResilienceHealthOptions,
} from './resilience-health.indicator.js';
