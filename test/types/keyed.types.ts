/** What compiles of what is kept by key, and what does not. */
import { expectTypeOf } from 'expect-type';
import {
  Bulkhead,
  CircuitBreaker,
  type CircuitBreakerPolicy,
  type CircuitBreakerRegistry,
  decoratorOf,
  defineStage,
  type KeyedPolicies,
  type MetricsRecorder,
  RateLimit,
  ResilienceModule,
  type ResilienceService,
  Retry,
  rules,
  type StageAttempt,
} from '../../lib/index.js';

declare const resilience: ResilienceService;
declare const breakers: CircuitBreakerRegistry;

const quota = defineStage({
  name: 'quota',
  named: 'quotas',
  options: { limit: rules.count },
  make: () => ({ admit: () => undefined, retention: 'idle' }),
});
const Quota = decoratorOf(quota);
const nameless = defineStage({
  name: 'nameless',
  options: { limit: rules.count },
  make: () => ({ admit: () => undefined }),
});
const Nameless = decoratorOf(nameless);

export class ByKey {
  readonly baseUrl = '';

  @CircuitBreaker('partner', { key: (tenant: string) => tenant })
  @Bulkhead('partner', { key: (_tenant: string, id: number) => id })
  @RateLimit('partner', { key: (tenant) => tenant })
  @Quota('partner', { key: (tenant: string) => tenant })
  @Retry({ budget: { name: 'partner', key: (tenant: string) => tenant } })
  async named(_tenant: string, _id: number): Promise<void> {}

  @CircuitBreaker({
    key(this: ByKey) {
      return this.baseUrl;
    },
    maxKeys: 10,
    idleMs: 1_000,
    keyLabel: true,
  })
  @Bulkhead({ maxConcurrent: 2, key: (tenant: string) => tenant })
  @RateLimit({ limit: 2, key: (tenant: string) => tenant })
  @Quota({ limit: 2, key: (tenant: string) => tenant })
  @Nameless({ limit: 2, key: (tenant: string) => tenant })
  @Retry({ budget: { ratio: 1, key: (tenant: string) => tenant, maxKeys: 5 } })
  async own(_tenant: string): Promise<void> {}

  // @ts-expect-error a key that takes a number where the method has a text
  @CircuitBreaker('partner', { key: (id: number) => id })
  async otherArguments(_tenant: string): Promise<void> {}

  // @ts-expect-error the same among options
  @Bulkhead({ maxConcurrent: 2, key: (id: number) => id })
  async otherOptions(_tenant: string): Promise<void> {}

  // @ts-expect-error the same of a rate limit
  @RateLimit({ limit: 2, key: (id: number) => id })
  async otherLimit(_tenant: string): Promise<void> {}

  // @ts-expect-error a key comes at once
  @CircuitBreaker('partner', { key: async (tenant: string) => tenant })
  async late(_tenant: string): Promise<void> {}

  // @ts-expect-error a key is a text or a number
  @Bulkhead({ key: () => undefined })
  async none(): Promise<void> {}

  // @ts-expect-error the number of keys is said with the options of the name
  @CircuitBreaker('partner', { key: (tenant: string) => tenant, maxKeys: 5 })
  async elsewhere(_tenant: string): Promise<void> {}

  // @ts-expect-error options have their key among them
  @CircuitBreaker({ failureThreshold: 1 }, { key: (tenant: string) => tenant })
  async twice(_tenant: string): Promise<void> {}

  // @ts-expect-error beside a name without a key
  @RateLimit('partner', {})
  async keyless(): Promise<void> {}

  // @ts-expect-error its instances have no names
  @Nameless('partner', { key: (tenant: string) => tenant })
  async unnamed(_tenant: string): Promise<void> {}

  // @ts-expect-error budgets have no metrics of their own
  @Retry({ budget: { key: (tenant: string) => tenant, keyLabel: true } })
  async labelled(_tenant: string): Promise<void> {}
}

ResilienceModule.forRoot({
  stages: [quota],
  breakers: { partner: { key: (tenant: string) => tenant, maxKeys: 5 } },
  quotas: { partner: { limit: 1, key: (tenant: string) => tenant } },
  retryBudgets: { partner: { key: (tenant: string) => tenant } },
  defaults: { bulkhead: { maxKeys: 5 } },
  services: {
    one: { circuitBreaker: { name: 'partner', key: (tenant: string) => tenant } },
    two: { rateLimit: { limit: 1, key: (tenant: string) => tenant }, quota: 'partner' },
    three: { quota: { name: 'partner', key: (tenant: string) => tenant } },
  },
});
ResilienceModule.forRoot({
  // @ts-expect-error a number of another type
  breakers: { partner: { key: (tenant: string) => tenant, maxKeys: '5' } },
});
ResilienceModule.forRoot({
  // @ts-expect-error a name without a key is the name alone
  services: { one: { circuitBreaker: { name: 'partner' } } },
});

expectTypeOf(breakers.keyed('partner')).toEqualTypeOf<KeyedPolicies<CircuitBreakerPolicy>>();
expectTypeOf(breakers.keyed('partner').forKey(7)).toEqualTypeOf<CircuitBreakerPolicy>();
// @ts-expect-error no key
breakers.keyed('partner').forKey(undefined);
expectTypeOf<StageAttempt['args']>().toEqualTypeOf<readonly unknown[]>();
expectTypeOf<StageAttempt['self']>().toEqualTypeOf<unknown>();
expectTypeOf<MetricsRecorder['forget']>().toBeNullable();
void resilience.execute('one', async () => 1, { args: ['acme'] });
// @ts-expect-error the arguments are a list
void resilience.execute('one', async () => 1, { args: 'acme' });
