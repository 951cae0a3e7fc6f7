import { sum, windows } from './books.js';
import type { Scenario } from './scenario.js';
import type { Result } from './simulation.js';

/** The results of a run: `results.get(scenario)?.get(strategy)`. */
export type Results = ReadonlyMap<string, ReadonlyMap<string, Result>>;

export interface Verdict {
  readonly holds: boolean;
  /** What was measured. */
  readonly found: string;
}

/** What the library promises. A promise that is not kept is reported as such. */
export interface Goal {
  readonly title: string;
  readonly scenario: string;
  /** The strategies that it is about; without their results it cannot be judged. */
  readonly strategies: readonly string[];
  judge(...results: Result[]): Verdict;
}

/** Of the retry budget. */
const RATIO = 0.2;
const SCENARIOS = ['hang', 'brown-out', 'chain', 'replicas', 'overload', 'quota'];

export const GOALS: readonly Goal[] = [
  ...SCENARIOS.map((scenario) =>
    goal('calls at the leaf: in no 10 s more than the budgets allow', scenario, withinBudget),
  ),
  ...['hang', 'replicas'].map((scenario) =>
    goal('back at 95 % within 5 s', scenario, (result) => ({
      holds: backAfterMs(result) <= 5_000,
      found: back(result),
    })),
  ),
  ...['naive', 'backoff'].map(
    (strategy): Goal => ({
      title: `${strategy} never comes back`,
      scenario: 'hang',
      strategies: [strategy],
      judge: (result) => ({
        holds: result.measures.backAfterMs === undefined,
        found: back(result),
      }),
    }),
  ),
  {
    title: 'a budget without a breaker is not slower than no retries',
    scenario: 'hang',
    strategies: ['budget', 'none'],
    judge: (budget, none) => ({
      holds: backAfterMs(budget) <= backAfterMs(none),
      found: `${back(budget)}; no retries: ${back(none)}`,
    }),
  },
  {
    title: 'serves no less than no retries do',
    scenario: 'brown-out',
    strategies: ['bulwark', 'none'],
    judge: ({ measures: ours }: Result, { measures: none }: Result) => ({
      holds: ours.servedInStorm >= none.servedInStorm,
      found: `${percent(ours.servedInStorm)}; no retries: ${percent(none.servedInStorm)}`,
    }),
  },
  goal('99 % of the critical calls succeed', 'overload', ({ measures }) => ({
    holds: (measures.criticalInStorm ?? 0) >= 0.99,
    found: percent(measures.criticalInStorm),
  })),
  goal('goodput is 90 % of the capacity', 'overload', goodputOf(0.9)),
  goal('goodput is 80 % of the capacity', 'chain', goodputOf(0.8)),
  goal('goodput is 98 % of the quota', 'quota', goodputOf(0.98)),
  goal('0.1 % of the calls are answered by 429', 'quota', ({ measures }) => ({
    holds: (measures.overQuota ?? 1) <= 0.001,
    found: percent(measures.overQuota),
  })),
  goal('of the other tenants, 99.9 % of the calls succeed', 'tenants', ({ measures }) => ({
    holds: (measures.wellInStorm ?? 0) >= 0.999,
    found: percent(measures.wellInStorm),
  })),
  {
    title: 'without keys, others lose by it',
    scenario: 'tenants',
    strategies: ['keyless'],
    judge: ({ measures }) => ({
      holds: (measures.wellInStorm ?? 1) < 0.99,
      found: percent(measures.wellInStorm),
    }),
  },
  ...SCENARIOS.map((scenario) =>
    goal('1 % of the work is begun in vain', scenario, ({ measures }) => ({
      holds: measures.begunUnwanted <= 0.01,
      found: percent(measures.begunUnwanted),
    })),
  ),
];

export function percent(share: number | undefined): string {
  return share === undefined || Number.isNaN(share) ? '–' : `${(share * 100).toFixed(1)} %`;
}

/** After which time it was back, or how long it was not. */
export function back({ scenario, measures }: Result): string {
  const seenMs = scenario.untilMs - scenario.storm.untilMs;
  const { backAfterMs } = measures;
  return backAfterMs === undefined ? `> ${seenMs / 1_000} s` : `${backAfterMs / 1_000} s`;
}

function backAfterMs({ measures }: Result): number {
  return measures.backAfterMs ?? Number.POSITIVE_INFINITY;
}

function goal(title: string, scenario: string, judge: Goal['judge']): Goal {
  return { title, scenario, strategies: ['bulwark'], judge };
}

/** Where the calls of ten seconds stand closest to what was allowed. */
function withinBudget({ scenario, seconds }: Result): Verdict {
  const floor = retriesPerSecond(scenario);
  const shares = windows(seconds).map((window) => {
    const offered = sum(window, 'offered');
    const allowed = (1 + RATIO) * offered + floor * window.length;
    return { used: sum(window, 'leafCalls') / allowed, allowed: allowed / offered };
  });
  const worst = shares.reduce((most, share) => (share.used > most.used ? share : most));
  const { used, allowed } = worst;
  return {
    holds: used <= 1,
    found: `${(used * allowed).toFixed(2)} × what was offered, of ${allowed.toFixed(2)} (floor: ${floor} retries a second in all)`,
  };
}

/** The floors of all processes. */
function retriesPerSecond({ tiers }: Scenario): number {
  return tiers.reduce((all, tier) => all + tier.processes * tier.minRetriesPerSecond, 0);
}

function goodputOf(share: number): Goal['judge'] {
  return ({ measures }) => ({
    holds: measures.goodputInStorm >= share,
    found: percent(measures.goodputInStorm),
  });
}
