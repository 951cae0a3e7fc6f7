import { MAX_TIMER_MS } from '../common/clock.js';
import type { Advice } from './advice.js';
import { shareBetween } from './binomial.js';
import { inWords, percent, roundUp } from './figures.js';
import { ofOperation } from './placed.js';
import type { Summary } from './summary.js';
import { Survival } from './survival.js';

/** Fewer calls say too little. */
const MINIMUM_CALLS = 50;
/** So many of the calls surely ran out of time. */
const SHORT_SHARE = 0.05;

/**
 * A total time is too short that surely cuts more than one call in twenty, and that a call with all its attempts and the
 * shortest waits between them cannot keep, where each takes as long as it may, or, without a timeout, as the
 * slowest of 20 that answer. So long it should be.
 */
export function adviseTotalTimeout(summary: Summary): Advice[] {
  const { operation, stages, calls, totalTimeouts } = summary;
  const { totalTimeout, retry, timeout } = stages;
  if (totalTimeout === undefined || !isOften(totalTimeouts, calls)) return [];
  const { delayMs: totalMs } = totalTimeout;
  const survival = new Survival(summary.answered, summary.cut);
  const attemptMs = timeout?.delayMs ?? survival.exceededBy(0.05);
  if (attemptMs === undefined) return [];
  const attempts = retry?.options.maxAttempts ?? 1;
  let neededMs = attempts * attemptMs;
  for (let number = 1; number < attempts; number++) neededMs += retry?.shortestDelayMs(number) ?? 0;
  const proposed = Math.min(roundUp(neededMs), MAX_TIMER_MS);
  if (proposed <= totalMs) return [];
  return [
    {
      kind: 'total-timeout',
      ...ofOperation(operation, 'timeout.totalMs', proposed),
      current: totalMs,
      proposed,
      because: `${percent(totalTimeouts / calls)} of the calls ran out of their ${inWords(totalMs)}, in which ${attempts === 1 ? 'an attempt does' : `${attempts} attempts do`} not fit that take ${inWords(attemptMs)}${attempts === 1 ? '' : ' each'}`,
      figures: { calls, totalTimeouts, attempts, attemptMs },
    },
  ];
}

/**
 * A caller's deadline can hardly be met where more than one call in twenty surely runs out of it, and it leaves
 * less time on average than half of the attempts take that answer. That is for the caller to change, so nothing is proposed.
 */
export function adviseDeadline({
  calls,
  callerTimeouts,
  callerLeftMs,
  answered,
  cut,
}: Summary): Advice[] {
  if (!isOften(callerTimeouts, calls)) return [];
  const leftMs = callerLeftMs / callerTimeouts;
  const medianMs = new Survival(answered, cut).exceededBy(0.5);
  if (medianMs !== undefined && medianMs <= leftMs) return [];
  return [
    {
      kind: 'deadline',
      option: 'deadline of the caller',
      current: Math.round(leftMs),
      proposed: undefined,
      because: `${percent(callerTimeouts / calls)} of the calls ran out of the time that their caller had left, ${inWords(leftMs)} on average; half of the attempts take longer: give the caller more time, or do not call at all`,
      figures: { calls, callerTimeouts, leftMs, ...(medianMs !== undefined && { medianMs }) },
      overrides: {},
    },
  ];
}

function isOften(count: number, calls: number): boolean {
  return calls >= MINIMUM_CALLS && shareBetween(count, calls)[0] > SHORT_SHARE;
}
