import { Injectable } from '@nestjs/common';
import { CircuitBreaker } from 'nestjs-bulwark';
import { GOALS } from '../goals.js';
import { peerCases } from '../peers/peers.js';
import { provide } from './application.js';
import { ANSWER, PLAIN } from './baselines.js';
import { compare } from './comparison.js';

@Injectable()
class Client {
  @CircuitBreaker()
  async call(): Promise<number> {
    return ANSWER;
  }
}

export default compare({
  title: '@CircuitBreaker',
  source: import.meta.url,
  baseline: PLAIN,
  measure: 'above',
  own: [
    {
      name: '@CircuitBreaker',
      goal: GOALS.singleStage,
      setup: async () => {
        const client = await provide(Client);
        return () => client.call();
      },
    },
  ],
  peers: peerCases('circuitBreaker'),
});
