import { Injectable } from '@nestjs/common';
import {
  Bulkhead,
  CircuitBreaker,
  Critical,
  Fallback,
  Retry,
  Timeout,
  Upstream,
} from 'nestjs-bulwark';
import { GOALS } from '../goals.js';
import { peerCases } from '../peers/peers.js';
import { provide } from './application.js';
import { ANSWER, TIMER } from './baselines.js';
import { besideAsyncLocalStorage, type Comparison, compare, weighed } from './comparison.js';

@Injectable()
class Client {
  @Critical()
  @Upstream('upstream')
  @Retry()
  @CircuitBreaker()
  @Timeout(1_000)
  @Bulkhead()
  @Fallback(() => 0)
  async call(): Promise<number> {
    return ANSWER;
  }
}

const FULL_STACK: Comparison = {
  title: 'All stages',
  source: import.meta.url,
  baseline: TIMER,
  measure: 'times',
  own: [
    {
      name: 'decorated method of a provider',
      goal: GOALS.fullStack,
      peerGoal: GOALS.fullStackPeers,
      setup: async () => {
        const client = await provide(Client);
        return () => client.call();
      },
    },
  ],
  peers: peerCases('fullStack'),
  lesserPeers: peerCases('partialStack'),
};

export const fullStack = compare(FULL_STACK);
export const fullStackBesideAls = besideAsyncLocalStorage(FULL_STACK);
export const fullStackBytes = weighed(FULL_STACK, GOALS.fullStackBytes);

export default { source: import.meta.url, cases: fullStackBytes.cases };
