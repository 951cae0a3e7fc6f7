import type { Case, Loop } from './case.js';
import { plainCall } from './host.js';

/** How long to measure. */
export interface Effort {
  /** Processes for each case. */
  readonly rounds: number;
  /** In each process. */
  readonly batches: number;
  readonly batchMs: number;
  readonly warmUpMs: number;
}

/** What one process has found. */
export interface Timing {
  /** ns that a plain async call took before anything was loaded: how fast the host was. */
  readonly plain: number;
  /** ns a call, of each batch. */
  readonly batches: readonly number[];
}

/** Measures a case, the only one of this process. */
export async function measure(source: string, name: string, effort: Effort): Promise<Timing> {
  const plain = await plainCall();
  const module: { default: Record<string, Case> } = await import(source);
  const found = module.default[name];
  if (found === undefined) throw new Error(`There is no case "${name}" in ${source}`);
  const loop = await found.setup();
  const calls = await warmUp(loop, effort);
  const batches: number[] = [];
  while (batches.length < effort.batches) batches.push((await batch(loop, calls)) / calls);
  return { plain, batches };
}

/** @returns how many calls make a batch */
export async function warmUp(
  loop: Loop,
  { warmUpMs, batchMs }: Pick<Effort, 'warmUpMs' | 'batchMs'>,
): Promise<number> {
  let calls = 100;
  let ms = 0;
  for (const until = performance.now() + warmUpMs; performance.now() < until; ) {
    ms = (await batch(loop, calls)) / 1e6;
    if (ms < batchMs / 2) calls *= 2;
  }
  return Math.ceil((calls * batchMs) / ms);
}

/** @returns ns */
async function batch(loop: Loop, calls: number): Promise<number> {
  const begunAt = performance.now();
  await loop(calls);
  await new Promise(setImmediate); // what a call has put off for later is part of its price
  return (performance.now() - begunAt) * 1e6;
}
