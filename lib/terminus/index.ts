/**
 * Health of breakers, bulkheads and rate limits for `@nestjs/terminus`.
 *
 * @packageDocumentation
 */

export type {
  BreakerHealth,
  BulkheadHealth,
  HealthLevel,
  RateLimitHealth,
} from '../index.js';
export {
  ResilienceHealthIndicator,
  type ResilienceHealthOptions,
} from './resilience-health.indicator.js';
