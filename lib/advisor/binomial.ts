/** How sure the advisor is of what it says: it errs in one of twenty cases, to the safe side in the others. */
export const CONFIDENCE = 0.95;
/** The standard normal quantile of it. */
const Z = 1.645;
/** From this variance on, the normal distribution is as good as the sum. */
const LARGE = 400;

/**
 * The most of `n` values that may exceed a value for which it is sure that no more than `share` of all do:
 * the upper confidence limit of a quantile by order statistics, whatever the distribution (David and
 * Nagaraja, "Order Statistics", 2003, section 7.1). With k the answer, the value that k of them exceed is above the
 * quantile unless k or fewer of n did where each does with probability `share`:
 * P(Binomial(n, share) ≤ k) ≤ 1 − confidence.
 *
 * @returns −1 where n is too small to tell
 */
export function exceedancesAllowed(n: number, share: number): number {
  const variance = n * share * (1 - share);
  if (variance > LARGE) return Math.floor(n * share - Z * Math.sqrt(variance) - 0.5);
  let density = (1 - share) ** n;
  let below = density;
  let k = -1;
  while (below <= 1 - CONFIDENCE) {
    k++;
    density *= ((n - k) / (k + 1)) * (share / (1 - share));
    below += density;
  }
  return k;
}

/** The limits between which a share lies that was seen `count` times in `n`: Wilson's interval (1927). */
export function shareBetween(count: number, n: number): readonly [low: number, high: number] {
  if (n === 0) return [0, 1];
  const share = count / n;
  const z2 = Z * Z;
  const middle = share + z2 / (2 * n);
  const spread = Z * Math.sqrt((share * (1 - share)) / n + z2 / (4 * n * n));
  const whole = 1 + z2 / n;
  return [Math.max(0, (middle - spread) / whole), Math.min(1, (middle + spread) / whole)];
}
