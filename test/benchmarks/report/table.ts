import Table from 'cli-table3';
import type { Goal } from '../goals.js';
import type { Result, Run } from './results.js';

const COLUMNS = ['', 'ns', 'bytes', 'measured', 'goal', ''];

/** Everything on one Node, a section after the other. */
export function table(run: Run): string {
  const grid = new Table({
    head: COLUMNS,
    colAligns: ['left', 'right', 'right', 'left', 'right', 'left'],
    style: { head: [], border: [], compact: true },
  });
  for (const { title, rows } of run.sections) {
    grid.push([{ content: title, colSpan: COLUMNS.length }]);
    for (const row of rows) grid.push(cells(row));
  }
  return grid.toString();
}

/** Which goals hold, and which do not. */
export function verdict(run: Run): string {
  const judged = run.sections.flatMap(({ title, rows }) =>
    rows.filter((row) => row.holds !== undefined).map((row) => ({ title, row })),
  );
  const missed = judged.filter(({ row }) => !row.holds);
  const lines = missed.map(
    ({ title, row }) =>
      `  ${title}: ${row.name.trim()}: ${measured(row)} (goal ${bound(row.goal)})`,
  );
  const kept = judged.length - missed.length;
  return [`Node ${run.node}: ${kept} of ${judged.length} goals hold.`, ...lines].join('\n');
}

function cells(row: Result): string[] {
  return [
    `  ${row.name}`,
    row.ns === undefined ? '' : count(row.ns),
    row.bytes === undefined ? '' : count(row.bytes),
    measured(row),
    bound(row.goal),
    row.holds === undefined ? '' : row.holds ? 'holds' : 'does not hold',
  ];
}

function measured({ value, unit = '' }: Result): string {
  return value === undefined ? '' : `${figure(value)} ${unit}`;
}

function bound(goal?: Goal): string {
  if (goal === undefined) return '';
  return goal.atMost === undefined ? `≥ ${goal.atLeast}` : `≤ ${goal.atMost}`;
}

function figure(value: number): string {
  return Math.abs(value) < 10 ? value.toFixed(2) : count(value);
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en');
}
