/**
 * What an overloaded server does: `npm run bench:shedding`. A server and its clients are processes of this
 * machine of their own; nothing else should run beside them. First it is found out how many requests a second
 * the server can serve, then `--load N` (3) times as many come, on their own time, for `--seconds N` (15).
 */
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { Remote } from '../lab/remote.js';
import { machine } from '../report/results.js';
import type { Outcome } from './clients.js';
import type { Protection, ServerOptions } from './server.js';

const SERVER = new URL('server.js', import.meta.url).href;
const CLIENTS = new URL('clients.js', import.meta.url).href;
const FOUND_OUT_SECONDS = 4;

const { values: flags } = parseArgs({
  options: {
    load: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '15' },
    platform: { type: 'string', default: '' },
  },
});
const load = Number(flags.load);
const seconds = Number(flags.seconds);

const PROTECTIONS: Record<ServerOptions['platform'], Protection[]> = {
  Express: ['none', 'shedding', 'shedding, adaptive'],
  Fastify: ['none', '@fastify/under-pressure', 'shedding', 'shedding, adaptive'],
};

const table = new Table({
  head: [
    '',
    'can / s',
    'came / s',
    'served / s',
    'critical',
    'p50, p99 ms',
    'normal',
    'sheddable',
    'probes',
  ],
  style: { head: [], border: [], compact: true },
});
for (const platform of ['Express', 'Fastify'] as const) {
  if (!platform.startsWith(flags.platform)) continue;
  for (const protection of PROTECTIONS[platform]) await measure({ platform, protection });
}
console.log(
  `\n${machine()}, Node ${process.version}, ${load} times what can be served for ${seconds} s`,
);
console.log(table.toString());

async function measure(options: ServerOptions): Promise<void> {
  const server = await Remote.start<typeof import('./server.js')>(SERVER, process.execPath, []);
  const clients = await Remote.start<typeof import('./clients.js')>(CLIENTS, process.execPath, []);
  const port = await server.call('start', options);
  await clients.call('capacity', port, 2); // until it is warm
  const can = await clients.call('capacity', port, FOUND_OUT_SECONDS);
  await pause(3_000);
  const { critical, normal, sheddable, probe } = await clients.call(
    'offer',
    port,
    can * load,
    seconds,
  );
  const all = [critical, normal, sheddable];
  const row = [
    `${options.platform}: ${options.protection}`,
    can.toFixed(0),
    (sum(all, 'sent') / seconds).toFixed(0),
    (sum(all, 'served') / seconds).toFixed(0),
    share(critical),
    `${quantile(critical.times, 0.5)}, ${quantile(critical.times, 0.99)}`,
    share(normal),
    share(sheddable),
    share(probe),
  ];
  table.push(row);
  console.log(row.join('; '));
  await clients.stop();
  await server.stop();
}

function sum(outcomes: Outcome[], what: 'sent' | 'served'): number {
  return outcomes.reduce((total, each) => total + each[what], 0);
}

/** That was served. */
function share({ sent, served }: Outcome): string {
  return sent === 0 ? '' : `${((served / sent) * 100).toFixed(1)} %`;
}

function quantile(times: readonly number[], share: number): string {
  const sorted = [...times].sort((one, other) => one - other);
  return (sorted[Math.floor(sorted.length * share)] ?? Number.NaN).toFixed(0);
}
