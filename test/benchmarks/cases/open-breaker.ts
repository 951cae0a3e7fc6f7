import { CircuitBreaker, CircuitBreakerPolicy, getCircuitBreakerToken } from 'nestjs-bulwark';
import { defineCases, repeat } from '../lab/case.js';
import { boot, clientWith } from './application.js';
import { caught, work } from './baselines.js';

/** Calls that an open breaker rejects. */
export default defineCases(import.meta.url, {
  policy: () => {
    const breaker = new CircuitBreakerPolicy('breaker');
    breaker.forceOpen();
    return repeat(caught(() => breaker.execute(work)));
  },

  decorated: async () => {
    const Client = clientWith([CircuitBreaker('upstream')]);
    const app = await boot([Client], { breakers: { upstream: {} }, errorTracker: { log: false } });
    app.get<CircuitBreakerPolicy>(getCircuitBreakerToken('upstream')).forceOpen();
    const client = app.get(Client);
    return repeat(caught(() => client.call()));
  },
});
