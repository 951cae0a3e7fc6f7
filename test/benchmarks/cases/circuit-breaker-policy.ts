import { CircuitBreakerPolicy } from 'nestjs-bulwark';
import { GOALS } from '../goals.js';
import { peerCases } from '../peers/peers.js';
import { PLAIN, work } from './baselines.js';
import { compare } from './comparison.js';

/** In a process without pipelines, as for users of the policy alone: nobody opens an AsyncLocalStorage. */
export default compare({
  title: 'Circuit breaker, by itself',
  source: import.meta.url,
  baseline: PLAIN,
  measure: 'above',
  own: [
    {
      name: 'breaker.execute',
      goal: GOALS.policy,
      setup: () => {
        const breaker = new CircuitBreakerPolicy('breaker');
        return () => breaker.execute(work);
      },
    },
  ],
  peers: peerCases('circuitBreaker'),
});
