import { styleText } from 'node:util';
import Table from 'cli-table3';
import { back, GOALS, percent, type Results } from './goals.js';
import { capacity, type Scenario } from './scenario.js';
import type { Result } from './simulation.js';

type Column = [head: string, cell: (result: Result) => string];

const COLUMNS: readonly Column[] = [
  ['', ({ strategy }) => strategy.title],
  ['leaf calls,\nmost in 10 s', ({ measures }) => `${measures.amplification.toFixed(2)} ×`],
  ['served in\nthe storm', ({ measures }) => percent(measures.servedInStorm)],
  ['critical\nserved', ({ measures }) => percent(measures.criticalInStorm)],
  ['other tenants\nserved', ({ measures }) => percent(measures.wellInStorm)],
  ['goodput, of\nthe capacity', ({ measures }) => percent(measures.goodputInStorm)],
  ['back at 95 %\nafter', back],
  ['work begun\nin vain', ({ measures }) => percent(measures.begunUnwanted)],
  ['answered\n429', ({ measures }) => percent(measures.overQuota)],
  ['work ended\nin vain', ({ measures }) => percent(measures.endedUnwanted)],
];

/** A scenario, and how each strategy fared in it. */
export function table(scenario: Scenario, results: readonly Result[]): string {
  const grid = new Table({
    head: COLUMNS.map(([head]) => head),
    colAligns: COLUMNS.map((_, at) => (at === 0 ? 'left' : 'right')),
    style: { head: [], border: [], compact: true },
  });
  for (const result of results) grid.push(COLUMNS.map(([, cell]) => cell(result)));
  return `${paint('bold', scenario.title)}\n${world(scenario)}\n${grid}`;
}

/** Which goals hold, and which do not. */
export function verdicts(results: Results): string {
  const lines = GOALS.flatMap(({ title, scenario, strategies, judge }) => {
    const found = strategies.map((strategy) => results.get(scenario)?.get(strategy));
    if (!found.every((result) => result !== undefined)) return [];
    const verdict = judge(...found);
    const mark = verdict.holds ? paint('green', 'holds   ') : paint('red', 'DOES NOT');
    return [`${mark}  ${scenario.padEnd(9)}  ${title}: ${verdict.found}`];
  });
  return lines.join('\n');
}

function world(scenario: Scenario): string {
  const { tiers, leaf, quota } = scenario;
  const processes = tiers.map((tier) => `${tier.processes} processes`).join(' → ');
  return `${processes} → a leaf of ${leaf.servers} servers, ${leaf.meanMs} ms each: ${quota === undefined ? '' : 'it allows '}${capacity(scenario)} a second`;
}

function paint(style: Parameters<typeof styleText>[0], text: string): string {
  return process.stdout.isTTY && !process.env.NO_COLOR ? styleText(style, text) : text;
}
