import { LatencySketch } from '../common/latency-sketch.js';
import type { Stages } from '../pipeline/stages.js';
import type { Slice } from './slice.js';

/** The numbers of a slice that add up. */
const COUNTS = [
  'answeredByError',
  'failedCalls',
  'totalTimeouts',
  'callerTimeouts',
  'callerLeftMs',
  'savedAfterMs',
  'suppressedByBudget',
  'fallbacksUsed',
  'fallbacksFailed',
] as const;

type Counts = Readonly<Record<(typeof COUNTS)[number], number>>;

/** An operation, and what its calls came to in the last hour. */
export interface Summary extends Counts {
  readonly operation: string;
  readonly stages: Stages;
  /** That have ended. */
  readonly calls: number;
  readonly slices: readonly Slice[];
  readonly answered: LatencySketch;
  readonly cut: LatencySketch;
  /** By the number of the attempt: how many there were, and how many of them were the call's answer. */
  readonly tries: readonly number[];
  readonly saved: readonly number[];
}

export function summaryOf(operation: string, stages: Stages, slices: readonly Slice[]): Summary {
  const answered = new LatencySketch();
  const cut = new LatencySketch();
  for (const slice of slices) {
    answered.add(slice.answered);
    if (slice.cut !== undefined) cut.add(slice.cut);
  }
  const counts = Object.fromEntries(
    COUNTS.map((name) => [name, sum(slices.map((slice) => slice[name]))]),
  ) as Counts;
  return {
    ...counts,
    operation,
    stages,
    calls: answered.total + counts.answeredByError + counts.failedCalls,
    slices,
    answered,
    cut,
    tries: sumOfEach(slices.map(({ tries }) => tries)),
    saved: sumOfEach(slices.map(({ saved }) => saved)),
  };
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function sumOfEach(lists: readonly (readonly number[])[]): number[] {
  return (lists[0] ?? []).map((_, place) => sum(lists.map((list) => list[place] ?? 0)));
}
