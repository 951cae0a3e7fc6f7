import type { Subscription } from 'rxjs';
import type { OperationCollector } from '../admin/operation-collector.js';
import type { Sources } from '../admin/sources.js';
import type { Trends } from '../admin/trend.js';
import type { InstanceView, OperationDescription } from '../index.js';
import { AdviceWatch } from './advice-watch.js';
import { ErrorGroups } from './error-groups.js';
import { FleetWatch } from './fleet-watch.js';
import { type BreakerRow, type OperationRow, type StageRow, tableOf } from './frame.js';
import { Panels } from './panels.js';
import { Reconfigurations } from './reconfigurations.js';
import { Transitions } from './transitions.js';

/** What the dashboard knows: what the library is asked, and what has to be collected as it happens. */
export class DashboardState {
  private readonly subscriptions: Subscription[];
  private readonly errorGroups = new ErrorGroups();
  private readonly advice: AdviceWatch;
  private readonly history: Transitions;
  private readonly panels: Panels;
  private readonly reconfigurations = new Reconfigurations();
  private readonly fleet: FleetWatch | undefined;

  constructor(
    private readonly sources: Sources,
    private readonly collector: OperationCollector,
  ) {
    this.history = new Transitions((error) => sources.errors.describe(error));
    this.panels = new Panels(collector.totals);
    this.advice = new AdviceWatch(sources.advisor);
    const fleet = sources.resilience.fleet();
    this.fleet = fleet && new FleetWatch(fleet);
    for (const error of sources.errors.getRecentErrors().reverse()) this.errorGroups.add(error);
    this.subscriptions = [
      sources.errors.errors$.subscribe((error) => this.errorGroups.add(error)),
      sources.events.events$.subscribe((event) => {
        if (event.type === 'circuit-state') this.history.add(event);
        else if (event.type === 'circuit-rejected') this.history.rejected(event.breaker);
        else if (event.type === 'reconfigured') this.reconfigurations.add(event);
        else this.panels.add(event);
      }),
    ];
  }

  close(): void {
    for (const subscription of this.subscriptions) subscription.unsubscribe();
  }

  /** All operations that there are, called or not, and whatever else was called. */
  private operations(described: readonly OperationDescription[]): OperationRow[] {
    const stats = this.collector.read();
    const rows = described.map((description): OperationRow => {
      const { operation: name } = description;
      const own = stats.get(name) ?? { calls: 0, rate: 0, errorRate: 0, hiddenRate: 0, retries: 0 };
      stats.delete(name);
      return { name, ...labelsOf(description), ...own };
    });
    return [...rows, ...[...stats].map(([name, own]) => ({ name, ...own }))];
  }

  private breakers(views: readonly InstanceView[]): BreakerRow[] {
    const { breakers } = this.sources;
    return views.map((view): BreakerRow => {
      if (!breakers.has(view.name)) return togetherOf(view);
      const breaker = breakers.get(view.name);
      const { name, state, calls, failures, failureRate, openedAt, ...snapshot } =
        breaker.getSnapshot();
      const { windowMs, windowCalls, slowCallRateThreshold } = breaker.options;
      const row: BreakerRow = { name, state, calls, failures, failureRate };
      const { mode, wouldBe } = snapshot as Pick<BreakerRow, 'mode' | 'wouldBe'>;
      if (mode !== undefined) row.mode = mode;
      if (wouldBe !== undefined) row.wouldBe = wouldBe;
      if (view.oneOf !== undefined) row.oneOf = view.oneOf;
      if (slowCallRateThreshold !== undefined) row.slowCallRate = snapshot.slowCallRate;
      if (windowMs !== undefined) row.windowMs = windowMs;
      if (windowCalls !== undefined) row.windowCalls = windowCalls;
      if (openedAt !== undefined) row.openedAt = openedAt;
      this.showOutage(row);
      if (snapshot.retryAfterMs !== undefined)
        row.halfOpenInS = Math.ceil(snapshot.retryAfterMs / 1_000);
      return row;
    });
  }

  /** Rows with a name each, by where they are shown. */
  tables(): [table: string, rows: { name: string }[]][] {
    const { resilience } = this.sources;
    const described = resilience.describe();
    const stages = this.sources.resilience.instances().map(({ section, instances }) => {
      const rows = section === 'breakers' ? this.breakers(instances) : instances.map(rowOf);
      return [tableOf(section), rows] as [string, { name: string }[]];
    });
    const all: [string, { name: string }[]][] = [
      ['operations', this.operations(described)],
      ...stages,
      ...this.panels.tables(described, resilience.retryBudgets()),
    ];
    if (this.fleet !== undefined) all.push(['policies', this.fleet.read().rows]);
    return all;
  }

  /** What is sent as a whole. */
  lists(): [section: string, it: unknown][] {
    const all: [string, unknown][] = [
      ['errors', this.errorGroups.newestFirst()],
      ['transitions', this.history.newestFirst()],
      ['reconfigurations', this.reconfigurations.newestFirst()],
      ['chaos', this.sources.chaos.list()],
      ['advice', this.advice.read()],
    ];
    if (this.fleet !== undefined) all.push(['fleet', this.fleet.read().state]);
    return all;
  }

  /** What there is of slices that are over. @param after the number of one: only of those after it */
  trends(after?: number): Trends {
    return this.collector.trends(after);
  }

  /** What a breaker counts while it is open are its probes, which say nothing of what opened it. */
  private showOutage(row: BreakerRow): void {
    const outage = this.history.openingOf(row.name);
    if (outage?.opening !== undefined) row.opening = outage.opening;
    if (outage?.latest !== undefined) row.latest = outage.latest;
  }
}

function labelsOf({
  upstream,
  critical,
  ...description
}: OperationDescription): Partial<OperationRow> {
  const labels: Partial<OperationRow> = {};
  if (upstream !== undefined) labels.upstream = upstream;
  if (critical !== undefined) labels.critical = critical;
  const stages = Object.entries(description.stages as Record<string, { name?: string }>);
  const shared = stages.filter(
    ([, { name }]) => name !== undefined && name !== description.operation,
  );
  if (shared.length > 0)
    labels.shares = shared.map(([stage, { name }]) => `${inWords(stage)} ${name}`);
  return labels;
}

/** `circuitBreaker` as `circuit breaker`. */
function inWords(stage: string): string {
  return stage.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function rowOf({ name, oneOf, snapshot, health }: InstanceView): StageRow {
  const row: StageRow = { ...snapshot(), name, status: health().status };
  return oneOf === undefined ? row : { ...row, oneOf };
}

/** Of the breakers of all keys. */
function togetherOf({ name, snapshot }: InstanceView): BreakerRow {
  const { state, calls, failures, failureRate, keys, openKeys } = snapshot() as BreakerRow;
  return { name, state, calls, failures, failureRate, keys, openKeys } as BreakerRow;
}
