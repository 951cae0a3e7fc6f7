import { Injectable, type Type } from '@nestjs/common';
import { currentSignal, Retry, Timeout } from 'nestjs-bulwark';
import { defineCases, repeat, type Setup } from '../lab/case.js';
import { type Client, provide } from './application.js';
import { keep, work } from './baselines.js';

@Injectable()
class Deaf {
  @Retry()
  @Timeout(1_000)
  async call(): Promise<number> {
    return await work();
  }
}

@Injectable()
class Listening {
  @Retry()
  @Timeout(1_000)
  async call(): Promise<number> {
    keep(currentSignal());
    return await work();
  }
}

/** A decorated method that asks for its signal, and one that does not. */
export default defineCases(import.meta.url, {
  deaf: callsOf(Deaf),
  listening: callsOf(Listening),
});

function callsOf(provider: Type<Client>): Setup {
  return async () => {
    const client = await provide(provider);
    return repeat(() => client.call());
  };
}
