import { setTimeout as sleep } from 'node:timers/promises';
import { CircuitBreakerPolicy } from 'nestjs-bulwark';
import { GOALS } from '../goals.js';
import { figureOf } from '../lab/figure.js';
import type { Remote } from '../lab/remote.js';
import type { Experiment } from '../report/section.js';

type This = typeof import('./idle-breakers.js');

const BREAKERS = 10_000;

const breakers: CircuitBreakerPolicy[] = [];

/** @returns bytes each, a slot of the array included */
export function make(): number {
  const names = Array.from({ length: BREAKERS }, (_, index) => `upstream-${index}`);
  const before = heapUsed();
  for (const name of names)
    breakers.push(new CircuitBreakerPolicy(name, { failureThreshold: 5, windowMs: 30_000 }));
  return (heapUsed() - before) / BREAKERS;
}

/** @returns bytes that a call has added to each */
export async function useOnce(): Promise<number> {
  const before = heapUsed();
  for (const breaker of breakers) await breaker.execute(async () => undefined);
  return (heapUsed() - before) / BREAKERS;
}

export function timers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
}

/** @returns percent of one core */
export async function idleCpu(): Promise<number> {
  await sleep(500); // until the compiler has done with what has just run
  const seconds = 1;
  const before = process.cpuUsage();
  await sleep(seconds * 1_000);
  const { user, system } = process.cpuUsage(before);
  return ((user + system) / (seconds * 1e6)) * 100;
}

function heapUsed(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

export const idleBreakers: Experiment = {
  title: '10,000 idle breakers',
  async measure(lab) {
    return lab.within(import.meta.url, async (child: Remote<This>) => {
      const bytes = await child.call('make');
      const idleTimers = await child.call('timers');
      const cpu = await child.call('idleCpu');
      const usedBytes = bytes + (await child.call('useOnce'));
      return [
        { name: 'memory of each', takes: figureOf([bytes], 'B'), goal: GOALS.idleBreaker },
        { name: 'memory of each after its first call', takes: figureOf([usedBytes], 'B') },
        { name: 'all: timers', takes: figureOf([idleTimers], 'timers'), goal: GOALS.idleTimers },
        { name: 'all: CPU', takes: figureOf([cpu], '% of a core'), goal: GOALS.idleCpu },
      ];
    });
  },
};
