import { GOALS, type Goal } from '../goals.js';
import type { Case } from '../lab/case.js';
import type { Lab, RaceOptions } from '../lab/lab.js';
import type { Rounds } from '../lab/rounds.js';
import type { Row, Section } from '../report/section.js';
import baselines, { TIMER } from './baselines.js';

/** A case of the library, with its goals. */
export interface OwnCase extends Case {
  readonly goal?: Goal;
  /** How many times faster than the fastest peer it is to be. */
  readonly peerGoal?: Goal;
}

/** Cases of the library and of its peers, beside something plain. */
export interface Comparison {
  readonly title: string;
  /** `import.meta.url` */
  readonly source: string;
  readonly baseline: Case;
  /** How many times the baseline a call takes, or how much it takes above it. */
  readonly measure: 'times' | 'above';
  readonly own: readonly OwnCase[];
  readonly peers: readonly Case[];
  /** Peers that do less, and are shown without being rivals. */
  readonly lesserPeers?: readonly Case[];
}

/** A comparison as a section of the report, and for the process that measures. */
export function compare(comparison: Comparison): Section & { source: string; cases: Case[] } {
  const { title, source, own, peers, lesserPeers = [], baseline } = comparison;
  const module = { source, cases: [...own, ...peers, ...lesserPeers] };
  return {
    ...module,
    title,
    async measure(lab) {
      const ours = own.map(({ name }) => name);
      const theirs = [...peers, ...lesserPeers].map(({ name }) => name);
      const rounds = await lab.race([
        { module: baselines, names: [baseline.name] },
        { module, names: ours },
        // The library has been at work there as well, and has opened its AsyncLocalStorage; but the
        // garbage and the timers that some peers leave do not burden ours.
        ...(theirs.length > 0 ? [{ module, names: theirs, after: ours }] : []),
      ]);
      return rows(comparison, rounds);
    },
  };
}

/** The library's cases where another library in the process uses AsyncLocalStorage too. */
export function besideAsyncLocalStorage(comparison: Comparison): Section {
  const { own, baseline, source } = comparison;
  const options: RaceOptions = { asyncLocalStorage: true };
  return {
    title: `${comparison.title}, beside another user of AsyncLocalStorage`,
    async measure(lab) {
      const rounds = await lab.race(
        [
          { module: baselines, names: [baseline.name] },
          { module: { source, cases: own }, names: own.map(({ name }) => name) },
        ],
        options,
      );
      const cases = own.map(({ name, setup }) => ({ name, setup })); // the goals are for without
      return rows({ ...comparison, own: cases, peers: [], lesserPeers: [] }, rounds);
    },
  };
}

/** The bytes of the same cases, beside those of a call with a timer in the same process. */
export function weighed(comparison: Comparison, goal: Goal): Section & { cases: Case[] } {
  const { own, peers, lesserPeers = [], source } = comparison;
  const cases = [TIMER, ...own, ...peers, ...lesserPeers];
  return {
    title: `${comparison.title}: bytes`,
    cases,
    async measure(lab: Lab) {
      const rounds = await lab.weigh({
        module: { source, cases },
        names: cases.map(({ name }) => name),
      });
      return cases.map((each) => ({
        name: each.name,
        bytes: rounds.median(each.name),
        value: rounds.median((of) => of(each.name) / of(TIMER.name)),
        unit: `× ${TIMER.name}`,
        ...(own.includes(each) && { goal }),
      }));
    },
  };
}

function rows(comparison: Comparison, rounds: Rounds): Row[] {
  const { baseline, measure, own, peers, lesserPeers = [] } = comparison;
  const row = ({ name, goal }: OwnCase): Row => ({
    name,
    ns: rounds.median(name),
    value: rounds.median((of) => of(name) / of(baseline.name) - (measure === 'above' ? 1 : 0)),
    unit: measure === 'above' ? `× ${baseline.name} above it` : `× ${baseline.name}`,
    ...(goal && { goal }),
  });
  const versusPeers = ({ name, peerGoal = GOALS.peers }: OwnCase): Row => ({
    name: '  beside the fastest peer',
    value: rounds.median((of) => Math.min(...peers.map((peer) => of(peer.name))) / of(name)),
    unit: '× faster',
    goal: peerGoal,
  });
  return [
    { name: baseline.name, ns: rounds.median(baseline.name) },
    ...own.flatMap((each) => (peers.length > 0 ? [row(each), versusPeers(each)] : [row(each)])),
    ...peers.map(row),
    ...lesserPeers.map(row),
  ];
}
