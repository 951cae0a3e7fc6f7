import baselines from '../cases/baselines.js';
import failures from '../cases/failures.js';
import openBreaker from '../cases/open-breaker.js';
import policies from '../cases/policies.js';
import { GOALS } from '../goals.js';
import { peersWith } from '../peers/peers.js';
import type { Comparison } from '../report/section.js';
import { against, PLAIN, times } from './rows.js';

const BREAKER = times(
  PLAIN,
  'breaker.execute',
  policies.circuitBreaker,
  GOALS.circuitBreakerPolicy,
);
const BULKHEAD = times(PLAIN, 'bulkhead.execute', policies.bulkhead, GOALS.bulkheadPolicy);
const RATE_LIMIT = times(PLAIN, 'rateLimit.execute', policies.rateLimit);

export const policiesAlone: Comparison = {
  title: 'A policy by itself, beside every peer',
  rows: [
    PLAIN,
    BREAKER,
    ...peersWith('circuitBreaker').map((each) => against(each, BREAKER, GOALS.policyBesidePeers)),
    BULKHEAD,
    ...peersWith('bulkhead').map((each) => against(each, BULKHEAD, GOALS.policyBesidePeers)),
    RATE_LIMIT,
    ...peersWith('rateLimit').map((each) => against(each, RATE_LIMIT, GOALS.policyBesidePeers)),
  ],
};

const THROWING = { name: 'throwing an Error', takes: baselines.throwing };
const REJECTION = times(THROWING, 'breaker.execute', openBreaker.policy, GOALS.rejection);

export const rejections: Comparison = {
  title: 'Rejection by an open breaker',
  rows: [
    THROWING,
    REJECTION,
    times(THROWING, '@CircuitBreaker', openBreaker.decorated, GOALS.decoratedRejection),
    ...peersWith('openBreaker').map((each) => against(each, REJECTION, GOALS.policyBesidePeers)),
  ],
};

const LONELY = { name: 'with few', takes: failures.few };

export const failuresInWindow: Comparison = {
  title: "A failure, by the calls in the breaker's window",
  rows: [LONELY, times(LONELY, 'with 1,000,000', failures.million, GOALS.failure)],
};
