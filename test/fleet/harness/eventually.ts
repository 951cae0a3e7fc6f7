import { setTimeout as sleep } from 'node:timers/promises';

/** Longer than anything takes, also on a loaded machine. */
const PATIENCE_MS = 60_000;

/**
 * Waits until something is so.
 *
 * @param what for the error, where it does not become so
 */
export async function eventually(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  patienceMs = PATIENCE_MS,
): Promise<void> {
  const giveUpAt = performance.now() + patienceMs;
  while (!(await isSo())) {
    if (performance.now() > giveUpAt) throw new Error(`It has not come to be: ${what}`);
    await sleep(10);
  }
}
