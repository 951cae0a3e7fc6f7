import Table from 'cli-table3';
import type { Goal } from '../goals.js';
import type { Figure } from '../lab/figure.js';
import { describeHost, type Result, type Run } from './results.js';

const COLUMNS = ['', 'minimum', 'median', 'compared, by minima', 'by medians', 'goal', ''];

/** Everything on one Node, a section after the other. */
export function table(run: Run): string {
  const grid = new Table({
    head: COLUMNS,
    colAligns: ['left', 'right', 'right', 'left', 'right', 'right', 'left'],
    style: { head: [], border: [], compact: true },
  });
  for (const { title, rows } of run.sections) {
    grid.push([{ content: title, colSpan: COLUMNS.length }]);
    for (const row of rows) grid.push(cells(row));
  }
  return grid.toString();
}

/** Which goals hold, which do not, and how fast the host was. */
export function verdict(run: Run): string {
  const judged = run.sections.flatMap(({ title, rows }) =>
    rows.filter((row) => row.holds !== undefined).map((row) => ({ title, row })),
  );
  const missed = judged.filter(({ row }) => !row.holds);
  const lines = missed.map(
    ({ title, row }) =>
      `  ${title}: ${row.name.trim()}: ${full(row.compared ?? row.takes)} (goal ${bound(row.goal)})`,
  );
  const kept = judged.length - missed.length;
  const host = run.host === undefined ? '' : `; ${describeHost(run.host)}`;
  return [`Node ${run.node}: ${kept} of ${judged.length} goals hold${host}.`, ...lines].join('\n');
}

function cells({ name, takes, compared, goal, holds, isDoubtful = false }: Result): string[] {
  const opinion = holds === undefined ? '' : holds ? 'holds' : 'does not hold';
  return [
    `  ${name}`,
    full(takes),
    takes === undefined ? '' : short(takes.median),
    full(compared),
    compared === undefined ? '' : short(compared.median),
    bound(goal),
    isDoubtful ? `${opinion} (slow host)`.trim() : opinion,
  ];
}

function full(figure?: Figure): string {
  return figure === undefined ? '' : `${short(figure.minimum)} ${figure.unit}`;
}

function bound(goal?: Goal): string {
  if (goal === undefined) return '';
  return goal.atMost === undefined ? `≥ ${goal.atLeast}` : `≤ ${goal.atMost}`;
}

function short(value: number): string {
  return Math.abs(value) < 10 ? value.toFixed(2) : Math.round(value).toLocaleString('en');
}
