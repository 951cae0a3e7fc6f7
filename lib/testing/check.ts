import { AssertionError } from 'node:assert';

/** `1 call`, `2 calls`. */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

/**
 * An assertion as `node:assert` makes it: Jest, Vitest and node:test show its values.
 *
 * @throws AssertionError where it does not hold
 */
export function check(
  holds: boolean,
  message: string,
  values: { actual: unknown; expected: unknown; operator: string },
  // biome-ignore lint/complexity/noBannedTypes: whatever is called by a test
  stackStartFn: Function,
): void {
  if (!holds) throw new AssertionError({ message, ...values, stackStartFn });
}
