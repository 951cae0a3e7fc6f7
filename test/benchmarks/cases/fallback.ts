import { Injectable } from '@nestjs/common';
import { Fallback } from 'nestjs-bulwark';
import { GOALS } from '../goals.js';
import { peerCases } from '../peers/peers.js';
import { provide } from './application.js';
import { ANSWER, PLAIN } from './baselines.js';
import { compare } from './comparison.js';

@Injectable()
class Client {
  @Fallback(() => 0)
  async call(): Promise<number> {
    return ANSWER;
  }
}

export default compare({
  title: 'Fallback',
  source: import.meta.url,
  baseline: PLAIN,
  measure: 'above',
  own: [
    {
      name: '@Fallback',
      goal: GOALS.singleStage,
      setup: async () => {
        const client = await provide(Client);
        return () => client.call();
      },
    },
  ],
  peers: peerCases('fallback'),
});
