import { Injectable } from '@nestjs/common';
import { CircuitBreaker, CircuitBreakerPolicy, InjectCircuitBreaker } from 'nestjs-bulwark';
import { GOALS } from '../goals.js';
import { peerCases } from '../peers/peers.js';
import { provide } from './application.js';
import { ANSWER, caught, THROW, work } from './baselines.js';
import { compare } from './comparison.js';

@Injectable()
class Client {
  constructor(@InjectCircuitBreaker('upstream') readonly breaker: CircuitBreakerPolicy) {}

  @CircuitBreaker('upstream')
  async call(): Promise<number> {
    return ANSWER;
  }
}

export default compare({
  title: 'Rejection by an open breaker',
  source: import.meta.url,
  baseline: THROW,
  measure: 'times',
  own: [
    {
      name: 'breaker.execute',
      goal: GOALS.rejection,
      setup: () => {
        const breaker = new CircuitBreakerPolicy('breaker');
        breaker.forceOpen();
        return caught(() => breaker.execute(work));
      },
    },
    {
      name: '@CircuitBreaker',
      goal: GOALS.decoratedRejection,
      setup: async () => {
        const client = await provide(Client, {
          breakers: { upstream: {} },
          errorTracker: { log: false },
        });
        client.breaker.forceOpen();
        return caught(() => client.call());
      },
    },
  ],
  peers: peerCases('openBreaker'),
});
