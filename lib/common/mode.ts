import { oneOf, type Rule } from './options.js';

/**
 * Whether a policy acts on what it finds. In `shadow` it measures and tells all that it would do
 * (`would-reject`, `would-time-out`, `would-open`), and nobody is rejected or cut by it.
 */
export type Mode = 'enforce' | 'shadow';

export const modeRule: Rule<Mode> = oneOf('enforce', 'shadow');
