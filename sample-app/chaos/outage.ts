import type { ChaosRule } from 'nestjs-bulwark';

const SECONDS = 1_000;

/** The outage of the demo, without breaking any upstream: it is over by itself. */
export const OUTAGE: readonly ChaosRule[] = [
  {
    id: 'payments-down',
    upstream: 'payments',
    error: () => new Error('payments answered 503'),
    forMs: 20 * SECONDS,
  },
  { id: 'recommendations-hang', upstream: 'recommendations', hang: true, forMs: 20 * SECONDS },
  {
    id: 'analytics-slow',
    upstream: 'analytics',
    rate: 0.5,
    latencyMs: [50, 400],
    forMs: 20 * SECONDS,
  },
];
