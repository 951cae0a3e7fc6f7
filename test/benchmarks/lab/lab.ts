import type { Runtime } from '../packages.js';
import type { CaseModule } from './case.js';
import { Remote } from './remote.js';
import { Rounds } from './rounds.js';
import type { Effort } from './timing.js';

type Timing = typeof import('./timing.js');

const TIMING = new URL('timing.js', import.meta.url).href;
/** So large that what is measured does not fill it: no garbage is collected meanwhile. */
export const LARGE_SEMI_SPACE = ['--min-semi-space-size=128', '--max-semi-space-size=128'];

/** Cases by name, and the module that they are in. */
export interface Entrants {
  readonly module: CaseModule['default'];
  readonly names: readonly string[];
  /** Cases that are warmed up before them, and then left: what they do to their process is done to it. */
  readonly after?: readonly string[];
}

export interface RaceOptions {
  /** Another user of AsyncLocalStorage in every process. */
  asyncLocalStorage?: boolean;
}

/** Measures on one Node, with one effort. */
export class Lab {
  constructor(
    readonly runtime: Runtime,
    readonly effort: Effort,
    readonly isQuick: boolean,
  ) {}

  /** Starts a process that calls what a module exports. */
  start<M extends Record<string, unknown>>(module: string, flags: string[] = []) {
    return Remote.start<M>(module, this.runtime.executable, flags);
  }

  /**
   * ns a call. Each module has a process of its own; one of them works at a time, and batches of all
   * cases take turns, so that a noisy neighbour disturbs everything alike.
   */
  race(entrants: readonly Entrants[], options: RaceOptions = {}): Promise<Rounds> {
    return this.measure(entrants, 'time', options);
  }

  /** Bytes a call, all in one process. */
  weigh(entrants: Entrants): Promise<Rounds> {
    return this.measure([entrants], 'weigh', {});
  }

  private async measure(
    entrants: readonly Entrants[],
    what: 'time' | 'weigh',
    { asyncLocalStorage = false }: RaceOptions,
  ): Promise<Rounds> {
    const flags = what === 'weigh' ? LARGE_SEMI_SPACE : [];
    const lanes: { child: Remote<Timing>; name: string }[] = [];
    const children: Remote<Timing>[] = [];
    try {
      for (const { module, names, after = [] } of entrants) {
        const child = await this.start<Timing>(TIMING, flags);
        children.push(child);
        if (asyncLocalStorage) await child.call('useAsyncLocalStorage');
        for (const name of after) {
          await child.call('prepare', module.source, name, this.effort);
        }
        for (const name of names) {
          await child.call('prepare', module.source, name, this.effort);
          lanes.push({ child, name });
        }
      }
      const rounds: Record<string, number>[] = [];
      for (let round = 0; round < this.effort.rounds; round++) {
        const figures: Record<string, number> = {};
        for (const { child, name } of lanes) figures[name] = await child.call(what, name);
        rounds.push(figures);
      }
      return new Rounds(rounds);
    } finally {
      for (const child of children) await child.stop();
    }
  }
}
