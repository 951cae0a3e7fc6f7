import { BulkheadPolicy } from 'nestjs-bulwark';
import { GOALS } from '../goals.js';
import { peerCases } from '../peers/peers.js';
import { PLAIN, work } from './baselines.js';
import { compare } from './comparison.js';

/** In a process without pipelines, as for users of the policy alone: nobody opens an AsyncLocalStorage. */
export default compare({
  title: 'Bulkhead, by itself',
  source: import.meta.url,
  baseline: PLAIN,
  measure: 'above',
  own: [
    {
      name: 'bulkhead.execute',
      goal: GOALS.policy,
      setup: () => {
        const bulkhead = new BulkheadPolicy('bulkhead');
        return () => bulkhead.execute(work);
      },
    },
  ],
  peers: peerCases('bulkhead'),
});
