import { Injectable } from '@nestjs/common';
import { Timeout } from 'nestjs-bulwark';
import { GOALS } from '../goals.js';
import { peerCases } from '../peers/peers.js';
import { provide } from './application.js';
import { ANSWER, PLAIN } from './baselines.js';
import { compare } from './comparison.js';

@Injectable()
class Client {
  @Timeout(1_000)
  async call(): Promise<number> {
    return ANSWER;
  }
}

export default compare({
  title: 'Timeout',
  source: import.meta.url,
  baseline: PLAIN,
  measure: 'above',
  own: [
    {
      name: '@Timeout',
      goal: GOALS.singleStage,
      setup: async () => {
        const client = await provide(Client);
        return () => client.call();
      },
    },
  ],
  peers: peerCases('timeout'),
});
