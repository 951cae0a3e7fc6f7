import { CircuitBreakerPolicy } from 'nestjs-bulwark';
import { caught } from '../cases/baselines.js';
import { GOALS } from '../goals.js';
import type { Case } from '../lab/case.js';
import type { Section } from '../report/section.js';

const CROWD = 1_000_000;
const RESET_EVERY = 1_000;

const error = new Error('It failed'); // one for all: to make one costs more than to count it
const fail = () => Promise.reject(error);
const succeed = async () => undefined;

function breaker(): CircuitBreakerPolicy {
  // It never opens while one call in the window has succeeded.
  return new CircuitBreakerPolicy('breaker', { windowMs: 3_600_000, failureRateThreshold: 100 });
}

const FEW: Case = {
  name: 'a failure, with few calls in the window',
  setup: () => {
    const lonely = breaker();
    let calls = 0;
    return caught(async () => {
      if (calls++ % RESET_EVERY === 0) {
        lonely.reset();
        await lonely.execute(succeed);
      }
      return lonely.execute(fail);
    });
  },
};

const MANY: Case = {
  name: 'a failure, with 1,000,000 calls in the window',
  setup: async () => {
    const crowded = breaker();
    for (let call = 0; call < CROWD; call++) await crowded.execute(succeed);
    let calls = 0;
    return caught(async () => {
      if (calls++ % RESET_EVERY === 0) await crowded.execute(succeed); // as the other does
      return crowded.execute(fail);
    });
  },
};

const module = { source: import.meta.url, cases: [FEW, MANY] };
export default module;

export const failures: Section = {
  title: "A failure, by what is in the breaker's window",
  async measure(lab) {
    const rounds = await lab.race([{ module, names: [FEW.name, MANY.name] }]);
    return [
      { name: FEW.name, ns: rounds.median(FEW.name) },
      {
        name: MANY.name,
        ns: rounds.median(MANY.name),
        value: rounds.median((of) => of(MANY.name) / of(FEW.name)),
        unit: '× with few',
        goal: GOALS.failure,
      },
    ];
  },
};
