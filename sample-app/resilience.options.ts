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
    advisor: true,
    overridesFromEnv: true,
  };
}

/** The same before anybody has tuned anything: whatever is allowed to run is let, and nothing is cut or rejected yet. */
export function untunedOptions(alerts: AlertChannel[]): ResilienceModuleOptions {
  const { retries, services } = resilienceOptions(alerts, false);
  const { recommendations } = services ?? {};
  return {
    defaults: { mode: 'shadow' },
    advisor: true,
    breakers: { payments: { timeoutMs: 1_000 }, recommendations: { timeoutMs: 1_000 } },
    bulkheads: { payments: { maxConcurrent: 500 } },
    retries: { ...retries },
    timeouts: { payments: { client: 5_000, gateway: 10_000, service: 30_000 } },
    services: { recommendations: { ...recommendations, timeoutMs: 5_000 } },
    errorTracker: { log: false },
    alerts,
    alertIntervalMs: 5_000,
  };
}
