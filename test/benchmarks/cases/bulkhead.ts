import { Injectable } from '@nestjs/common';
import { Bulkhead, BulkheadPolicy } from 'nestjs-bulwark';
import { GOALS } from '../goals.js';
import { peerCases } from '../peers/peers.js';
import { provide } from './application.js';
import { ANSWER, PLAIN, work } from './baselines.js';
import { compare } from './comparison.js';

@Injectable()
class Client {
  @Bulkhead()
  async call(): Promise<number> {
    return ANSWER;
  }
}

export default compare({
  title: 'Bulkhead',
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
    {
      name: '@Bulkhead',
      goal: GOALS.singleStage,
      setup: async () => {
        const client = await provide(Client);
        return () => client.call();
      },
    },
  ],
  peers: peerCases('bulkhead'),
});
