import type { MetricTotals } from '../admin/metric-totals.js';
import type { OperationDescription, ResilienceEvent, RetryBudgetSnapshot } from '../index.js';

/** Rows of what is no instance of a stage; a panel without rows is not shown. */
export type PanelRow = { name: string } & Record<string, unknown>;

/** So many operations are remembered that were answered by their last success. */
const MAX_OPERATIONS = 1_000;

/** What the page shows beside operations and instances. */
export class Panels {
  private readonly lastGood = new Map<string, { answers: number; ageMs: number }>();

  constructor(private readonly totals: MetricTotals) {}

  /** Something has happened. */
  add(event: ResilienceEvent): void {
    if (event.type !== 'fallback' || event.ageMs === undefined) return;
    const { operation, ageMs } = event;
    const known = this.lastGood.get(operation);
    if (known === undefined && this.lastGood.size >= MAX_OPERATIONS) return;
    this.lastGood.set(operation, { answers: (known?.answers ?? 0) + 1, ageMs });
  }

  tables(
    operations: readonly OperationDescription[],
    budgets: readonly RetryBudgetSnapshot[],
  ): [panel: string, rows: PanelRow[]][] {
    return [
      ['panel:retryBudgets', budgets.map((budget) => ({ ...budget }))],
      ['panel:helped', this.helped(operations)],
      ['panel:shedding', this.shedding()],
      ['panel:shadow', this.shadow()],
    ];
  }

  /** Operations that hedge, share executions, or keep their last successes. */
  private helped(operations: readonly OperationDescription[]): PanelRow[] {
    const hedges = this.totals.sums('hedge.attempt', 'operation');
    const won = this.totals.sums('hedge.won', 'operation');
    const joined = this.totals.sums('coalesce.joined', 'operation');
    return operations.flatMap(({ operation: name, stages }) => {
      const { hedge, coalesce, fallback } = stages;
      const row: PanelRow = { name };
      if (hedge !== undefined) {
        row.hedges = hedges.get(name) ?? 0;
        row.won = won.get(name) ?? 0;
      }
      if (coalesce !== undefined) row.joined = joined.get(name) ?? 0;
      if (fallback?.lastGood !== undefined) {
        const { answers, ageMs } = this.lastGood.get(name) ?? { answers: 0 };
        row.lastGood = answers;
        if (ageMs !== undefined) row.ageMs = ageMs;
      }
      return Object.keys(row).length > 1 ? [row] : [];
    });
  }

  private shedding(): PanelRow[] {
    const [inFlight] = this.totals.of('shedding.in_flight');
    if (inFlight === undefined) return [];
    const [limit] = this.totals.of('shedding.limit');
    const [delay] = this.totals.of('shedding.event_loop_delay');
    const rejected = Object.fromEntries(this.totals.sums('shedding.rejected', 'criticality'));
    return [
      {
        name: 'server',
        inFlight: inFlight.value,
        limit: limit?.value ?? 0,
        eventLoopDelayMs: delay?.value ?? 0,
        rejected,
      },
    ];
  }

  /** What policies in shadow mode would have done. */
  private shadow(): PanelRow[] {
    const rows = new Map<string, PanelRow>();
    const add = (stage: string, title: string, did: string, value: number) => {
      const name = `${stage}/${title}`;
      const row = rows.get(name) ?? { name, stage, title, reject: 0, timeOut: 0, open: 0 };
      row[did] = (row[did] as number) + value;
      rows.set(name, row);
    };
    for (const { tags, value } of this.totals.of('shadow.rejected'))
      add(String(tags.stage), String(tags.name), 'reject', value);
    for (const { tags, value } of this.totals.of('shadow.timeout'))
      add('timeout', String(tags.operation), 'timeOut', value);
    for (const { tags, value } of this.totals.of('shadow.opened'))
      add('circuitBreaker', String(tags.breaker), 'open', value);
    return [...rows.values()];
  }
}
