import {
  Bulkhead,
  CircuitBreaker,
  Critical,
  Fallback,
  RateLimit,
  type ResilienceModuleOptions,
  Retry,
  Timeout,
} from 'nestjs-bulwark';
import { defineCases, repeat, type Setup } from '../lab/case.js';
import { ALL_STAGES, boot, clientWith, type Decorator, provide } from './application.js';
import { UNREACHED } from './rates.js';

const PLANS = 200;

/** Decorated methods of a provider, called by nobody whom the library knows. */
export default defineCases(import.meta.url, {
  allStages: decoratedWith(...ALL_STAGES),
  /** With chaos in the application that comes to other operations. */
  allStagesBesideChaos: decoratedIn(
    { chaos: { rules: [{ operations: 'Other.*', error: true }], allowInProduction: true } },
    ...ALL_STAGES,
  ),
  allStagesAndRateLimit: decoratedWith(...ALL_STAGES, RateLimit(UNREACHED)),
  retry: decoratedWith(Retry()),
  circuitBreaker: decoratedWith(CircuitBreaker()),
  bulkhead: decoratedWith(Bulkhead()),
  rateLimit: decoratedWith(RateLimit(UNREACHED)),
  fallback: decoratedWith(Fallback(() => 0)),
  retryAndBreaker: decoratedWith(Retry(), CircuitBreaker()),
  judgedResults: decoratedWith(
    Retry({ retryableResults: isNegative }),
    CircuitBreaker({ isFailureResult: isNegative }),
  ),
  critical: decoratedWith(Critical()),
  timeout: decoratedWith(Timeout(1_000)),

  /** One after the other, as in an application that uses all of what it has. */
  manyPlans: async () => {
    const classes = Array.from({ length: PLANS }, (_, index) =>
      clientWith(ALL_STAGES, `Client${index}`),
    );
    const app = await boot(classes);
    const clients = classes.map((each) => app.get(each));
    let next = 0;
    return async (calls) => {
      for (let made = 0; made < calls; made++) {
        await clients[next]?.call();
        next = next + 1 === PLANS ? 0 : next + 1;
      }
    };
  },
});

function isNegative(result: number): boolean {
  return result < 0;
}

function decoratedWith(...decorators: Decorator[]): Setup {
  return decoratedIn({}, ...decorators);
}

function decoratedIn(options: ResilienceModuleOptions, ...decorators: Decorator[]): Setup {
  return async () => {
    const client = await provide(clientWith(decorators), options);
    return repeat(() => client.call());
  };
}
