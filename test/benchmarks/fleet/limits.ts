/**
 * What shared limits cost and hold: `npm run bench:limits`. It starts a Redis and pods as processes of this
 * machine, so nothing else should run beside it. `--pods N` (5), `--seconds N` (10).
 */
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { Redis } from 'ioredis';
import { Remote } from '../lab/remote.js';
import { install } from '../packages.js';
import { machine } from '../report/results.js';
import type { Limiter, LimitReport } from './limit-pod.js';
import { startRedis } from './redis.js';

type Pod = Remote<typeof import('./limit-pod.js')>;

const PORT = 16_391;
const POD = new URL('limit-pod.js', import.meta.url).href;
/** Of each pod, in a second. */
const CALLS = 100;

const { values: flags } = parseArgs({
  options: {
    pods: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '10' },
  },
});
const count = Number(flags.pods);
const seconds = Number(flags.seconds);

install();
const redis = await startRedis(PORT);
const client = new Redis(PORT);
const table = new Table({
  head: ['', 'asked for / s', 'let in / s', 'commands a call', 'worst second, or peak', 'at most'],
  style: { head: [], border: [], compact: true },
});
for (const demand of [0.8, 1.5]) {
  const limit = Math.round((CALLS * count) / demand);
  for (const limiter of ['leased', 'call by call', 'rate-limiter-flexible'] as const)
    await measureRate(limiter, demand, limit);
}
await measureBulkhead();
client.disconnect();
await redis.stop();
console.log(`\n${machine()}, Node ${process.version}, ${count} pods`);
console.log(table.toString());

async function measureRate(limiter: Limiter, demand: number, limit: number): Promise<void> {
  const burst = Math.round(limit / 10);
  const { reports, commands } = await measure(
    limiter,
    { limit, intervalMs: 1_000, burst },
    20,
    CALLS,
  );
  const began = reports.flatMap((each) => each.began).sort((one, other) => one - other);
  const title = `${limiter}, ${demand * 100} % of ${limit} / s`;
  addRow(title, reports, began.length, commands, worstSecond(began), limit + burst);
}

/** With one and a half times as many calls as the slots can take. */
async function measureBulkhead(): Promise<void> {
  const maxConcurrent = 4 * count;
  const rate = { limit: 1, intervalMs: 1_000, burst: 1 };
  const perSecond = (1.5 * maxConcurrent * 20) / count;
  const { before, reports, commands } = await measure('bulkhead', rate, maxConcurrent, perSecond);
  const began = [...before, ...reports].flatMap((each) => each.began);
  const allEnded = [...before, ...reports].flatMap((each) => each.ended);
  const ended = reports.flatMap((each) => each.ended);
  const title = `bulkhead of ${maxConcurrent}, 150 %, ${maxConcurrent * 20} / s at best`;
  addRow(title, reports, ended.length, commands, peak(began, allEnded), maxConcurrent);
}

async function measure(
  limiter: Limiter,
  rate: { limit: number; intervalMs: number; burst: number },
  maxConcurrent: number,
  perSecond: number,
): Promise<{ before: LimitReport[]; reports: LimitReport[]; commands: number }> {
  const namespace = `limits-${process.pid}-${limiter}-${rate.limit}`.replaceAll(' ', '-');
  const pods: Pod[] = [];
  for (let number = 0; number < count; number++) {
    const pod: Pod = await Remote.start<typeof import('./limit-pod.js')>(POD, process.execPath, []);
    await pod.call('start', { limiter, redis: PORT, namespace, rate, maxConcurrent });
    pods.push(pod);
  }
  for (const pod of pods) await pod.call('call', perSecond);
  await pause(2_000);
  const ran = await scripts();
  const before = await Promise.all(pods.map((pod) => pod.call('takeReport')));
  await pause(seconds * 1_000);
  const reports = await Promise.all(pods.map((pod) => pod.call('takeReport')));
  const commands = (await scripts()) - ran;
  await Promise.all(pods.map((pod) => pod.call('stop')));
  await Promise.all(pods.map((pod) => pod.stop()));
  return { before, reports, commands };
}

function addRow(
  title: string,
  reports: readonly LimitReport[],
  done: number,
  commands: number,
  most: number,
  bound: number,
): void {
  const offered = reports.reduce((sum, each) => sum + each.offered, 0);
  const perSecond = (calls: number) => (calls / seconds).toFixed(0);
  const each = (commands / done).toFixed(3);
  console.log(`  ${title}`);
  table.push([title, perSecond(offered), perSecond(done), each, String(most), String(bound)]);
}

/** So many scripts Redis has run, heartbeats among them. */
async function scripts(): Promise<number> {
  const stats = await client.info('commandstats');
  return [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].reduce(
    (sum, [, calls]) => sum + Number(calls),
    0,
  );
}

function worstSecond(began: readonly number[]): number {
  let first = 0;
  let most = 0;
  for (const [last, at] of began.entries()) {
    while ((began[first] as number) <= at - 1_000) first++;
    most = Math.max(most, last - first + 1);
  }
  return most;
}

/** So many ran at a time; what ends and begins in one ms runs one after the other. */
function peak(began: readonly number[], ended: readonly number[]): number {
  const changes = [...began.map((at) => [at, 1]), ...ended.map((at) => [at, -1])] as [
    number,
    number,
  ][];
  changes.sort(([one, by], [other, otherBy]) => one - other || by - otherBy);
  let running = 0;
  let most = 0;
  for (const [, by] of changes) {
    running += by;
    most = Math.max(most, running);
  }
  return most;
}
