import decorated from '../cases/decorated.js';
import equalCalls from '../cases/equal-calls.js';
import insideScope from '../cases/inside-scope.js';
import keyed from '../cases/keyed.js';
import { GOALS } from '../goals.js';
import type { Pattern } from '../peers/peer.js';
import { type PeerCase, peersWith } from '../peers/peers.js';
import type { Comparison } from '../report/section.js';
import { against, TIMER, times } from './rows.js';

const ALL = times(TIMER, 'all six stages', decorated.allStages, GOALS.allStages);

export const allStages: Comparison = {
  title: 'A method with all six stages; tracker, metrics and events are on',
  rows: [
    TIMER,
    ALL,
    times(
      TIMER,
      'chaos none of whose rules fits, above that',
      [decorated.allStagesBesideChaos, decorated.allStages],
      GOALS.quietChaos,
    ),
    ...peersWith('fullStack').map((each) => against(each, ALL, GOALS.allStagesBesidePeers)),
    ...peersWith('partialStack').map((each) => against(each, ALL)),
    times(
      TIMER,
      'what @RateLimit adds',
      [decorated.allStagesAndRateLimit, decorated.allStages],
      GOALS.addedStage,
    ),
  ],
};

const RETRY = times(TIMER, '@Retry', decorated.retry, GOALS.stage);
const CIRCUIT_BREAKER = times(TIMER, '@CircuitBreaker', decorated.circuitBreaker, GOALS.stage);
const BULKHEAD = times(TIMER, '@Bulkhead', decorated.bulkhead, GOALS.stage);
const RATE_LIMIT = times(TIMER, '@RateLimit', decorated.rateLimit, GOALS.stage);
const FALLBACK = times(TIMER, '@Fallback', decorated.fallback, GOALS.stage);
const TIMEOUT = times(TIMER, '@Timeout', decorated.timeout, GOALS.timeout);

export const singleStages: Comparison = {
  title: 'A method with one decorator, beside a bare policy',
  rows: [
    RETRY,
    against(cockatiel('retry'), RETRY, GOALS.retryBesideCockatiel),
    CIRCUIT_BREAKER,
    against(cockatiel('circuitBreaker'), CIRCUIT_BREAKER, GOALS.circuitBreakerBesideCockatiel),
    BULKHEAD,
    against(cockatiel('bulkhead'), BULKHEAD),
    RATE_LIMIT,
    FALLBACK,
    against(cockatiel('fallback'), FALLBACK, GOALS.fallbackBesideCockatiel),
    times(TIMER, '@Critical', decorated.critical, GOALS.critical),
    TIMEOUT,
    against(cockatiel('timeout'), TIMEOUT),
  ],
};

export const callsInsideScope: Comparison = {
  title: "The same inside a caller's scope, as in every handler",
  rows: [
    times(TIMER, '@Retry', insideScope.retry, GOALS.stageInsideScope),
    times(TIMER, 'all six stages', insideScope.allStages, GOALS.allStagesInsideScope),
  ],
};

const UNJUDGED = { name: '@Retry @CircuitBreaker', takes: decorated.retryAndBreaker };

export const judgedResults: Comparison = {
  title: 'Results that predicates of @Retry and @CircuitBreaker judge, and find good',
  rows: [
    UNJUDGED,
    times(UNJUDGED, 'with both predicates', decorated.judgedResults, GOALS.judgedResults),
  ],
};

const COALESCE = times(TIMER, '@Coalesce', equalCalls.coalesce);
const LAST_GOOD = times(TIMER, '@Fallback({ lastGood })', equalCalls.lastGood);

export const equalCallsOfMethods: Comparison = {
  title: 'A method whose calls are told apart by an argument, and which answers with an object',
  rows: [
    TIMER,
    ...(
      [
        ['@Timeout({ totalMs })', equalCalls.allStagesAndTotal],
        ['@Coalesce', equalCalls.allStagesAndCoalesce],
        ['@Fallback({ lastGood })', equalCalls.allStagesAndLastGood],
      ] as const
    ).map(([stage, takes]) =>
      times(
        TIMER,
        `what ${stage} adds to all six stages`,
        [takes, equalCalls.allStages],
        GOALS.addedStage,
      ),
    ),
    COALESCE,
    ...peersWith('coalesce').map((each) => against(each, COALESCE)),
    LAST_GOOD,
    ...peersWith('lastGood').map((each) => against(each, LAST_GOOD)),
  ],
};

const HOT = { name: 'one that is hot', takes: decorated.allStages };

export const manyPlans: Comparison = {
  title: '200 methods with all six stages in use at once',
  rows: [HOT, times(HOT, 'one of 200', decorated.manyPlans, GOALS.manyPlans)],
};

const SHARED = { name: 'one for all', takes: keyed.shared };

export const keyedBreakers: Comparison = {
  title: 'A method with all six stages, whose breaker is by key, in 1,000 places',
  rows: [
    SHARED,
    times(SHARED, '1 key', keyed.oneKey, GOALS.keyed),
    times(SHARED, '1,000 keys', keyed.thousandKeys, GOALS.keyed),
    times(SHARED, '100,000 keys, ten calls each', keyed.visitors, GOALS.keyed),
    times(SHARED, '100,000 keys, each call a new one', keyed.strangers),
  ],
};

function cockatiel(pattern: Pattern): PeerCase {
  const found = peersWith(pattern).find(({ peer }) => peer.startsWith('cockatiel'));
  if (found === undefined) throw new Error(`cockatiel has no ${pattern}`);
  return found;
}
