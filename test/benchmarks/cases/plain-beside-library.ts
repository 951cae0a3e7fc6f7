import { Bulkhead, CircuitBreaker, CircuitBreakerPolicy, Fallback, Retry } from 'nestjs-bulwark';
import { defineCases, repeat } from '../lab/case.js';
import { boot, clientWith } from './application.js';
import { work } from './baselines.js';

const CALLS = 1_000;

/** What is none of the library's business, in a process that has used it, without any deadline. */
export default defineCases(import.meta.url, {
  plain: async () => {
    const decorators = [Retry(), CircuitBreaker(), Bulkhead(), Fallback(() => 0)];
    const classes = [
      ...decorators.map((each, index) => clientWith([each], `Client${index}`)),
      clientWith(decorators, 'ClientWithAll'),
    ];
    const app = await boot(classes);
    const breaker = new CircuitBreakerPolicy('breaker');
    for (const each of classes) await repeat(() => app.get(each).call())(CALLS);
    await repeat(() => breaker.execute(work))(CALLS);
    return async (calls) => {
      for (let made = 0; made < calls; made++) await work();
    };
  },
});
