import { GOALS } from '../../goals.js';
import { derive, type Figure, Samples } from '../../lab/figure.js';
import type { Lab } from '../../lab/lab.js';
import type { Experiment, Row } from '../../report/section.js';
import { cpuPerRequest, type Server } from './load.js';
import type { Platform, Variant } from './server.js';

const SERVER = new URL('server.js', import.meta.url).href;
const VARIANTS: readonly Variant[] = [
  'bare',
  'middleware',
  'interceptor',
  'undecorated',
  'allStages',
];

export const httpRoutes: readonly Experiment[] = [routesOf('Express'), routesOf('Fastify')];

function routesOf(platform: Platform): Experiment {
  const opener = platform === 'Express' ? 'middleware' : 'hook';
  return {
    title: `A route of ${platform}: CPU time of a request`,
    async measure(lab) {
      const cpu = await measureInTurns(lab, platform);
      const share = (name: string, of: Variant, against: Variant): Row => ({
        name,
        compared: derive((read) => (100 * read(cpu[against])) / read(cpu[of]), '% of the requests'),
      });
      return [
        { name: 'bare', takes: cpu.bare },
        { name: `bare, AsyncLocalStorage by a ${opener}`, takes: cpu.middleware },
        { name: 'bare, AsyncLocalStorage by an interceptor', takes: cpu.interceptor },
        { name: 'undecorated, with the module imported', takes: cpu.undecorated },
        {
          ...share(`  beside bare with the ${opener}`, 'undecorated', 'middleware'),
          goal: GOALS.httpUndecoratedBesideMiddleware,
        },
        {
          ...share('  beside bare', 'undecorated', 'bare'),
          goal: GOALS.httpUndecoratedBesideBare,
        },
        { name: 'with all stages', takes: cpu.allStages },
        {
          ...share('  beside bare with the interceptor', 'allStages', 'interceptor'),
          goal: GOALS.httpAllStagesBesideInterceptor,
        },
        share('  beside bare', 'allStages', 'bare'),
      ];
    },
  };
}

/** Each variant has a process of its own; one of them is asked at a time. */
async function measureInTurns(lab: Lab, platform: Platform): Promise<Record<Variant, Figure>> {
  const requests = lab.isQuick ? 1_000 : 20_000;
  const servers = new Map<Variant, Server>();
  const samples = new Samples<Variant>();
  try {
    for (const variant of VARIANTS) {
      const child = await lab.start<typeof import('./server.js')>(SERVER);
      const server = { child, port: await child.call('serve', platform, variant) };
      servers.set(variant, server);
      await cpuPerRequest(server, requests); // to warm up
    }
    for (let round = 0; round < lab.effort.rounds; round++) {
      for (const [variant, server] of servers) {
        samples.add(variant, await cpuPerRequest(server, requests));
      }
    }
  } finally {
    for (const { child } of servers.values()) await child.stop();
  }
  const figures = VARIANTS.map((variant) => [variant, samples.figure(variant, 'µs')]);
  return Object.fromEntries(figures);
}
