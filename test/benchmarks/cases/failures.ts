import { CircuitBreakerPolicy } from 'nestjs-bulwark';
import { defineCases, repeat } from '../lab/case.js';
import { caught } from './baselines.js';

const CROWD = 1_000_000;
const RESET_EVERY = 1_000;

const error = new Error('It failed'); // one for all: to make one costs more than to count it
const fail = () => Promise.reject(error);
const succeed = async () => undefined;

function breaker(): CircuitBreakerPolicy {
  // It never opens while one call in the window has succeeded.
  return new CircuitBreakerPolicy('breaker', { windowMs: 3_600_000, failureRateThreshold: 100 });
}

/** A failure, by how many calls are in the breaker's window. */
export default defineCases(import.meta.url, {
  few: () => {
    const lonely = breaker();
    let calls = 0;
    return repeat(
      caught(async () => {
        if (calls++ % RESET_EVERY === 0) {
          lonely.reset();
          await lonely.execute(succeed);
        }
        return lonely.execute(fail);
      }),
    );
  },

  million: async () => {
    const crowded = breaker();
    for (let call = 0; call < CROWD; call++) await crowded.execute(succeed);
    let calls = 0;
    return repeat(
      caught(async () => {
        if (calls++ % RESET_EVERY === 0) await crowded.execute(succeed); // as the other does
        return crowded.execute(fail);
      }),
    );
  },
});
