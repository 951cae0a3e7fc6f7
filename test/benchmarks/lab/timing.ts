import type { Call, CaseModule } from './case.js';

/** How long to measure. */
export interface Effort {
  readonly rounds: number;
  readonly batchMs: number;
  readonly warmUpMs: number;
}

/** Few enough for no garbage collection to happen meanwhile, in the semi-space that we ask for. */
const WEIGHED_CALLS = 1_000;

const prepared = new Map<string, { call: Call; calls: number }>();
let within: <R>(work: () => R) => R = (work) => work();

/** Has another user of AsyncLocalStorage around all calls from now on. */
export async function useAsyncLocalStorage(): Promise<void> {
  const { AsyncLocalStorage } = await import('node:async_hooks'); // else, it is never loaded
  const storage = new AsyncLocalStorage<object>();
  within = (work) => storage.run({}, work);
}

/** Sets a case up, warms it up, and finds out how many calls make a batch. */
export async function prepare(source: string, name: string, effort: Effort): Promise<void> {
  const module: CaseModule = await import(source);
  const found = module.default.cases.find((each) => each.name === name);
  if (found === undefined) throw new Error(`There is no case "${name}"`);
  const call = await found.setup();
  let calls = 100;
  let ms = 0;
  for (const until = performance.now() + effort.warmUpMs; performance.now() < until; ) {
    ms = await batch(call, calls);
    if (ms < effort.batchMs / 2) calls *= 2;
  }
  prepared.set(name, { call, calls: Math.ceil((calls * effort.batchMs) / ms) });
}

/** @returns ns a call */
export async function time(name: string): Promise<number> {
  const { call, calls } = get(name);
  return ((await batch(call, calls)) * 1e6) / calls;
}

/** @returns bytes a call */
export async function weigh(name: string): Promise<number> {
  const { call } = get(name);
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  await batch(call, WEIGHED_CALLS);
  return (process.memoryUsage().heapUsed - before) / WEIGHED_CALLS;
}

function get(name: string) {
  const found = prepared.get(name);
  if (found === undefined) throw new Error(`"${name}" is not prepared`);
  return found;
}

function batch(call: Call, calls: number): Promise<number> {
  return within(async () => {
    const begunAt = performance.now();
    for (let made = 0; made < calls; made++) await call();
    await new Promise(setImmediate); // what a call has put off for later is part of its price
    return performance.now() - begunAt;
  });
}
