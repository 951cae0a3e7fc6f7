import { setImmediate } from 'node:timers';

/** Node's own, also where a test puts a fake into the global object or the module later. */
export const nodeSetImmediate = setImmediate;

let waiting: (() => void)[] | undefined;

/** Calls `fn` in the next turn of the event loop, when all that this one leads to has run. */
export function onNextTurn(fn: () => void): void {
  if (waiting === undefined) {
    waiting = [];
    nodeSetImmediate(run);
  }
  waiting.push(fn);
}

/** One immediate serves all: thousands of calls may end in one turn. */
function run(): void {
  const all = waiting ?? [];
  waiting = undefined;
  for (const each of all) each();
}
