/**
 * What compiles and what does not: checked by `npm run typecheck`. A `@ts-expect-error` above code
 * that compiles is an error itself.
 */
import { Injectable } from '@nestjs/common';
import { expectTypeOf } from 'expect-type';
import { BehaviorSubject, type Observable, of } from 'rxjs';
import {
  type AttemptContext,
  Bulkhead,
  CircuitBreaker,
  type CircuitBreakerPolicy,
  Coalesce,
  Critical,
  type CurrentAttempt,
  currentAttempt,
  currentSignal,
  decoratorOf,
  defineStage,
  type ErrorTracker,
  Fallback,
  type InMemoryMetrics,
  type Pipeline,
  RateLimit,
  RateLimitPolicy,
  Resilience,
  type ResilienceEvent,
  ResilienceModule,
  type ResilienceService,
  Retry,
  rules,
  Timeout,
  type UpcomingAttempt,
  Upstream,
} from '../../lib/index.js';

interface Order {
  id: string;
}
interface Receipt {
  state: 'charged' | 'queued';
}
interface GoodKeys {
  prefix: string;
}
declare const receipt: Receipt;

@Retry()
@Critical(false)
@Injectable()
export class GoodUse {
  @Critical()
  @Upstream('payments')
  @Retry(4)
  @CircuitBreaker('payments')
  @Timeout({ attempt: 'payments.client', totalMs: 5_000 })
  @Bulkhead({ maxConcurrent: 2 })
  @Fallback('queue')
  async charge(_order: Order): Promise<Receipt> {
    return receipt;
  }

  async queue(_order: Order, _error: unknown): Promise<Receipt> {
    return receipt;
  }

  @Retry({ maxAttempts: 3, retryableErrors: [TypeError], jitter: 'equal' })
  @Fallback((_error, order: Order) => ({ state: order.id === '' ? 'charged' : 'queued' }))
  async withFunction(_order: Order, _note?: string): Promise<Receipt> {
    return receipt;
  }

  @Retry({ beforeRetry: 'reconnect', delayMs: [100, 1_000] })
  async withMethodBefore(): Promise<void> {}

  async reconnect({ attempt, error, signal }: UpcomingAttempt): Promise<number> {
    expectTypeOf(error).toBeUnknown();
    return signal.aborted ? 0 : attempt;
  }

  @Retry({
    beforeRetry: ({ attempt }) => attempt,
    delayMs: (attempt, _error, before = 0) => before + attempt,
  })
  async withFunctionBefore(): Promise<void> {
    expectTypeOf(currentAttempt()).toEqualTypeOf<CurrentAttempt>();
  }

  @Retry({ beforeRetry: 'hiddenReconnect' })
  async withHiddenBefore(): Promise<unknown> {
    return this.hiddenReconnect;
  }

  private async hiddenReconnect(): Promise<void> {}

  @Retry({ retryableResults: ({ state }: Receipt, attempt) => state === 'queued' && attempt < 3 })
  @CircuitBreaker({ isFailureResult: ({ state }: Receipt) => state === 'queued' })
  @Fallback({ handler: () => receipt, whenResult: ({ state }: Receipt) => state === 'queued' })
  async withFailedResults(): Promise<Receipt> {
    return receipt;
  }

  @Timeout(100)
  @Fallback({ handler: () => [], when: (error) => error instanceof TypeError })
  async list(): Promise<string[]> {
    return [];
  }

  @Fallback(() => of(1))
  @Retry('quick')
  stream(): Observable<number> {
    return of(1);
  }

  @Fallback(() => 0)
  value(): Observable<number> {
    return of(1);
  }

  @Resilience('geo')
  protected async inherited(..._names: string[]): Promise<void> {}

  @Retry()
  private async hidden<T>(it: T): Promise<T> {
    return it;
  }

  @Fallback('hiddenFallback')
  async withPrivateFallback(_id: string): Promise<number> {
    await this.hidden(1);
    return 1;
  }

  private async hiddenFallback(_id: string, _error: unknown): Promise<number> {
    return 0;
  }

  /** Used through its name only. */
  uses(): unknown {
    return this.hiddenFallback;
  }

  @Fallback((...all: unknown[]): unknown => all)
  async answeredByAnything(_id: string): Promise<string> {
    return '';
  }

