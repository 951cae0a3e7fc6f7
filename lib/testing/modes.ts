import type { ResilienceRuntime } from '../bench.js';
import type { ResilienceOverrides } from '../index.js';

/**
 * What policies do in a test.
 *
 * - `'enforce'`: what they do in production.
 * - `'pass-through'`: they neither wait nor retry nor reject, and no fallback answers: a method is as if it was bare.
 *   Breakers, rate limits, bulkheads and timeouts look on (shadow mode), and tell what they would have done.
 * - `'fail-fast'`: they do not wait. Retries follow at once, whatever `Retry-After` says; who finds no slot in a
 *   bulkhead or no turn at a rate limit is rejected at once; nothing is hedged. Timeouts, breakers and fallbacks are
 *   as ever.
 */
export type TestingMode = 'enforce' | 'pass-through' | 'fail-fast';

export const TESTING_MODES: readonly TestingMode[] = ['enforce', 'pass-through', 'fail-fast'];

const FAIL_FAST: ResilienceOverrides = {
  all: {
    retry: { delayMs: [0], respectRetryAfter: false },
    hedge: { enabled: false },
    rateLimit: { maxWaitMs: 0 },
    bulkhead: { queueLimit: 0 },
  },
};

/** What has to be said of all operations for it. */
export function overridesOf(
  mode: TestingMode,
  stages: ResilienceRuntime['catalog']['stages'],
): object {
  if (mode === 'enforce') return {};
  if (mode === 'fail-fast') return FAIL_FAST;
  const switches = stages.filter(({ isSwitch = true, saidBy }) => isSwitch && saidBy === undefined);
  const looksOn = { mode: 'shadow', enabled: true };
  return {
    all: Object.fromEntries(
      switches.map(({ name, overriding }) => [
        name,
        overriding?.hasMode ? looksOn : { enabled: false },
      ]),
    ),
  };
}
