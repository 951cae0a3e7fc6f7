import { Injectable, type Type } from '@nestjs/common';
import { Coalesce, Fallback, Timeout } from 'nestjs-bulwark';
import { defineCases, repeat, type Setup } from '../lab/case.js';
import { ALL_STAGES, type Decorator, decorateMethod, provide } from './application.js';

interface Product {
  id: number;
  name: string;
  price: { amount: number; currency: string };
}

interface Client {
  find(id: number): Promise<Product>;
}

const LAST_GOOD = { maxAgeMs: 60_000 };

/** Methods with an argument and an object for an answer, which calls are told apart by, and which is copied. */
export default defineCases(import.meta.url, {
  allStages: findingWith(...ALL_STAGES),
  allStagesAndTotal: findingWith(
    ...ALL_STAGES.filter((_, index) => index !== 4),
    Timeout({ attemptMs: 1_000, totalMs: 5_000 }) as Decorator,
  ),
  allStagesAndCoalesce: findingWith(...ALL_STAGES, Coalesce() as Decorator),
  allStagesAndLastGood: findingWith(
    ...ALL_STAGES.slice(0, -1),
    Fallback({ handler: () => 0, lastGood: LAST_GOOD } as never) as Decorator,
  ),
  coalesce: findingWith(Coalesce() as Decorator),
  lastGood: findingWith(Fallback({ lastGood: LAST_GOOD }) as Decorator),
});

function findingWith(...decorators: Decorator[]): Setup {
  return async () => {
    const client = await provide(clientWith(decorators));
    return repeat(() => client.find(7));
  };
}

function clientWith(decorators: readonly Decorator[]): Type<Client> {
  class Decorated implements Client {
    async find(id: number): Promise<Product> {
      return { id, name: 'seven', price: { amount: 7, currency: 'EUR' } };
    }
  }
  decorateMethod(Decorated.prototype, 'find', decorators);
  return Injectable()(Decorated) ?? Decorated;
}
