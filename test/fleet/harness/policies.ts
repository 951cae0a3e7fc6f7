import type { ResilienceModuleOptions } from '../../../lib/index.js';

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
    pool: { shared: true, maxConcurrent: 40 },
    tight: { shared: true, maxConcurrent: 4, queueLimit: 0 },
  },
} satisfies ResilienceModuleOptions;
