import type { Advice } from './advice.js';
import { inWords, toThree } from './figures.js';
import { ofPolicy } from './placed.js';
import { STEP_MS, STEPS } from './slice.js';
import { type Summary, sum } from './summary.js';

/** So many of the calls in the busiest time may find no slot. */
const BLOCKED_SHARE = 0.001;
/** Fewer runs say too little. */
const MINIMUM_RUNS = 1_000;
/** A minute is as many steps. */
const MINUTE = 6;
/** A load is believed that is at least so many standard deviations below the one that was seen. */
const DEVIATIONS = 3;
/** More slots than so many times the best are too many to protect anything. */
const MANY = 3;
const SOME = 10;

/** How many calls would be running at a time, if all found a slot, and how much of that is chance. */
interface Offered {
  readonly calls: number;
  readonly perSecond: number;
  readonly heldMs: number;
}

/**
 * The best bulkhead has the fewest slots with which no more than one call in a thousand finds none in the
 * busiest time. By Little's law (1961) L = λ · W calls run at a time that come at rate λ and hold a slot for W.
 * How far they go beyond that by chance is what Erlang's loss formula tells (1917): with c slots a share
 * B(c, L) of the calls finds none, whatever the distribution of W, where calls come as a Poisson process;
 * B(0, L) = 1, B(c, L) = L · B(c−1, L) / (c + L · B(c−1, L)).
 *
 * The busiest time is the busiest minute, or the busiest ten seconds where these were busier by more than
 * chance (three standard deviations of a sum of exponentially distributed times). W leaves out what calls waited for a slot, and λ takes in those that were
 * rejected, so that a bulkhead that is too small does not hide how many slots it lacks. It takes a thousand runs.
 *
 * @param sharers all operations that go through it
 */
export function adviseBulkhead(sharers: readonly Summary[]): Advice[] {
  const [{ stages }] = sharers as [Summary];
  const { bulkhead } = stages;
  if (bulkhead === undefined) return [];
  const { maxConcurrent, adaptive, shared, key } = bulkhead.options as typeof bulkhead.options & {
    key?: unknown;
  };
  if (adaptive || shared || key !== undefined || maxConcurrent === undefined) return [];
  const steps = stepsOf(sharers);
  if (sum(steps.map(({ runs }) => runs)) < MINIMUM_RUNS) return [];
  const load = busiest(steps);
  const proposed = slotsFor(load.calls);
  const isTooSmall = proposed > maxConcurrent;
  const isTooLarge = maxConcurrent > MANY * proposed && maxConcurrent - proposed > SOME;
  if (!isTooSmall && !isTooLarge) return [];
  const rejected = sum(steps.map((step) => step.rejected));
  const where = { stage: 'bulkhead', section: 'bulkheads' };
  const because = `In the busiest time ${toThree(load.perSecond)} calls a second held a slot for ${inWords(load.heldMs)} each, which are ${toThree(load.calls)} at a time; ${proposed} slots are enough for 999 of 1000 of them${isTooSmall ? '' : `, and ${maxConcurrent} would let that many more hang`}`;
  return [
    {
      kind: 'bulkhead',
      ...ofPolicy(bulkhead.name, sharers, where, { maxConcurrent: proposed }),
      current: maxConcurrent,
      proposed,
      because,
      figures: {
        arrivalsPerSecond: load.perSecond,
        heldMs: load.heldMs,
        concurrent: load.calls,
        blockedShare: BLOCKED_SHARE,
        rejected,
        operations: sharers.length,
      },
    },
  ];
}

/** The fewest slots with which no more than the allowed share of calls finds none. */
export function slotsFor(load: number): number {
  let blocked = 1;
  let slots = 0;
  while (blocked > BLOCKED_SHARE) {
    slots++;
    blocked = (load * blocked) / (slots + load * blocked);
  }
  return Math.max(1, slots);
}

interface OfferedStep {
  runs: number;
  rejected: number;
  /** In ms: what all that came would have held. */
  offeredMs: number;
}

/** What came in each step of the hour, of all operations together. */
function stepsOf(sharers: readonly Summary[]): OfferedStep[] {
  const byNumber = new Map<number, OfferedStep>();
  for (const { slices } of sharers) {
    for (const slice of slices) {
      for (let step = 0; step < STEPS; step++) {
        const { runs, heldMs, rejected } = slice.load(step);
        if (runs === 0) continue;
        const number = slice.number * STEPS + step;
        const known = byNumber.get(number) ?? { runs: 0, rejected: 0, offeredMs: 0 };
        known.runs += runs;
        known.rejected += rejected;
        known.offeredMs += (heldMs / runs) * (runs + rejected);
        byNumber.set(number, known);
      }
    }
  }
  const numbers = [...byNumber.keys()];
  const first = Math.min(...numbers);
  const empty: OfferedStep = { runs: 0, rejected: 0, offeredMs: 0 };
  return Array.from(
    { length: numbers.length === 0 ? 0 : Math.max(...numbers) - first + 1 },
    (_, index) => byNumber.get(first + index) ?? empty,
  );
}

function busiest(steps: readonly OfferedStep[]): Offered {
  const candidates = [
    ...steps.map((step) => offered([step], DEVIATIONS)),
    ...steps
      .slice(Math.min(MINUTE, steps.length) - 1)
      .map((_, index) => offered(steps.slice(index, index + MINUTE), 0)),
  ];
  return candidates.reduce((most, each) => (each.calls > most.calls ? each : most));
}

function offered(steps: readonly OfferedStep[], deviations: number): Offered {
  const arrivals = sum(steps.map((step) => step.runs + step.rejected));
  const heldMs = sum(steps.map((step) => step.offeredMs)) / Math.max(1, arrivals);
  const believed = Math.max(0, arrivals - deviations * Math.sqrt(2 * arrivals));
  const perSecond = (believed * 1_000) / (steps.length * STEP_MS);
  return { perSecond, heldMs, calls: (perSecond * heldMs) / 1_000 };
}
