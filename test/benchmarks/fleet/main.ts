/**
 * What sharing brings and costs: `npm run bench:fleet`. It starts a Redis, a dependency and up to twenty
 * pods as processes of this machine, so it tells medians of rounds, and nothing else should run beside
 * it. `--rounds N` (6), `--only TEXT` measures the rows whose title has this text.
 */

import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { figureOf } from '../lab/figure.js';
import { Remote } from '../lab/remote.js';
import { machine } from '../report/results.js';
import { type Outage, outages } from './outage.js';
import { startRedis } from './redis.js';
import { newPodInOutage, oneSickPod } from './single-pods.js';

const PORT = 16_390;
const CLOSED_PATH = new URL('closed-path.js', import.meta.url).href;

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '6' },
    only: { type: 'string', default: '' },
  },
});

/** What it is, unshared, shared, what it has to be. */
type Row = readonly [title: string, unshared: string, shared: string, goal: string];

const SECTIONS: Record<string, () => Promise<Row[]>> = {
  'closed path': closedPath,
  outage: theOutage,
  'one sick pod of five': sickPod,
  'a new pod': newPod,
};

const redis = await startRedis(PORT);
const table = new Table({
  head: ['', 'unshared', 'shared', 'goal'],
  style: { head: [], border: [], compact: true },
});
for (const [title, measure] of Object.entries(SECTIONS)) {
  if (!title.includes(flags.only)) continue;
  console.log(`  ${title}`);
  table.push(...(await measure()).map((row) => [...row]));
}
await redis.stop();
console.log(`\n${machine()}, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}`);
console.log(table.toString());

async function closedPath(): Promise<Row[]> {
  const remote = await Remote.start<typeof import('./closed-path.js')>(
    CLOSED_PATH,
    process.execPath,
    [],
  );
  const { unshared, shared, scripts, calls } = await remote.call('measure', PORT);
  await remote.stop();
  return [
    [
      'a call through a closed breaker, minima',
      `${unshared.toFixed(0)} ns`,
      `${shared.toFixed(0)} ns, ${(shared / unshared).toFixed(3)} ×`,
      '≤ 1.02 ×',
    ],
    ['  scripts that Redis ran for so many calls', '', `${scripts} for ${calls}`, '0 a call'],
  ];
}

async function theOutage(): Promise<Row[]> {
  const rounds = Number(flags.rounds);
  const unshared = await outages(undefined, rounds);
  const shared = await outages(PORT, rounds);
  const reached = (all: Outage[]) => median(all.map((each) => each.reached));
  const ratio = (reached(shared) / reached(unshared)).toFixed(2);
  const probes = (all: Outage[]) => all.flatMap((each) => each.probes);
  const times = (all: Outage[], key: 'opened' | 'told' | 'closed') => {
    const values = all.flatMap((each) => each[key]);
    return values.length === 0 ? '' : `${quantile(values, 0.5)} / ${quantile(values, 0.99)} ms`;
  };
  return [
    [
      '20 pods, 50 calls/s each: calls that reach the dead dependency',
      String(reached(unshared)),
      `${reached(shared)}, ${ratio} ×`,
      '≤ 0.6 ×',
    ],
    [
      '  probes in a half-open time, median and most',
      `${median(probes(unshared))}, ${Math.max(...probes(unshared))}`,
      `${median(probes(shared))}, ${Math.max(...probes(shared))}`,
      '≤ 2 (+ 1)',
    ],
    ['  first opening → others, p50 / p99', times(unshared, 'opened'), times(shared, 'opened'), ''],
    ['  quorum reached → others open, p50 / p99', '', times(shared, 'told'), '≤ 20 / 100 ms'],
    [
      '  closed → others closed, p50 / p99',
      times(unshared, 'closed'),
      times(shared, 'closed'),
      '≤ 20 / 100 ms',
    ],
  ];
}

async function sickPod(): Promise<Row[]> {
  const share = async (port: number | undefined, quorum?: number) =>
    `${((await oneSickPod(port, quorum)) * 100).toFixed(1)} %`;
  const title = "one sick pod of five: of the healthy pods' calls rejected";
  return [
    [title, await share(undefined), await share(PORT), '0 %'],
    ['  with a quorum of 1', '', await share(PORT, 1), ''],
  ];
}

async function newPod(): Promise<Row[]> {
  const unshared = String(await newPodInOutage(undefined));
  const shared = String(await newPodInOutage(PORT));
  return [
    ['a new pod during the outage: its calls that reach the dependency', unshared, shared, '0'],
  ];
}

function median(values: readonly number[]): number {
  return figureOf(values, '').median;
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
