import type { Advice, ResilienceAdvisor } from '../index.js';
import type { AdviceRow } from './frame.js';

/** What was found is shown for so long, in ms. */
const FRESH_MS = 5_000;

/** What the advisor says, while somebody watches: asked every few seconds, since it takes a while. */
export class AdviceWatch {
  private rows: AdviceRow[] = [];
  private readAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly advisor: Pick<ResilienceAdvisor, 'report'>) {}

  read(at = performance.now()): AdviceRow[] {
    if (at - this.readAt < FRESH_MS) return this.rows;
    this.readAt = at;
    this.rows = this.advisor
      .report()
      .operations.flatMap(({ operation, advice }) => advice.map((each) => rowOf(operation, each)));
    return this.rows;
  }
}

function rowOf(operation: string, advice: Advice): AdviceRow {
  const { option, current, proposed, because, overrides } = advice;
  return {
    name: `${operation} ${option}`,
    operation,
    option,
    current,
    proposed,
    because,
    overrides,
  };
}
