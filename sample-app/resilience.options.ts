import type { AlertChannel, Fleet, ResilienceModuleOptions } from 'nestjs-bulwark';

/** Times are short, so that an outage and its end can be watched within seconds. */
export function resilienceOptions(
  alerts: AlertChannel[],
  logErrors: boolean,
  fleet?: Fleet,
): ResilienceModuleOptions {
  const shared = fleet !== undefined;
  return {
    ...(fleet && { fleet }),
    breakers: {
      payments: {
        failureThreshold: 5,
        successThreshold: 2,
        timeoutMs: 1_000,
        windowMs: 10_000,
        shared,
      },
      recommendations: { failureThreshold: 5, timeoutMs: 1_000, windowMs: 10_000, shared },
    },
    bulkheads: {
      payments: { maxConcurrent: 20, queueLimit: 50 },
    },
    retries: {
      payments: { maxAttempts: 3, baseDelayMs: 50, maxDelayMs: 200, maxDurationMs: 1_000 },
    },
    timeouts: {
      payments: { client: 300, gateway: 600, service: 1_500 },
    },
    services: {
      recommendations: {
        critical: false,
        upstream: 'recommendations',
        timeoutMs: 250,
        circuitBreaker: 'recommendations',
        fallback: () => [],
      },
    },
    errorTracker: { log: logErrors },
    alerts,
    alertIntervalMs: 5_000,
  };
}
