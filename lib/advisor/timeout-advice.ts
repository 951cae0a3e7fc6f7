import { MAX_TIMER_MS } from '../common/clock.js';
import type { Advice } from './advice.js';
import { CONFIDENCE, exceedancesAllowed } from './binomial.js';
import { inWords, percent, roundUp } from './figures.js';
import { ofOperation } from './placed.js';
import type { Summary } from './summary.js';
import { Survival } from './survival.js';

/** So many of the attempts that would have answered may be cut. */
const CUT_SHARE = 0.005;
/** Where the best one cannot be seen, it is looked for so much further. */
const STEP = 2;
/**
 * A timeout that is longer than the best by less than this factor is left as it is. It is more than a step, so that
 * who follows advice again and again comes to rest: where some hang, the best looks too short once it is in force, and
 * from what is then advised there must be no way back to it.
 */
const LONG = 1.25 * STEP;

/**
 * The best timeout of an attempt is the shortest that cuts no more than one in 200 of the attempts that would have
 * answered: what hangs is waited for no longer than it takes to tell that it hangs. It is the 99.5th
 * percentile of `Survival`, of which the upper confidence limit at 95 % is taken (`exceedancesAllowed()`), so
 * that chance makes it longer, and not shorter. It takes 598 attempts that answered or would have.
 *
 * Where surely so many are cut by the timeout in force that the percentile lies beyond it, twice the timeout is
 * advised, from which more will be seen; where that is not sure, nothing.
 */
export function adviseTimeout({ operation, stages, answered, cut }: Summary): Advice[] {
  const survival = new Survival(answered, cut);
  const allowed = exceedancesAllowed(survival.good, CUT_SHARE);
  if (allowed < 0) return [];
  const currentMs = stages.timeout?.delayMs;
  const totalMs = stages.totalTimeout?.delayMs ?? MAX_TIMER_MS;
  const withinTotal = (ms: number) => Math.min(roundUp(ms), totalMs);
  const bestMs = survival.exceededBy(allowed / survival.good);
  const cutShare = currentMs === undefined ? 0 : survival.longerThan(currentMs);
  const figures = {
    attempts: answered.total + cut.total,
    medianMs: survival.exceededBy(0.5) ?? 0,
    answeredWithin: 1 - CUT_SHARE,
    confidence: CONFIDENCE,
    cutShare,
    lateAtLeast: survival.lateAtLeast,
    hungShare: survival.hung,
  };
  const advise = (proposed: number, because: string): Advice[] => [
    {
      kind: 'timeout',
      ...ofOperation(operation, 'timeout.attemptMs', proposed),
      current: currentMs,
      proposed,
      because,
      figures,
    },
  ];
  const isTooMany = (share: number) =>
    share * survival.good > 2 * CUT_SHARE * survival.good - allowed;
  if (bestMs === undefined) {
    const isSeen = currentMs !== undefined && currentMs <= survival.longestMs;
    const { lateAtLeast } = survival;
    if (!isSeen || !isTooMany(lateAtLeast) || currentMs >= totalMs) return [];
    return advise(
      withinTotal(currentMs * STEP),
      `At least ${percent(lateAtLeast)} of the attempts are cut that would have answered, so that it cannot be seen how long they take; with more time it will be`,
    );
  }
  const proposed = withinTotal(bestMs);
  const found = `${percent(1 - CUT_SHARE)} of the attempts that answer do so within ${inWords(bestMs)}`;
  if (currentMs === undefined) return advise(proposed, `No attempt is limited, and ${found}`);
  if (currentMs > proposed * LONG)
    return advise(proposed, `${found}, and what hangs is waited for ${inWords(currentMs)}`);
  if (isTooMany(cutShare) && currentMs < proposed)
    return advise(proposed, `${found}, and ${percent(cutShare)} of them are cut`);
  return [];
}
