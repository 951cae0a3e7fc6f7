import { Injectable } from '@nestjs/common';
import { Retry } from 'nestjs-bulwark';
import { GOALS } from '../goals.js';
import { peerCases } from '../peers/peers.js';
import { pipeline, provide } from './application.js';
import { ANSWER, PLAIN, work } from './baselines.js';
import { compare } from './comparison.js';

@Injectable()
class Client {
  @Retry()
  async call(): Promise<number> {
    return ANSWER;
  }
}

export default compare({
  title: 'Retry',
  source: import.meta.url,
  baseline: PLAIN,
  measure: 'above',
  own: [
    {
      name: 'pipeline({ retry }).execute',
      goal: GOALS.singleStage,
      setup: async () => {
        const retry = await pipeline({ retry: {} });
        return () => retry.execute(work);
      },
    },
    {
      name: '@Retry',
      goal: GOALS.singleStage,
      setup: async () => {
        const client = await provide(Client);
        return () => client.call();
      },
    },
  ],
  peers: peerCases('retry'),
});
