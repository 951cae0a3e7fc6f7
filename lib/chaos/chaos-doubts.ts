import { display } from '../common/configuration.error.js';
import { closest } from '../common/spelling.js';
import type { ActiveRule } from './active-rule.js';

/** An operation, as rules look for it. */
export interface Targeted {
  readonly operation: string;
  readonly upstream: string | undefined;
}

/** So many operations are named where a rule fits none of them. */
const NAMED = 10;

/** Of a rule whose end had passed when the application started. */
export function doubtOfPast({ id, rule }: ActiveRule): string {
  return `chaos: the rule ${display(id)} does nothing, since its end, ${rule.until?.toISOString()}, has passed`;
}

/** Of rules that fit no operation. */
export function doubtsOfTargets(
  rules: readonly ActiveRule[],
  operations: readonly Targeted[],
): string[] {
  const names = operations.map(({ operation }) => operation);
  const some = names.slice(0, NAMED).join(', ') + (names.length > NAMED ? ', …' : '');
  return rules
    .filter((rule) => !operations.some((it) => rule.matches(it.operation, it.upstream)))
    .map(({ id, rule: { operations: wanted }, target }) => {
      const meant = typeof wanted === 'string' ? closest(wanted, names) : undefined;
      const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
      return `chaos: the rule ${display(id)} fits no operation (${target}); there are: ${some || 'none'}${hint}`;
    });
}
