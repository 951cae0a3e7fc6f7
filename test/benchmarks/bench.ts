/**
 * What the library costs, beside its peers: `npm run bench`.
 *
 * `--quick` takes less than a minute, and its figures are no more than a hint. `--node 20,22,24,26` (or
 * `all`) measures on these versions of Node instead of the running one. `--json FILE` writes
 * everything for machines. No figure fails it: a slow machine is no fault.
 *
 * `goals.ts` has all goals and `sections.ts` all that is measured: `cases/` are calls that are timed
 * beside those of `peers/`, `experiments/` are what is more than that. `lab/` has the processes that
 * measure: nothing is timed in this one.
 */

import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { Lab } from './lab/lab.js';
import type { Effort } from './lab/timing.js';
import { install, runtime } from './packages.js';
import { machine, measureAll, type Run } from './report/results.js';
import { table, verdict } from './report/table.js';

const NODES = [20, 22, 24, 26];
const THOROUGH: Effort = { rounds: 15, batchMs: 50, warmUpMs: 400 };
const QUICK: Effort = { rounds: 3, batchMs: 10, warmUpMs: 150 };

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    node: { type: 'string' },
  },
});

install();
const { SECTIONS } = await import('./sections.js'); // the peers are among the packages
const effort = flags.quick ? QUICK : THOROUGH;
const runs: Run[] = [];
for (const major of majors()) {
  const lab = new Lab(runtime(major), effort, flags.quick);
  console.log(`\nNode ${lab.runtime.version}`);
  runs.push(await measureAll(lab, SECTIONS, (title) => console.log(`  ${title}`)));
}
const report = { machine: machine(), date: new Date().toISOString(), quick: flags.quick, runs };

console.log(`\n${report.machine}, ${report.date.slice(0, 10)}`);
for (const run of runs) console.log(`\nNode ${run.node}\n${table(run)}`);
console.log(
  `\nMedians of ${effort.rounds} rounds of interleaved batches. The plain calls are timed in a process that` +
    '\nnever loads the library, its peers in one in which it has been at work. @nestjs/resilience is not' +
    '\nhere: it cannot be had from the registry.\n',
);
console.log(runs.map(verdict).join('\n'));
if (flags.quick) console.log('These rounds were quick: do not rely on the figures.');
if (flags.json !== undefined) await writeFile(flags.json, `${JSON.stringify(report, null, 2)}\n`);

function majors(): (number | undefined)[] {
  if (flags.node === undefined) return [undefined];
  return flags.node === 'all' ? NODES : flags.node.split(',').map(Number);
}