  @Fallback('records')
  async recorded(_id: string): Promise<string> {
    return '';
  }

  async records(...all: unknown[]): Promise<unknown> {
    return all;
  }

  @Fallback(() => ['a', 1])
  async tuple(): Promise<[string, number]> {
    return ['a', 1];
  }

  @Fallback('overloadedFallback')
  async optional(_id: string, _limit?: number): Promise<number> {
    return 1;
  }

  async overloadedFallback(_id: string, _limit: number | undefined, _error: unknown) {
    return 0;
  }
}

export class Misuse {
  // @ts-expect-error a synchronous method
  @Retry()
  sync(): string {
    return '';
  }

  // @ts-expect-error a synchronous method
  @Timeout(5)
  nothing(): void {}

  // @ts-expect-error a breaker is a name, or options
  @CircuitBreaker(5)
  async wrongArgument(): Promise<void> {}

  // @ts-expect-error a typo in an option
  @Retry({ maxAttemps: 4 })
  async typo(): Promise<void> {}

  // @ts-expect-error a typo in an option
  @CircuitBreaker({ failureTreshold: 4 })
  async breakerTypo(): Promise<void> {}

  @Retry({
    beforeRetry: () => {
      throw new Error('in vain');
    },
  })
  async throwingBefore(): Promise<void> {}

  @Retry(2)
  @CircuitBreaker('rows')
  @Coalesce()
  @Fallback(async function* () {
    yield 0;
  })
  async *rows(_table: string): AsyncGenerator<number, string, boolean> {
    yield 1;
    return '';
  }

  @Fallback(() => 0)
  async *firstRow(): AsyncGenerator<number> {}

  // @ts-expect-error the fallback answers with another type
  @Fallback(() => 'none')
  async *otherRows(): AsyncGenerator<number> {}

  // @ts-expect-error what is named wants something else than the retry
  @Retry({ beforeRetry: 'wantsOrder' })
  async wrongBefore(): Promise<void> {}

  async wantsOrder(_order: Order): Promise<void> {}

  // @ts-expect-error what is named is no method
  @Retry({ beforeRetry: 'orders' })
  async noMethodBefore(): Promise<void> {}

  orders = 1;

  // @ts-expect-error nobody subscribes to it
  @Retry({ beforeRetry: () => of(1) })
  async streamBefore(): Promise<void> {}

  // @ts-expect-error a wait is needed at once
  @Retry({ delayMs: async () => 1 })
  async lateDelay(): Promise<void> {}

  // @ts-expect-error a wait is a number
  @Retry({ delayMs: ['100'] })
  async textDelay(): Promise<void> {}

  // @ts-expect-error a predicate that answers later
  @Retry({ retryableResults: async () => true })
  async lateRetry(): Promise<void> {}

  // @ts-expect-error a predicate that answers later
  @CircuitBreaker({ isFailureResult: async () => true })
  async lateBreaker(): Promise<void> {}

  // @ts-expect-error a predicate that answers later
  @Fallback({ handler: () => undefined, whenResult: async () => true })
  async lateFallback(): Promise<void> {}

  // @ts-expect-error a jitter that there is not
  @Retry({ jitter: 'some' })
  async jitter(): Promise<void> {}

  // @ts-expect-error a layer that no hierarchy has
  @Timeout('payments.clint')
  async layer(): Promise<void> {}

  @Coalesce()
  async coalesced(_id: string): Promise<void> {}

  @Coalesce({ key: (id: string) => id })
  async coalescedByKey(_id: string, _more: number): Promise<void> {}

  @Coalesce({
    key(this: GoodKeys, id: string) {
      return this.prefix + id;
    },
  })
  async coalescedByThis(_id: string): Promise<void> {}

  // @ts-expect-error a key that takes a number where the method has a text
  @Coalesce({ key: (id: number) => `${id}` })
  async otherArguments(_id: string): Promise<void> {}

  // @ts-expect-error a key that is neither a text nor a number
  @Coalesce({ key: (id: string) => id === '' })
  async numericKey(_id: string): Promise<void> {}

  // @ts-expect-error a key that is not there at once
  @Coalesce({ key: async (id: string) => id })
  async lateKey(_id: string): Promise<void> {}

