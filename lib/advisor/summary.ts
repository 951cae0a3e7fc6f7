import { LatencySketch } from '../common/latency-sketch.js';
import type { Slice } from './slice.js';

/** The numbers of a slice that add up. */
const COUNTS = [
  'runs',
  'runMs',
  'waitedMs',
  'timedOut',
  'rejectedByBulkhead',
  'calls',
  'failedCalls',
  'totalTimeouts',
  'callerTimeouts',
  'savedAfterMs',
  'suppressedByBudget',
  'fallbacksUsed',
  'fallbacksFailed',
] as const;

/** What the calls of an operation came to in the last hour. */
export interface Summary extends Readonly<Record<(typeof COUNTS)[number], number>> {
  readonly slices: readonly Slice[];
  /** Attempts that reached the bulkhead, or what is called. */
  readonly attempts: number;
  readonly answered: LatencySketch;
  readonly cut: LatencySketch;
  /** By the number of the attempt: how many there were, and how many of them were the call's answer. */
  readonly tries: readonly number[];
  readonly saved: readonly number[];
}

export function summaryOf(slices: readonly Slice[]): Summary {
  const answered = new LatencySketch();
  const cut = new LatencySketch();
  for (const slice of slices) {
    answered.add(slice.answered);
    if (slice.cut !== undefined) cut.add(slice.cut);
  }
  const counts = Object.fromEntries(
    COUNTS.map((name) => [name, sum(slices.map((slice) => slice[name]))]),
  ) as Record<(typeof COUNTS)[number], number>;
  return {
    ...counts,
    slices,
    attempts: sum(slices.map(({ arrivals }) => sum(arrivals))),
    answered,
    cut,
    tries: sumOfEach(slices.map(({ tries }) => tries)),
    saved: sumOfEach(slices.map(({ saved }) => saved)),
  };
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

function sumOfEach(lists: readonly (readonly number[])[]): number[] {
  return (lists[0] ?? []).map((_, place) => sum(lists.map((list) => list[place] ?? 0)));
}
