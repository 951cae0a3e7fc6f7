import { oneOf } from './option-rules.js';
import type { Rule } from './options.js';

/**
 * Whether a policy acts on what it finds. In `shadow` it measures and tells all that it would do
 * (`would-reject`, `would-time-out`, `would-open`), and nobody is rejected or cut by it.
 */
export type Mode = 'enforce' | 'shadow';

/** What is said of all policies that have a mode. */
export interface ModeDefaults {
  /**
   * Of circuit breakers, bulkheads, rate limits, timeouts and shedding that say none: in `shadow` an
   * application finds out what its options would do before they do it. @default 'enforce'
   */
  mode?: Mode;
}

export const modeRule: Rule<Mode> = oneOf('enforce', 'shadow');
