import type { Case, Loop } from './case.js';
import { plainCall } from './host.js';

/** A process that had less of the time for itself had to share its core. */
const OWN_SHARE = 0.95;
/** How often a batch that was disturbed is repeated, at most. */
const PATIENCE = 4;

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
  /** ns a call, of each batch that had a core for itself; of all, where none had. */
  readonly batches: readonly number[];
  readonly wasDisturbed: boolean;
}

/** Measures a case, the only one of this process. */
export async function measure(source: string, name: string, effort: Effort): Promise<Timing> {
  const plain = await plainCall();
  const module: { default: Record<string, Case> } = await import(source);
  const found = module.default[name];
  if (found === undefined) throw new Error(`There is no case "${name}" in ${source}`);
  const loop = await found.setup();
  const calls = await warmUp(loop, effort);
  const good: number[] = [];
  const bad: number[] = [];
  while (good.length < effort.batches && good.length + bad.length < PATIENCE * effort.batches) {
    const { ns, wasDisturbed } = await batch(loop, calls);
    (wasDisturbed ? bad : good).push(ns / calls);
  }
  const wasDisturbed = good.length === 0;
  return { plain, batches: wasDisturbed ? bad : good, wasDisturbed };
}

/** @returns how many calls make a batch */
export async function warmUp(
  loop: Loop,
  { warmUpMs, batchMs }: Pick<Effort, 'warmUpMs' | 'batchMs'>,
): Promise<number> {
  let calls = 100;
  let ms = 0;
  for (const until = performance.now() + warmUpMs; performance.now() < until; ) {
    ms = (await batch(loop, calls)).ns / 1e6;
    if (ms < batchMs / 2) calls *= 2;
  }
  return Math.ceil((calls * batchMs) / ms);
}

async function batch(loop: Loop, calls: number): Promise<{ ns: number; wasDisturbed: boolean }> {
  const before = process.cpuUsage();
  const begunAt = performance.now();
  await loop(calls);
  await new Promise(setImmediate); // what a call has put off for later is part of its price
  const ms = performance.now() - begunAt;
  const { user, system } = process.cpuUsage(before);
  return { ns: ms * 1e6, wasDisturbed: (user + system) / 1_000 < OWN_SHARE * ms };
}
