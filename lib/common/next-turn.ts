import { setImmediate } from 'node:timers';

const nodeSetImmediate = setImmediate; // before a test can put a fake in its place

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
