import { Injectable } from '@nestjs/common';
import { Retry, Timeout } from 'nestjs-bulwark';
import { defineCases, type Loop, repeat, type Setup } from '../lab/case.js';
import { ALL_STAGES, boot, clientWith, type Decorator } from './application.js';

/** Its deadline is around all that it does. */
@Injectable()
class Caller {
  @Timeout(3_600_000)
  async run(loop: Loop, calls: number): Promise<void> {
    await loop(calls);
  }
}

/** Decorated methods that are called within the scope of another, as in every HTTP route. */
export default defineCases(import.meta.url, {
  retry: insideScope(Retry()),
  allStages: insideScope(...ALL_STAGES),
});

function insideScope(...decorators: Decorator[]): Setup {
  return async () => {
    const Client = clientWith(decorators);
    const app = await boot([Caller, Client]);
    const caller = app.get(Caller);
    const client = app.get(Client);
    const loop = repeat(() => client.call());
    return (calls) => caller.run(loop, calls);
  };
}