  // @ts-expect-error a synchronous method
  @Coalesce()
  syncCoalesced(_id: string): void {}

  @Fallback({ lastGood: { maxAgeMs: 60_000 } })
  async lastGood(_id: string): Promise<Receipt> {
    return receipt;
  }

  @Fallback({ handler: 'lastGoodThen', lastGood: { maxAgeMs: 60_000, key: (id: string) => id } })
  async lastGoodBefore(_id: string, _more?: number): Promise<Receipt> {
    return receipt;
  }

  lastGoodThen(_id: string, _more: number | undefined, _error: unknown): Receipt {
    return receipt;
  }

  // @ts-expect-error neither a handler nor a last success
  @Fallback({ when: () => true })
  async noFallback(): Promise<void> {}

  // @ts-expect-error without an age
  @Fallback({ lastGood: { maxEntries: 5 } })
  async ageless(_id: string): Promise<void> {}

  // @ts-expect-error a key that takes a number where the method has a text
  @Fallback({ lastGood: { maxAgeMs: 5, key: (id: number) => `${id}` } })
  async lastGoodByOther(_id: string): Promise<void> {}

  // @ts-expect-error the same beside a handler
  @Fallback({ handler: () => undefined, lastGood: { maxAgeMs: 5, key: (id: number) => `${id}` } })
  async handledByOther(_id: string): Promise<void> {}

  // @ts-expect-error a total by a layer that no hierarchy has
  @Timeout({ total: 'payments.clint' })
  async totalLayer(): Promise<void> {}

  // @ts-expect-error an attempt's time both ways
  @Timeout({ attempt: 'payments.client', attemptMs: 5, totalMs: 100 })
  async bothWays(): Promise<void> {}

  // @ts-expect-error a typo in an option
  @Timeout({ totalTimeoutMs: 100 })
  async totalTypo(): Promise<void> {}

  // @ts-expect-error the fallback wants a number where the method has a string
  @Fallback((_error, _id: number) => 'x')
  async wrongArguments(_id: string): Promise<string> {
    return '';
  }

  // @ts-expect-error the fallback takes the argument where it gets the error
  @Fallback((id: string) => id)
  async argumentInPlaceOfError(_id: string): Promise<string> {
    return '';
  }

  // @ts-expect-error the same, of an object
  @Fallback({ handler: (order: Order) => order.id })
  async orderInPlaceOfError(_order: Order, _limit?: number): Promise<string> {
    return '';
  }

  // @ts-expect-error the same, of an optional argument
  @Fallback((id: string) => id)
  async optionalInPlaceOfError(_id?: string): Promise<string> {
    return '';
  }

  @Fallback((error: Error, id: string) => error.message + id)
  async errorFirst(_id: string): Promise<string> {
    return '';
  }

  @Fallback((error: TypeError) => error.message)
  async narrowErrorFirst(_error: TypeError): Promise<string> {
    return '';
  }

  @Fallback((error: { status?: number }, id: string) => `${id} ${error.status}`)
  async shapeFirst(_id: string): Promise<string> {
    return '';
  }

  @Fallback((error: { status: number }) => `${error.status}`)
  // biome-ignore lint/suspicious/noExplicitAny: which says nothing of what it takes
  async anything(_arg: any): Promise<string> {
    return '';
  }

  // @ts-expect-error the fallback answers with another type
  @Fallback(() => 42)
  async wrongAnswer(): Promise<string> {
    return '';
  }

  // @ts-expect-error the fallback answers with another type
  @Fallback({ handler: () => 42 })
  async wrongAnswerByOptions(): Promise<string> {
    return '';
  }

  // @ts-expect-error the fallback method answers with another type
  @Fallback('answersNumber')
  async wrongMethod(_id: string): Promise<string> {
    return '';
  }

  async answersNumber(_id: string, _error: unknown): Promise<number> {
    return 1;
  }

  // @ts-expect-error the fallback method wants another argument
  @Fallback('wantsNumber')
  async wrongMethodArguments(_id: string): Promise<string> {
    return '';
  }

  async wantsNumber(_id: number, _error: unknown): Promise<string> {
    return '';
  }
}

