/**
 * What the library costs, beside its peers: `npm run bench`.
 *
 * `--quick` takes less than a minute, and its figures are no more than a hint. `--only TEXT` measures
 * the sections whose title has this text. `--node 20,22,24,26` (or `all`) measures on these versions
 * of Node instead of the running one. `--json FILE` writes everything for machines. No figure fails
 * it: a slow machine is no fault.
 *
 * `goals.ts` has all goals, and `sections/` all rows of the report. `cases/` and `peers/` are the calls
 * that are timed, `experiments/` what is measured otherwise. `lab/` has the processes that measure:
 * each has one case, and nothing is timed in this one.
 */

import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { Lab } from './lab/lab.js';
import type { Effort } from './lab/timing.js';
import { install, runtime } from './packages.js';
import { machine, measureAll, type Run } from './report/results.js';
import { table, verdict } from './report/table.js';

const NODES = [20, 22, 24, 26];
const THOROUGH: Effort = { rounds: 5, batches: 24, batchMs: 10, warmUpMs: 300 };
const QUICK: Effort = { rounds: 1, batches: 3, batchMs: 10, warmUpMs: 150 };

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    json: { type: 'string' },
    node: { type: 'string' },
  },
});

install();
const { SECTIONS } = await import('./sections/sections.js'); // the peers are among the packages
const sections = SECTIONS.filter(({ title }) =>
  title.toLowerCase().includes(flags.only.toLowerCase()),
);
const effort = flags.quick ? QUICK : THOROUGH;
const runs: Run[] = [];
for (const major of majors()) {
  const lab = new Lab(runtime(major), effort, flags.quick);
  console.log(`\nNode ${lab.runtime.version}`);
  runs.push(await measureAll(lab, sections, (progress) => console.log(`  ${progress}`)));
}
const report = { machine: machine(), date: new Date().toISOString(), quick: flags.quick, runs };

console.log(`\n${report.machine}, ${report.date.slice(0, 10)}`);
for (const run of runs) console.log(`\nNode ${run.node}\n${table(run)}`);
console.log(
  `\nProcesses for each case, which do nothing else and take turns: ${effort.rounds}. Goals are for the minima,` +
    '\nwhich a busy host disturbs least. @nestjs/resilience is not here: it cannot be had from the registry.\n',
);
console.log(runs.map(verdict).join('\n'));
if (flags.quick) console.log('These rounds were quick: do not rely on the figures.');
if (flags.json !== undefined) await writeFile(flags.json, `${JSON.stringify(report, null, 2)}\n`);

function majors(): (number | undefined)[] {
  if (flags.node === undefined) return [undefined];
  return flags.node === 'all' ? NODES : flags.node.split(',').map(Number);
}
