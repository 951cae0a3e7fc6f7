import type { ResolvedCircuitBreakerOptions } from '../circuit-breaker/circuit-breaker.options.js';
import type { Advice } from './advice.js';
import { type Replay, replay, secondsOf } from './breaker-replay.js';
import { ofPolicy } from './placed.js';
import { type Summary, sum } from './summary.js';

/** Fewer failures say too little. */
const MINIMUM_FAILURES = 50;
/** A good call that is rejected weighs as much as so many failing ones that are saved. */
const WEIGHT_OF_GOOD = 3;
/** A change has to be worth so much more, in failing calls saved and as a share of those that failed. */
const MINIMUM_GAIN = 20;
const MINIMUM_GAIN_SHARE = 0.05;

const RATES = [20, 30, 40, 50, 60, 70, 80, 90];
const MINIMUM_CALLS = [10, 20, 50, 100];
const COUNTS = [5, 10, 20, 50, 100, 200, 500, 1_000, 2_000];

type Options = ResolvedCircuitBreakerOptions;

/**
 * The best thresholds are those with which the breaker, had it gone through the last hour, would have
 * saved the most failing calls: a good call that it rejects counts as three failing ones that it does
 * not save, so that it is to open where more than three of four fail. Each of a few dozen candidates is
 * replayed over what was seen, second by second, as is what is in force; where a fixed number of failures
 * was said, it is that which is looked for, and else the rate. In shadow mode all outcomes are known; where
 * it acts, what it rejected counts as the probes that came next. It takes 50 failures, and a change is advised
 * that is worth 20 failing calls and a twentieth of all.
 *
 * @param sharers all operations that go through it
 */
export function adviseBreaker(sharers: readonly Summary[]): Advice[] {
  const [{ stages }] = sharers as [Summary];
  const { circuitBreaker: breaker } = stages;
  if (breaker === undefined || 'key' in breaker.options) return [];
  if (!sharers.some(({ slices }) => slices.some(({ hasFailures }) => hasFailures))) return [];
  const seconds = secondsOf(sharers);
  const failures = sum(seconds.map(({ failed }) => failed));
  if (failures < MINIMUM_FAILURES) return [];
  const { options } = breaker;
  const given = breaker.given as Partial<Options>;
  const present = replay(seconds, options);
  // Where a rate is said, there is no fixed number by default.
  const { failureThreshold: _, ...withoutDefault } = options;
  let best: { change: Partial<Options>; result: Replay } | undefined;
  for (const change of candidatesFor(options, given)) {
    const result = replay(seconds, { ...withoutDefault, ...change });
    // The last of equals, which is the one that opens least readily.
    if (best === undefined || worthOf(result) >= worthOf(best.result)) best = { change, result };
  }
  const gain = best === undefined ? 0 : worthOf(best.result) - worthOf(present);
  if (best === undefined || gain < Math.max(MINIMUM_GAIN, MINIMUM_GAIN_SHARE * failures)) return [];
  const { change, result } = best;
  const where = { stage: 'circuitBreaker', section: 'breakers' };
  const option = 'failureThreshold' in change ? 'failureThreshold' : 'failureRateThreshold';
  return [
    {
      kind: 'circuit-breaker',
      ...ofPolicy(breaker.name, sharers, where, change),
      current: options[option],
      proposed: change[option],
      because: `So ${inWords(result)}; with what is in force, ${inWords(present)}`,
      figures: {
        failures: Math.round(failures),
        openings: result.openings,
        saved: Math.round(result.saved),
        lost: Math.round(result.lost),
        openingsNow: present.openings,
        savedNow: Math.round(present.saved),
        lostNow: Math.round(present.lost),
        operations: sharers.length,
      },
    },
  ];
}

function worthOf({ saved, lost }: Replay): number {
  return saved - WEIGHT_OF_GOOD * lost;
}

/** In the order in which they open less readily. */
function candidatesFor({ windowCalls }: Options, given: Partial<Options>): Partial<Options>[] {
  const most = windowCalls ?? Number.POSITIVE_INFINITY;
  if (given.failureThreshold !== undefined)
    return COUNTS.filter((count) => count <= most).map((failureThreshold) => ({
      failureThreshold,
    }));
  return MINIMUM_CALLS.filter((count) => count <= most).flatMap((minimumCalls) =>
    RATES.map((failureRateThreshold) => ({ failureRateThreshold, minimumCalls })),
  );
}

function inWords({ openings, saved, lost }: Replay): string {
  const times = openings === 1 ? 'once' : `${openings} times`;
  if (openings === 0) return 'it would not have opened in the last hour';
  return `it would have opened ${times} in the last hour, saved ${Math.round(saved)} failing calls and rejected ${Math.round(lost)} good ones`;
}
