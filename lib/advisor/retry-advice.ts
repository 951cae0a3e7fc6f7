import type { Advice } from './advice.js';
import { shareBetween } from './binomial.js';
import { inWords, percent } from './figures.js';
import { ofOperation, ofPolicy } from './placed.js';
import { type Summary, sum } from './summary.js';

/** Fewer attempts of a number say too little. */
const MINIMUM_TRIES = 50;
/** An attempt that surely saves fewer than this share of the calls for which it is made is in vain. */
const VAIN_SHARE = 0.05;
/** One more is worth it where the last one surely saves this share, */
const WORTH_SHARE = 0.5;
/** and where it adds no more than this share to the load. */
const LOAD_SHARE = 0.05;
const MOST_ATTEMPTS = 5;
/** The budget has bitten where it has held back so many retries. */
const MINIMUM_SUPPRESSED = 20;
/** Between what was needed on average and the peaks of it. */
const PEAK = 1.5;

/**
 * What retries gained: calls that a later attempt has answered; and what they cost: the attempts that were
 * made for it, as a share of all calls. Of each attempt beyond the first the share of calls is known that it saved, with its
 * limits by Wilson's interval (1927) at 95 %, one-sided. The last ones that save fewer than one in twenty are better not made; one more is
 * worth it where the last saves at least half, at no more than a twentieth of load. An attempt is judged that was made 50 times.
 */
export function adviseRetry(summary: Summary): Advice[] {
  const { operation, stages, tries, saved, calls } = summary;
  const { retry } = stages;
  if (retry === undefined) return [];
  const { maxAttempts } = retry.options;
  if (maxAttempts >= tries.length - 1) return [];
  const extra = sum(tries);
  const answers = sum(saved);
  const lastTries = tries[maxAttempts] ?? 0;
  const lastSaved = saved[maxAttempts] ?? 0;
  const figures = {
    calls,
    savedCalls: answers,
    extraAttempts: extra,
    addedLoad: extra / Math.max(1, calls),
    savedAfterMs: answers === 0 ? 0 : summary.savedAfterMs / answers,
    lastTries,
    lastSaved,
  };
  const advise = (proposed: number, because: string): Advice[] => [
    {
      kind: 'retry',
      ...ofOperation(operation, 'retry.maxAttempts', proposed),
      current: maxAttempts,
      proposed,
      because,
      figures,
    },
  ];
  let useful = maxAttempts;
  while (useful > 1 && isVain(saved[useful] ?? 0, tries[useful] ?? 0)) useful--;
  if (useful < maxAttempts) {
    const vain = sum(tries.slice(useful + 1));
    const saves = sum(saved.slice(useful + 1));
    return advise(
      useful,
      `Attempts beyond the ${ordinal(useful)} were made ${vain} times and saved ${saves} calls; they add ${percent(vain / Math.max(1, calls))} to the load`,
    );
  }
  const left = lastTries - lastSaved;
  const isWorthOneMore =
    maxAttempts > 1 &&
    maxAttempts < MOST_ATTEMPTS &&
    lastTries >= MINIMUM_TRIES &&
    left >= MINIMUM_TRIES &&
    shareBetween(lastSaved, lastTries)[0] >= WORTH_SHARE &&
    left <= LOAD_SHARE * calls;
  if (!isWorthOneMore) return [];
  return advise(
    maxAttempts + 1,
    `The ${ordinal(maxAttempts)} attempt saved ${lastSaved} of ${lastTries} calls (after ${inWords(figures.savedAfterMs)} on average); one more would be made for the ${left} that are left, which adds ${percent(left / calls)} to the load`,
  );
}

/**
 * A budget has bitten in vain that holds back retries where these help: at least half of those that were made
 * have saved their call. It should allow so many for each call as were asked for, and half as many more for the
 * peaks. Where they do not help, it does what it is there for.
 *
 * @param sharers all operations whose retries it bounds
 */
export function adviseRetryBudget(sharers: readonly Summary[]): Advice[] {
  const [{ stages }] = sharers as [Summary];
  const budget = stages.retry?.budget;
  const { ratio, key } = (budget?.options ?? {}) as { ratio?: number; key?: unknown };
  if (budget === undefined || ratio === undefined || key !== undefined) return [];
  const suppressed = sum(sharers.map(({ suppressedByBudget }) => suppressedByBudget));
  const made = sum(sharers.flatMap(({ tries }) => tries));
  const saved = sum(sharers.flatMap((sharer) => sharer.saved));
  const calls = sum(sharers.map((sharer) => sharer.calls));
  if (suppressed < MINIMUM_SUPPRESSED || made < MINIMUM_TRIES) return [];
  if (shareBetween(saved, made)[0] < WORTH_SHARE) return [];
  const proposed = Math.min(1, Math.ceil(((PEAK * (suppressed + made)) / calls) * 20) / 20);
  if (proposed <= ratio) return [];
  const where = { stage: 'retry.budget', section: 'retryBudgets' };
  const change = { ratio: proposed };
  return [
    {
      kind: 'retry-budget',
      ...ofPolicy(budget.name, sharers, where, change),
      current: ratio,
      proposed,
      because: `The budget held back ${suppressed} retries, while ${saved} of the ${made} that were made saved their call`,
      figures: { suppressed, retries: made, savedCalls: saved, calls, operations: sharers.length },
    },
  ];
}

function isVain(saved: number, tries: number): boolean {
  return tries >= MINIMUM_TRIES && shareBetween(saved, tries)[1] < VAIN_SHARE;
}

function ordinal(number: number): string {
  return ['', 'first', 'second', 'third', 'fourth', 'fifth'][number] ?? `${number}th`;
}
