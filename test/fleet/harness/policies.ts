import type { ResilienceModuleOptions } from '../../../lib/index.js';

const shared = {}; // true, as soon as there is such an option

/** What the pods of the fault matrix share, unless a test gives one of them something else. */
export const POLICIES = {
  breakers: {
    payments: { ...shared, failureThreshold: 4, timeoutMs: 500, windowMs: 2_000 },
  },
  rateLimits: {
    quota: { ...shared, limit: 400 },
    scarce: { ...shared, limit: 40, burst: 4 },
  },
  bulkheads: {
    pool: { ...shared, maxConcurrent: 40 },
    tight: { ...shared, maxConcurrent: 4, queueLimit: 0 },
  },
} satisfies ResilienceModuleOptions;
