import baselines from '../cases/baselines.js';
import decorated from '../cases/decorated.js';
import { GOALS } from '../goals.js';
import type { Case, Loop } from '../lab/case.js';
import { derive, figureOf } from '../lab/figure.js';
import { LARGE_SEMI_SPACE } from '../lab/lab.js';
import type { Remote } from '../lab/remote.js';
import { warmUp } from '../lab/timing.js';
import type { Experiment } from '../report/section.js';

/** Few enough for no garbage collection to happen meanwhile, in the semi-space that we ask for. */
const CALLS = 1_000;

export interface Weights {
  timer: number[];
  allStages: number[];
}

/** @returns bytes a call, both in this process: what the library does to promises is done to both */
export async function weigh(times: number, warmUpMs: number): Promise<Weights> {
  const timer = await prepare(baselines.timer, warmUpMs);
  const allStages = await prepare(decorated.allStages, warmUpMs);
  const weights: Weights = { timer: [], allStages: [] };
  for (let time = 0; time < times; time++) {
    weights.timer.push(await bytesPerCall(timer));
    weights.allStages.push(await bytesPerCall(allStages));
  }
  return weights;
}

async function prepare(of: Case, warmUpMs: number): Promise<Loop> {
  const loop = await of.setup();
  await warmUp(loop, { warmUpMs, batchMs: 10 });
  return loop;
}

async function bytesPerCall(loop: Loop): Promise<number> {
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  await loop(CALLS);
  await new Promise(setImmediate);
  return (process.memoryUsage().heapUsed - before) / CALLS;
}

export const bytes: Experiment = {
  title: 'Bytes of a call with all six stages',
  async measure(lab) {
    const weights = await lab.within(
      import.meta.url,
      (child: Remote<typeof import('./bytes.js')>) =>
        child.call('weigh', 3 * lab.effort.rounds, lab.effort.warmUpMs),
      LARGE_SEMI_SPACE,
    );
    const timer = figureOf(weights.timer, 'B');
    const allStages = figureOf(weights.allStages, 'B');
    return [
      { name: 'call + timer, in the same process', takes: timer },
      {
        name: 'all six stages',
        takes: allStages,
        compared: derive((read) => read(allStages) / read(timer), '× call + timer'),
        goal: GOALS.allStagesBytes,
      },
    ];
  },
};
