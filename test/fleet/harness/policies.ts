import type { ResilienceModuleOptions } from '../../../lib/index.js';

const shared = {}; // true, as soon as there is such an option

/** What the pods of the fault matrix share, unless a test gives one of them something else. */
export const POLICIES = {
  breakers: {
    payments: {
      shared: true,
      failureThreshold: 4,
      windowMs: 2_000,
      timeoutMs: 500,
      halfOpenMaxCalls: 1,
    },
  },
  rateLimits: {
    quota: { shared: true, limit: 400 },
    scarce: { shared: true, limit: 40, burst: 4 },
  },
  bulkheads: {
    pool: { ...shared, maxConcurrent: 40 },
    tight: { ...shared, maxConcurrent: 4, queueLimit: 0 },
  },
} satisfies ResilienceModuleOptions;
