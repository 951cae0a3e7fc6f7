import type { Runtime } from '../packages.js';
import { type Functions, Remote } from './remote.js';
import type { Effort } from './timing.js';

/** So large that what is measured does not fill it: no garbage is collected meanwhile. */
export const LARGE_SEMI_SPACE = ['--min-semi-space-size=128', '--max-semi-space-size=128'];

/** Measures on one Node, with one effort. */
export class Lab {
  constructor(
    readonly runtime: Runtime,
    readonly effort: Effort,
    readonly isQuick: boolean,
  ) {}

  /** Starts a process that calls what a module exports. */
  start<M extends Functions>(module: string, flags: string[] = []): Promise<Remote<M>> {
    return Remote.start<M>(module, this.runtime.executable, flags);
  }

  /** The same for a while: the process is stopped afterwards. */
  async within<M extends Functions, R>(
    module: string,
    use: (child: Remote<M>) => Promise<R>,
    flags: string[] = [],
  ): Promise<R> {
    const child = await this.start<M>(module, flags);
    try {
      return await use(child);
    } finally {
      await child.stop();
    }
  }
}
