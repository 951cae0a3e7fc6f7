import { milliseconds, problem, type Result, type Row } from '../report.js';
import { paint } from '../terminal.js';
import { FLEET_SCRIPT, type FleetPhase } from './fleet-script.js';
import type { Outage } from './outage-book.js';

export interface FleetResult extends Result {
  readonly outages: readonly Outage[];
}

export const FLEET_ROWS: readonly Row<FleetResult>[] = [
  ...FLEET_SCRIPT.filter(paymentsDown).flatMap(rowsOf),
  ['orders accepted', ({ audit }) => audit.accepted],
  ['  charged exactly once', ({ audit }) => audit.chargedOnce],
  ['  queued, and charged later', ({ audit }) => audit.queued],
  ['orders lost', ({ shop }) => problem(shop.tally.failures('order').length)],
];

function rowsOf(phase: FleetPhase, nth: number): Row<FleetResult>[] {
  const rows: Row<FleetResult>[] = [
    [phase.title, () => ''],
    ['  calls that reached payments', ({ outages }) => outages[nth]?.calls ?? 0],
    ['  probes among them', ({ outages }) => outages[nth]?.probes ?? 0],
  ];
  const before = FLEET_SCRIPT[FLEET_SCRIPT.indexOf(phase) - 1];
  if (before === undefined || !paymentsDown(before))
    rows.push(['  from the first opening to the last', ({ outages }) => opened(outages[nth])]);
  return rows;
}

function paymentsDown({ faults }: FleetPhase): boolean {
  return faults.payments !== undefined;
}

function opened(outage: Outage | undefined): string {
  const within = outage?.openedWithinMs;
  return within === undefined ? paint('red', 'not all') : milliseconds(within);
}
