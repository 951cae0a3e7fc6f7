/** Uniform in [0, 1). */
export type Random = () => number;

/**
 * A sequence of random numbers that a seed determines (mulberry32). Each purpose has a stream of its
 * own, so that all strategies meet the same customers, however much chance they use up themselves.
 */
export function randomStream(seed: number, purpose: string): Random {
  let state = seed >>> 0;
  for (let at = 0; at < purpose.length; at++) {
    state = Math.imul(state ^ purpose.charCodeAt(at), 0x9e3779b1) >>> 0;
    state ^= state >>> 15;
  }
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Exponentially distributed with this mean: the gaps of a Poisson process. */
export function exponential(random: Random, mean: number): number {
  return -Math.log(1 - random()) * mean;
}

/** The sum of `shape` exponentials (Erlang): the larger the shape, the less it varies. */
export function erlang(random: Random, mean: number, shape: number): number {
  let sum = 0;
  for (let n = 0; n < shape; n++) sum += exponential(random, mean / shape);
  return sum;
}
