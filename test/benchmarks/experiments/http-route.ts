import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { GOALS } from '../goals.js';
import type { Lab } from '../lab/lab.js';
import type { Remote } from '../lab/remote.js';
import { Rounds } from '../lab/rounds.js';
import { installedPath } from '../packages.js';
import type { Row, Section } from '../report/section.js';
import type { Variant } from './http-server.js';

type Server = typeof import('./http-server.js');

const SERVER = new URL('http-server.js', import.meta.url).href;
const AUTOCANNON = installedPath('autocannon/autocannon.js');
const CONNECTIONS = 20;
const VARIANTS: Variant[] = ['plain', 'context', 'decorated'];
const run = promisify(execFile);

interface Load {
  requestsPerSecond: number;
  cpuPerRequest: number;
}

export const httpRoute: Section = {
  title: 'HTTP route with all stages, under load',
  async measure(lab) {
    const rounds = await loadInTurns(lab);
    const share = (measure: keyof Load, against: Variant) => (of: (name: string) => number) => {
      const shares = of(key('decorated', measure)) / of(key(against, measure));
      return 100 * (measure === 'requestsPerSecond' ? shares : 1 / shares);
    };
    const compared = (against: Variant) =>
      (['requestsPerSecond', 'cpuPerRequest'] as const).map((measure) => ({
        measure,
        value: rounds.median(share(measure, against)),
      }));
    const behindContext = compared('context');
    const better = Math.max(...behindContext.map(({ value }) => value)); // either may reach the goal
    return [
      ...VARIANTS.map((variant): Row => {
        const perSecond = rounds.median(key(variant, 'requestsPerSecond'));
        const ns = rounds.median(key(variant, 'cpuPerRequest')) * 1_000;
        return { name: NAMES[variant], ns, value: perSecond, unit: 'requests/s' };
      }),
      ...behindContext.map(({ measure, value }) => ({
        name: `${LABELS[measure]}, of that behind the interceptor`,
        value,
        unit: '%',
        ...(value === better && { goal: GOALS.httpRoute }),
      })),
      ...compared('plain').map(({ measure, value }) => ({
        name: `${LABELS[measure]}, of that of the plain route`,
        value,
        unit: '%',
      })),
    ];
  },
};

const NAMES: Record<Variant, string> = {
  plain: 'plain route (time: CPU)',
  context: 'behind an interceptor that opens an AsyncLocalStorage',
  decorated: 'decorated route',
};
const LABELS: Record<keyof Load, string> = {
  requestsPerSecond: 'throughput',
  cpuPerRequest: 'requests per CPU time',
};

async function loadInTurns(lab: Lab): Promise<Rounds> {
  const servers: { variant: Variant; child: Remote<Server>; port: number }[] = [];
  try {
    for (const variant of VARIANTS) {
      const child = await lab.start<Server>(SERVER);
      servers.push({ variant, child, port: await child.call('serve', variant) });
    }
    const count = lab.isQuick ? 1 : 7;
    const rounds: Record<string, number>[] = [];
    for (let round = 0; round <= count; round++) {
      const figures: Record<string, number> = {};
      for (const { variant, child, port } of servers) {
        const load = await loadOnce(child, port, lab.isQuick ? 1 : 3);
        figures[key(variant, 'requestsPerSecond')] = load.requestsPerSecond;
        figures[key(variant, 'cpuPerRequest')] = load.cpuPerRequest;
      }
      if (round > 0) rounds.push(figures); // the first is to warm up
    }
    return new Rounds(rounds);
  } finally {
    for (const { child } of servers) await child.stop();
  }
}

async function loadOnce(server: Remote<Server>, port: number, seconds: number): Promise<Load> {
  const cpuBefore = await server.call('cpuTime');
  const { stdout } = await run(process.execPath, [
    AUTOCANNON,
    ...['--connections', String(CONNECTIONS)],
    ...['--duration', String(seconds)],
    '--json',
    '--no-progress',
    `http://127.0.0.1:${port}/route`,
  ]);
  const { '2xx': answered, non2xx, errors, duration } = JSON.parse(stdout);
  if (non2xx + errors > 0) throw new Error(`${non2xx + errors} requests failed`);
  return {
    requestsPerSecond: answered / duration,
    cpuPerRequest: ((await server.call('cpuTime')) - cpuBefore) / answered,
  };
}

function key(variant: Variant, measure: keyof Load): string {
  return `${variant} ${measure}`;
}
