import { Injectable } from '@nestjs/common';
import type { ResilienceModuleOptions } from 'nestjs-bulwark';
import { defineCases, type Loop, type Setup } from '../lab/case.js';
import { ALL_STAGES, decorateMethod, provide } from './application.js';
import { ANSWER } from './baselines.js';

const KEYS = 100_000;
const PLACES = 1_000;

const BY_KEY: ResilienceModuleOptions = {
  defaults: { circuitBreaker: { maxKeys: PLACES, key: (key: string) => key } },
};

/** A method with all six stages whose breaker is one for all keys, or one for each. */
export default defineCases(import.meta.url, {
  shared: callsOf({}, 1, 1),
  oneKey: callsOf(BY_KEY, 1, 1),
  /** As many as there are places. */
  thousandKeys: callsOf(BY_KEY, PLACES, 1),
  /** Through a hundredth as many places, each with ten calls in a row. */
  visitors: callsOf(BY_KEY, KEYS, 10),
  /** The same, where each call is of a key that has no place. */
  strangers: callsOf(BY_KEY, KEYS, 1),
});

/** @param inARow so many calls of each key */
function callsOf(options: ResilienceModuleOptions, count: number, inARow: number): Setup {
  return async (): Promise<Loop> => {
    class Client {
      async call(_key: string): Promise<number> {
        return ANSWER;
      }
    }
    decorateMethod(Client.prototype, 'call', ALL_STAGES);
    const client = await provide(Injectable()(Client) ?? Client, options);
    const keys = Array.from({ length: count }, (_, index) => `tenant-${index}`);
    let next = 0;
    return async (calls) => {
      for (let made = 0; made < calls; made++) {
        await client.call(keys[Math.floor(next / inARow)] as string);
        next = next + 1 === count * inARow ? 0 : next + 1;
      }
    };
  };
}
