import { AsyncLocalStorage } from 'node:async_hooks';
import { afterAll } from '@jest/globals';

/**
 * Every file of tests loads the library, and what it stands on, anew, and with it an AsyncLocalStorage of
 * each. Until Node 24, all that a process has ever used make each of its promises dearer, so the files
 * that a worker runs last would take twice as long: what a file has used is disabled when it ends.
 */
const USED = Symbol.for('test.support.storages');

interface Storages {
  [USED]?: Set<AsyncLocalStorage<unknown>>;
}

/** Node's own modules are the same for all files. */
const storages = AsyncLocalStorage as Storages;
if (storages[USED] === undefined) {
  const used = new Set<AsyncLocalStorage<unknown>>();
  storages[USED] = used;
  const prototype = AsyncLocalStorage.prototype as unknown as Record<
    string,
    (...args: unknown[]) => unknown
  >;
  for (const name of ['run', 'enterWith']) {
    const original = prototype[name] as (...args: unknown[]) => unknown;
    prototype[name] = function (this: AsyncLocalStorage<unknown>, ...args) {
      used.add(this);
      return original.apply(this, args);
    };
  }
}

afterAll(() => {
  for (const storage of storages[USED] ?? []) storage.disable();
  storages[USED]?.clear();
});
