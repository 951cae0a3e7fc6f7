import { BulkheadPolicy, CircuitBreakerPolicy, RateLimitPolicy } from 'nestjs-bulwark';
import { defineCases, repeat } from '../lab/case.js';
import { work } from './baselines.js';
import { UNREACHED } from './rates.js';

/** Policies by themselves, in a process without Nest. */
export default defineCases(import.meta.url, {
  circuitBreaker: () => {
    const breaker = new CircuitBreakerPolicy('breaker');
    return repeat(() => breaker.execute(work));
  },

  bulkhead: () => {
    const bulkhead = new BulkheadPolicy('bulkhead');
    return repeat(() => bulkhead.execute(work));
  },

  rateLimit: () => {
    const rateLimit = new RateLimitPolicy('rateLimit', UNREACHED);
    return repeat(() => rateLimit.execute(work));
  },
});
