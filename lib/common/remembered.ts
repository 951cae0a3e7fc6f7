import { read } from './read.js';

/**
 * A number in what was remembered across a restart, which may be anything.
 *
 * @returns `undefined` where it is none from 0 to `most`
 */
export function amountIn(
  remembered: unknown,
  field: PropertyKey,
  most: number,
): number | undefined {
  const value = read(remembered, field);
  return typeof value === 'number' && value >= 0 && value <= most ? value : undefined;
}

/** What is looked into for what was remembered: nothing is in what is no object. */
export function recordOf(remembered: unknown): Record<string, unknown> {
  return typeof remembered === 'object' && remembered !== null
    ? (remembered as Record<string, unknown>)
    : {};
}