ResilienceModule.forRoot({
  breakers: { payments: { failureThreshold: 5 } },
  services: { geo: { timeoutMs: 500, retry: 'quick' } },
});

// @ts-expect-error a typo in an option
ResilienceModule.forRoot({ breaker: {} });

// @ts-expect-error a hierarchy without a layer
ResilienceModule.forRoot({ timeouts: { payments: { client: 1, gateway: 2 } } });

expectTypeOf(currentSignal).returns.toEqualTypeOf<AbortSignal>();

export async function shapes(
  service: ResilienceService,
  pipeline: Pipeline,
  breaker: CircuitBreakerPolicy,
  tracker: ErrorTracker,
  metrics: InMemoryMetrics,
  event: ResilienceEvent,
) {
  expectTypeOf(service.execute('geo', async () => 1)).resolves.toEqualTypeOf<number>();
  expectTypeOf(pipeline.execute(async ({ attempt }) => attempt)).resolves.toEqualTypeOf<number>();
  expectTypeOf(pipeline.observe(() => of('a'))).toEqualTypeOf<Observable<string>>();
  expectTypeOf(breaker.execute).parameter(0).parameter(0).toEqualTypeOf<AttemptContext>();
  expectTypeOf(tracker.getMetrics().byType).toEqualTypeOf<Map<string, number>>();
  expectTypeOf(metrics.get('requests.total')).toEqualTypeOf<number>();
  if (event.type === 'retry') expectTypeOf(event.attempt).toEqualTypeOf<number>();
  // @ts-expect-error only a retry has an attempt
  event.attempt;
}

/** As Prisma, Mongoose and Knex have them. */
interface Query<T> extends PromiseLike<T> {
  lean(): Query<T>;
}
interface BranchedPromise<T> extends Promise<T> {
  cancel(): void;
}
declare const query: Query<string>;
declare const cancellable: BranchedPromise<string>;

export class Subtypes<Entity> {
  // @ts-expect-error callers get a Promise, which has no lean()
  @Retry()
  query(): Query<string> {
    return query;
  }
  // @ts-expect-error callers get a plain Promise, which has no cancel()
  @Timeout(100)
  cancellable(): BranchedPromise<string> {
    return cancellable;
  }
  // @ts-expect-error callers get an Observable, which has no getValue()
  @CircuitBreaker('payments')
  state(): BehaviorSubject<number> {
    return new BehaviorSubject(1);
  }
  // @ts-expect-error the same with a fallback
  @Fallback(() => of(0))
  stateOrZero(): BehaviorSubject<number> {
    return new BehaviorSubject(1);
  }
  // @ts-expect-error one of two is enough
  @Retry()
  eitherWay(streams: boolean): Promise<number> | BehaviorSubject<number> {
    return streams ? new BehaviorSubject(1) : Promise.resolve(1);
  }

  @Retry()
  async awaited(): Promise<string> {
    return query;
  }
  @Retry()
  thenable(): PromiseLike<string> {
    return query;
  }
  @Retry()
  values(): Observable<number> {
    return new BehaviorSubject(1);
  }
  @Retry()
  async entity(): Promise<Entity | undefined> {
    return undefined;
  }
  @Retry()
  entities(): Observable<Entity[]> {
    return of([]);
  }
  @Retry()
  async generic<T>(value: T): Promise<T> {
    return value;
  }
  @Retry()
  // biome-ignore lint/suspicious/noExplicitAny: what untyped clients return
  anything(): any {
    return query;
  }
  @Retry()
  failing(): never {
    throw new Error('down');
  }
  @Retry()
  either(streams: boolean): Promise<number> | Observable<number> {
    return streams ? of(1) : Promise.resolve(1);
  }
}

export class UsesRateLimits {
  @RateLimit()
  async byDefaults(): Promise<void> {}
  @RateLimit('maps')
  async name(): Promise<void> {}
  @RateLimit({ burst: 5 }) // the limit is the class's, or that of the defaults
  async part(): Promise<void> {}
  @RateLimit({ limit: 5, weight: (orders: Order[], factor: number) => orders.length * factor })
  async weighed(_orders: Order[], _factor: number): Promise<void> {}
  // @ts-expect-error neither a name nor options
  @RateLimit(5)
  async number(): Promise<void> {}
  // @ts-expect-error an unknown option
  @RateLimit({ limit: 5, maxWait: 10 })
  async unknown(): Promise<void> {}
  // @ts-expect-error a weight that takes a number where the method has a text
  @RateLimit({ limit: 5, weight: (size: number) => size })
  async weighedByOther(_name: string): Promise<void> {}

