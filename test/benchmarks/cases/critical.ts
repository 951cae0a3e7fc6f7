import { Injectable } from '@nestjs/common';
import { Critical } from 'nestjs-bulwark';
import { GOALS } from '../goals.js';

import { provide } from './application.js';
import { ANSWER, PLAIN } from './baselines.js';
import { compare } from './comparison.js';

@Injectable()
class Client {
  @Critical()
  async call(): Promise<number> {
    return ANSWER;
  }
}

export default compare({
  title: 'Critical',
  source: import.meta.url,
  baseline: PLAIN,
  measure: 'above',
  own: [
    {
      name: '@Critical',
      goal: GOALS.singleStage,
      setup: async () => {
        const client = await provide(Client);
        return () => client.call();
      },
    },
  ],
  peers: [],
});
