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