  // @ts-expect-error a weight is needed at once
  @RateLimit({ limit: 5, weight: async () => 1 })
  async later(): Promise<void> {}
  // @ts-expect-error no Promise and no Observable
  @RateLimit({ limit: 5 })
  plain(): void {}
}

new RateLimitPolicy('maps', { limit: 5 });
// @ts-expect-error its limit is missing
new RateLimitPolicy('maps', { burst: 5 });
ResilienceModule.forRoot({
  rateLimits: { maps: { limit: 5, intervalMs: 60_000 } },
  defaults: { rateLimit: { maxWaitMs: 100 } },
  services: { maps: { rateLimit: 'maps' }, mail: { rateLimit: { limit: 5 } } },
});
// @ts-expect-error an option of another type
ResilienceModule.forRoot({ rateLimits: { maps: { limit: '5' } } });

const concurrency = defineStage({
  name: 'concurrency',
  named: 'concurrencies',
  options: { atMost: rules.count, how: rules.oneOf('strictly', 'loosely') },
  defaults: { atMost: 10 },
  short: (atMost: number) => ({ atMost }),
  make(name, { atMost, how }, host) {
    expectTypeOf(name).toEqualTypeOf<string>();
    expectTypeOf(atMost).toEqualTypeOf<number>();
    expectTypeOf(how).toEqualTypeOf<'strictly' | 'loosely' | undefined>();
    let running = 0;
    return {
      admit(attempt) {
        expectTypeOf(attempt.operation).toEqualTypeOf<string>();
        if (++running > atMost) throw host.refusal({ retryAfterMs: 5 });
        return running;
      },
      finished: () => void running--,
      snapshot: () => ({ running }),
    };
  },
  health: ({ running }) => (running > 10 ? 'degraded' : 'up'),
});
const unnamed = defineStage({
  name: 'unnamed',
  options: {},
  make: () => ({ admit: () => undefined }),
});
const Concurrency = decoratorOf(concurrency);
const Unnamed = decoratorOf(unnamed);

export class UsesOwnStages {
  @Concurrency()
  @Unnamed()
  async none(): Promise<void> {}
  @Concurrency('db')
  async name(): Promise<void> {}
  @Concurrency(5)
  async short(): Promise<void> {}
  @Concurrency({ how: 'strictly' })
  async options(): Promise<void> {}
  // @ts-expect-error an unknown option
  @Concurrency({ atmost: 1 })
  async unknown(): Promise<void> {}
  // @ts-expect-error an option of another type
  @Concurrency({ how: 'often' })
  async wrong(): Promise<void> {}
  // @ts-expect-error its instances have no names
  @Unnamed('db')
  async nameless(): Promise<void> {}
  // @ts-expect-error no Promise and no Observable
  @Concurrency()
  plain(): void {}
}

ResilienceModule.forRoot({
  stages: [concurrency, unnamed],
  concurrencies: { db: { atMost: 5 } },
  defaults: { concurrency: { atMost: 5 }, retry: { maxAttempts: 2 } },
  services: { pay: { concurrency: 'db', unnamed: {}, retry: 2 as unknown as string } },
});
ResilienceModule.forFeature<[typeof concurrency]>({ concurrencies: { db: { how: 'loosely' } } });
ResilienceModule.forRootAsync({
  useFactory: () => ({ stages: [concurrency], concurrencies: { db: { atMost: 5 } } }),
});
// @ts-expect-error the stage is not among the application's
ResilienceModule.forRoot({ stages: [unnamed], concurrencies: {} });
// @ts-expect-error an option of another type
ResilienceModule.forRoot({ stages: [concurrency], concurrencies: { db: { atMost: '5' } } });
ResilienceModule.forRoot({
  stages: [concurrency],
  // @ts-expect-error what a bundle says of it is of another type
  services: { pay: { concurrency: { atMost: true } } },
});
