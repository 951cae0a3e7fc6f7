import type { Case } from './case.js';
import { type Figure, figureOf } from './figure.js';
import type { Lab } from './lab.js';
import type { Remote } from './remote.js';
import type { Timing } from './timing.js';

type TimingModule = typeof import('./timing.js');

const TIMING = new URL('timing.js', import.meta.url).href;
/** × the fastest plain call of all processes: above it, the host was busy with something else. */
const SLOW = 1.4;

/** How fast the host was, by what a plain call took in each process before anything was loaded. */
export interface Host {
  /** ns */
  readonly fastest: number;
  readonly median: number;
  readonly slowest: number;
  readonly processes: number;
  /** How many of them began while the host was slow, or never had a core for themselves. */
  readonly slow: number;
}

/** The times of cases that were measured in turns. */
export class Race {
  private readonly timings = new Map<Case, Timing[]>();

  private constructor(private readonly lab: Lab) {}

  /**
   * A process for each case, one after the other, and that in rounds: a slow phase of the host hits
   * all alike. Who met a slow host in every round is measured again, as often as there are rounds.
   */
  static async run(
    lab: Lab,
    cases: readonly Case[],
    onRound: (round: number, host: Host) => void,
  ): Promise<Race> {
    const race = new Race(lab);
    const rounds = cases.length > 0 ? lab.effort.rounds : 0;
    for (let round = 1; round <= rounds; round++) onRound(round, await race.round(cases));
    for (let round = rounds + 1; round <= 2 * rounds && !lab.isQuick; round++) {
      const unlucky = cases.filter((each) => !race.metCalmHost(each));
      if (unlucky.length === 0) break;
      onRound(round, await race.round(unlucky));
    }
    return race;
  }

  /** ns a call, over all batches of all processes. */
  time(of: Case): Figure {
    return figureOf(
      this.timingsOf(of).flatMap(({ batches }) => batches),
      'ns',
    );
  }

  /** Whether there was a process for it that the host let run as fast as it can, undisturbed. */
  metCalmHost(of: Case): boolean {
    const limit = this.slowFrom();
    return this.timingsOf(of).some((each) => !each.wasDisturbed && each.plain <= limit);
  }

  host(of: readonly Timing[] = this.all()): Host {
    const plains = of.map(({ plain }) => plain);
    const { minimum, median } = figureOf(plains, 'ns');
    const limit = this.slowFrom();
    return {
      fastest: minimum,
      median,
      slowest: Math.max(...plains),
      processes: plains.length,
      slow: of.filter((each) => each.wasDisturbed || each.plain > limit).length,
    };
  }

  private async round(cases: readonly Case[]): Promise<Host> {
    const timings: Timing[] = [];
    for (const each of cases) {
      const timing = await this.lab.within(TIMING, (child: Remote<TimingModule>) =>
        child.call('measure', each.source, each.name, this.lab.effort),
      );
      timings.push(timing);
      this.timings.set(each, [...this.timingsOf(each), timing]);
    }
    return this.host(timings);
  }

  private slowFrom(): number {
    return SLOW * Math.min(...this.all().map(({ plain }) => plain));
  }

  private all(): Timing[] {
    return [...this.timings.values()].flat();
  }

  private timingsOf(of: Case): readonly Timing[] {
    return this.timings.get(of) ?? [];
  }
}
