import { AssertionError } from 'node:assert';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Injectable, Module, type Provider, Scope } from '@nestjs/common';
import { LazyModuleLoader } from '@nestjs/core';
import { Test, type TestingModule, type TestingModuleBuilder } from '@nestjs/testing';
import { lastValueFrom, type Observable, of } from 'rxjs';
import {
  Bulkhead,
  type BulkheadPolicy,
  BulkheadRejectedError,
  CircuitBreaker,
  CircuitBreakerOpenError,
  type CircuitBreakerPolicy,
  Fallback,
  getCircuitBreakerToken,
  InjectBulkhead,
  RateLimit,
  RateLimitedError,
  Resilience,
  ResilienceModule,
  ResilienceService,
  Retry,
  Timeout,
  TimeoutError,
} from '../../lib/index.js';
import {
  expectCalls,
  ResilienceTesting,
  ResilienceTestingModule,
  type ResilienceTestingOptions,
  virtualClock,
} from '../../lib/testing/index.js';
import { failure, never, watch } from '../support/resilience-app.js';

const open: TestingModule[] = [];
afterEach(async () => {
  for (const module of open.splice(0)) await module.close();
});

async function started(builder: TestingModuleBuilder): Promise<TestingModule> {
  const module = await builder.compile();
  await module.init();
  open.push(module);
  return module;
}

function boot(providers: Provider[], given?: ResilienceTestingOptions): Promise<TestingModule> {
  const imports = [ResilienceTestingModule.forRoot(given)];
  return started(Test.createTestingModule({ imports, providers }));
}

function raised(assertion: () => void): AssertionError {
  try {
    assertion();
  } catch (error) {
    if (error instanceof AssertionError) return error;
    throw error;
  }
  throw new Error('It was expected to fail');
}

@Injectable()
class Payments {
  failures = 0;
  calls = 0;

  constructor(@InjectBulkhead('write') readonly slots: BulkheadPolicy) {}

  @Retry('patient')
  @CircuitBreaker('payments')
  @RateLimit('partner')
  @Timeout('payments.client')
  @Bulkhead('write')
  async charge(): Promise<string> {
    this.calls++;
    if (this.failures-- > 0) throw new Error('down');
    return 'charged';
  }

  @Resilience('refunds')
  async refund(): Promise<string> {
    return 'refunded';
  }

  @Retry({ maxAttempts: 3, baseDelayMs: 5_000, jitter: 'none', budget: 'shared' })
  @Fallback(() => 'queued')
  async later(): Promise<string> {
    this.calls++;
    throw new Error('down');
  }

  @Timeout(50)
  async hang(): Promise<string> {
    return never();
  }

  @RateLimit('tenants', { key: (tenant: string) => tenant })
  @CircuitBreaker('tenants', { key: (tenant: string) => tenant })
  async report(tenant: string): Promise<string> {
    return tenant;
  }

  async bare(): Promise<void> {}
}

@Injectable({ scope: Scope.REQUEST })
class Basket {
  @CircuitBreaker('basket')
  async total(): Promise<number> {
    return 1;
  }
}

/** Of an application whose breaker opens at the first failure, and which alerts. */
@Module({
  imports: [
    ResilienceModule.forRootAsync({
      useFactory: () => ({
        breakers: { payments: { failureThreshold: 1 } },
        retries: { patient: { maxAttempts: 1 } },
        bulkheads: { write: {} },
        rateLimits: { partner: { limit: 10 }, tenants: { limit: 10 } },
        alerts: { sendCritical: () => never() },
      }),
    }),
    ResilienceModule.forFeature({
      timeouts: { payments: { client: 1_000, gateway: 2_000, service: 3_000 } },
    }),
  ],
  providers: [Payments],
})
class AppModule {}

describe('ResilienceTestingModule', () => {
  it('refuses to be imported as it is, which would do nothing', async () => {
    const builder = Test.createTestingModule({ imports: [ResilienceTestingModule] });
    expect(await failure(builder.compile())).toMatchObject({
      name: 'ResilienceConfigurationError',
      message: expect.stringContaining('allowed: ResilienceTestingModule.forRoot()'),
    });
  });

  it('registers what decorated classes name and nobody has registered', async () => {
    const module = await boot([Payments]);
    const payments = module.get(Payments);
    expect(await payments.charge()).toBe('charged');
    expect(await payments.refund()).toBe('refunded');
    expect(await payments.report('acme')).toBe('acme');
    expect(payments.slots.name).toBe('write');
    const token = getCircuitBreakerToken('payments');
    expect(module.get<CircuitBreakerPolicy>(token).name).toBe('payments');
    expect(await module.get(ResilienceService).execute('unheard', async () => 1)).toBe(1);
  });

  it('says of what it has made up that a module which is loaded lazily registers it too late', async () => {
    const module = await boot([Payments]);
    await module.get(ResilienceService).execute('unheard', async () => 1);
    const loading = (features: Parameters<typeof ResilienceModule.forFeature>[0]) => {
      @Module({ imports: [ResilienceModule.forFeature(features)] })
      class Late {}
      return module.get(LazyModuleLoader).load(() => Late);
    };
    expect(await failure(loading({ breakers: { payments: {} } }))).toMatchObject({
      message: expect.stringContaining(
        'breakers.payments: comes too late: ResilienceTestingModule has made the circuit breaker "payments" up, as Payments.charge',
      ),
    });
    expect(await failure(loading({ retryBudgets: { shared: {} } }))).toMatchObject({
      message: expect.stringContaining('has made the retry budget "shared" up, as Payments.later'),
    });
    expect(await failure(loading({ retries: { patient: {} } }))).toMatchObject({
      message: expect.stringContaining(
        'retries.patient: comes too late: ResilienceTestingModule has made the retry options "patient" up, as Payments.charge',
      ),
    });
    const times = { client: 1_000, gateway: 2_000, service: 3_000 };
    expect(await failure(loading({ timeouts: { payments: times } }))).toMatchObject({
      message: expect.stringContaining('has made the timeout "payments" up, as Payments.charge'),
    });
    expect(await failure(loading({ services: { refunds: {} } }))).toMatchObject({
      message: expect.stringContaining('has made the service "refunds" up, as Payments.refund'),
    });
    expect(await failure(loading({ services: { unheard: {} } }))).toMatchObject({
      message: expect.stringContaining('up, as ResilienceService.execute("unheard") named it'),
    });
    await loading({ breakers: { others: {} }, retries: { others: {} }, services: { others: {} } });
  });

  it('takes the options of what is registered', async () => {
    const module = await boot([Payments], {
      options: {
        breakers: { payments: { failureThreshold: 1 } },
        retries: { patient: { maxAttempts: 1 } },
      },
    });
    const payments = module.get(Payments);
    payments.failures = 1;
    await failure(payments.charge());
    const resilience = module.get(ResilienceTesting);
    resilience.breaker('payments').toBeOpen();
    expect(() => resilience.breaker('payment')).toThrow('did you mean payments?');
  });

  it('stands beside an application that has a ResilienceModule of its own', async () => {
    const testing = ResilienceTestingModule.forApplication({ mode: 'fail-fast' });
    const module = await started(Test.createTestingModule({ imports: [AppModule, testing] }));
    const payments = module.get(Payments);
    payments.failures = 1;
    await failure(payments.charge());
    module.get(ResilienceTesting).breaker('payments').toBeOpen();
    expectCalls(payments, 'charge').toHave({ calls: 1, attempts: 1, outcome: 'failure' });
  });

  it('takes the place of a ResilienceModule that a test has in its hands', async () => {
    const resilience = ResilienceModule.forRoot({
      breakers: { payments: { failureThreshold: 1 } },
    });
    @Module({ imports: [resilience], providers: [Payments] })
    class App {}
    const module = await started(
      Test.createTestingModule({ imports: [App] })
        .overrideModule(resilience as never)
        .useModule(ResilienceTestingModule.forRoot() as never),
    );
    expect(await module.get(Payments).charge()).toBe('charged');
    expectCalls(Payments, 'charge').toHave({ calls: 1 });
  });

  it('serves objects of one request each', async () => {
    const module = await boot([Basket]);
    const basket = await module.resolve(Basket);
    expect(await basket.total()).toBe(1);
    expectCalls(basket, 'total').toHave({ calls: 1, outcome: 'success' });
  });

  it('says where it has no application, where it is twice, and what is no mode', async () => {
    const alone = Test.createTestingModule({ imports: [ResilienceTestingModule.forApplication()] });
    const module = await started(alone);
    expect(() => module.get(ResilienceTesting).failFast()).toThrow('has no ResilienceModule');
    const twice = [ResilienceTestingModule.forRoot(), ResilienceTestingModule.forApplication()];
    await expect(Test.createTestingModule({ imports: twice }).compile()).rejects.toThrow(
      'is imported 2 times',
    );
    expect(() => ResilienceTestingModule.forRoot({ mode: 'bare' as never })).toThrow(
      'allowed: one of enforce, pass-through, fail-fast',
    );
  });
});

describe('modes', () => {
  it('pass through: nobody waits, nothing is retried or rejected, and what would have been is told', async () => {
    const module = await boot([Payments], { mode: 'pass-through' });
    const [payments, resilience] = [module.get(Payments), module.get(ResilienceTesting)];
    expect(await failure(payments.later())).toEqual(new Error('down'));
    expectCalls(payments, 'later').toHave({ calls: 1, attempts: 1, decisions: [] });
    resilience.breaker('payments').open();
    resilience.bulkhead('write').fill();
    resilience.rateLimit('partner').exhaust();
    expect(await payments.charge()).toBe('charged');
    const { decisions } = expectCalls(payments, 'charge').calls[0] ?? {};
    expect(decisions).toEqual(['would-reject', 'would-reject']); // it would have queued for a slot
    resilience.breaker('payments').toBeOpen();
  });

  it('fail fast: retries follow at once, and what finds no room is rejected at once', async () => {
    const clock = virtualClock();
    const module = await boot([Payments], {
      options: {
        rateLimits: { partner: { limit: 1, maxWaitMs: 60_000 } },
        bulkheads: { write: { maxConcurrent: 1, queueLimit: 10 } },
        retries: { patient: { maxAttempts: 1 } },
      },
    });
    const [payments, resilience] = [module.get(Payments), module.get(ResilienceTesting)];
    resilience.failFast();
    expect(await payments.later()).toBe('queued');
    expectCalls(payments, 'later').toHave({ attempts: 3, delaysMs: [0, 0], outcome: 'fallback' });
    resilience.bulkhead('write').fill();
    resilience.bulkhead('write').toBeFull();
    expect(await failure(payments.charge())).toBeInstanceOf(BulkheadRejectedError);
    resilience.bulkhead('write').free();
    resilience.rateLimit('partner').exhaust();
    resilience.rateLimit('partner').toBeExhausted();
    expect(await failure(payments.charge())).toBeInstanceOf(RateLimitedError);
    const cut = watch(payments.hang());
    await clock.advance(50);
    expect(cut.error).toBeInstanceOf(TimeoutError);
    clock.restore();
  });

  it('can be changed while the application runs', async () => {
    const module = await boot([Payments], { mode: 'pass-through' });
    const [payments, resilience] = [module.get(Payments), module.get(ResilienceTesting)];
    resilience.breaker('payments').open();
    expect(await payments.charge()).toBe('charged');
    resilience.enforce();
    expect(resilience.mode).toBe('enforce');
    expect(await failure(payments.charge())).toBeInstanceOf(CircuitBreakerOpenError);
  });
});

describe('states of policies', () => {
  it('are those that a test puts a breaker into, with its open time and its probes', async () => {
    const clock = virtualClock();
    const breakers = { payments: { timeoutMs: 10_000, successThreshold: 1 } };
    const options = { breakers, retries: { patient: { maxAttempts: 1 } } };
    const module = await boot([Payments], { options });
    const payments = module.get(Payments);
    const breaker = module.get(ResilienceTesting).breaker('payments');
    breaker.toBeClosed();
    breaker.open();
    breaker.toBeOpen();
    await failure(payments.charge());
    await clock.advance(10_000);
    expect(await payments.charge()).toBe('charged');
    breaker.toBeClosed();
    breaker.halfOpen();
    breaker.toBeHalfOpen();
    payments.failures = 1;
    await failure(payments.charge());
    breaker.toBeOpen();
    breaker.close();
    breaker.toBeClosed();
    clock.restore();
  });

  it('are of one key, where policies are kept by key', async () => {
    const module = await boot([Payments]);
    const [payments, resilience] = [module.get(Payments), module.get(ResilienceTesting)];
    resilience.breaker('tenants', 'acme').open();
    expect(await failure(payments.report('acme'))).toBeInstanceOf(CircuitBreakerOpenError);
    expect(await payments.report('other')).toBe('other');
    resilience.breaker('tenants', 'other').toBeClosed();
  });

  it('are told by assertions that say how it is', async () => {
    const module = await boot([Payments]);
    const resilience = module.get(ResilienceTesting);
    const error = raised(() => resilience.breaker('payments').toBeOpen());
    expect(error).toMatchObject({
      message:
        'circuit breaker "payments" was to be OPEN, and is CLOSED, with 0 failures in 0 calls',
      actual: 'CLOSED',
      expected: 'OPEN',
      operator: 'toBeOpen',
    });
    expect(raised(() => resilience.bulkhead('write').toBeFull()).message).toBe(
      'bulkhead "write" was to be full, and has 0 calls in 10 slots, and 0 in its queue',
    );
    resilience.bulkhead('write').toBeIdle();
    for (const wrong of [-5, 0, Number.NaN])
      expect(() => resilience.rateLimit('partner').exhaust(wrong)).toThrow(
        `exhaust(): is given ${wrong}; allowed: ms above 0`,
      );
  });
});

describe('expectCalls()', () => {
  it('tells attempts, waits, outcome and decisions of each call', async () => {
    const clock = virtualClock();
    const module = await boot([Payments]);
    const payments = module.get(Payments);
    const pending = payments.later();
    await clock.advance(0);
    expectCalls(payments, 'later').toHave({ calls: 1, attempts: 1, outcome: 'pending' });
    await clock.advance(10_000);
    expect(await pending).toBe('queued');
    expectCalls(payments, 'later').toHave({
      calls: 1,
      attempts: 3,
      delaysMs: [5_000, 5_000],
      outcome: 'fallback',
      result: 'queued',
      error: Error,
      decisions: ['retry', 'retry', 'fallback'],
    });
    const [call] = expectCalls(payments, 'later').calls;
    expect(structuredClone(call)).toEqual({
      operation: 'Payments.later',
      attempts: 3,
      delaysMs: [5_000, 5_000],
      outcome: 'fallback',
      result: 'queued',
      error: new Error('down'),
      durationMs: 10_000,
      decisions: ['retry', 'retry', 'fallback'],
      events: [{ type: 'retry' }, { type: 'retry' }, { type: 'fallback' }].map((event) =>
        expect.objectContaining(event),
      ),
    });
    clock.restore();
  });

  it('keeps calls apart that are made at once, and those inside others', async () => {
    @Injectable()
    class Shop {
      @Retry({ maxAttempts: 2, delayMs: [0] })
      async outer(name: string): Promise<string> {
        return this.inner(name);
      }
      @Retry({ maxAttempts: 3, delayMs: [0] })
      async inner(name: string): Promise<string> {
        if (name === 'bad') throw new Error(name);
        return name;
      }
    }
    const shop = (await boot([Shop])).get(Shop);
    await Promise.allSettled([shop.outer('good'), shop.outer('bad'), shop.outer('good')]);
    const outer = expectCalls(Shop, 'outer').calls;
    expect(outer.map(({ outcome, attempts }) => [outcome, attempts])).toEqual([
      ['success', 1],
      ['failure', 1],
      ['success', 1],
    ]);
    expect(outer[1]?.decisions).toEqual(['retry-suppressed']);
    expect(expectCalls(shop, 'inner').calls.map(({ attempts }) => attempts)).toEqual([1, 3, 1]);
  });

  it('tells nothing of what streams emit', async () => {
    @Injectable()
    class Prices {
      @Retry({ maxAttempts: 2, delayMs: [0] })
      async *generated(): AsyncGenerator<number> {
        yield 1;
      }
      @Retry({ maxAttempts: 1 })
      @Fallback(() => 2)
      async *fallen(): AsyncGenerator<number> {
        yield await Promise.reject<number>(new Error('down'));
      }
      @Retry({ maxAttempts: 2, delayMs: [0] })
      observed(): Observable<number> {
        return of(1);
      }
    }
    const prices = (await boot([Prices])).get(Prices);
    for await (const _price of prices.generated());
    for await (const price of prices.fallen()) expect(price).toBe(2);
    await lastValueFrom(prices.observed());
    for (const method of ['generated', 'observed'] as const)
      expectCalls(prices, method).toHave({ calls: 1, outcome: 'success', result: undefined });
    expectCalls(prices, 'fallen').toHave({ outcome: 'fallback', result: undefined });
  });

  it('tells of calls through a bundle by its name', async () => {
    const module = await boot([Payments]);
    await module.get(ResilienceService).execute('checkout', async () => 'done');
    expectCalls('checkout').toHave({ calls: 1, outcome: 'success', result: 'done' });
    module.get(ResilienceTesting).clearCalls();
    expectCalls('checkout').toHave({ calls: 0 });
  });

  it('fails with what calls were like', async () => {
    const module = await boot([Payments]);
    const payments = module.get(Payments);
    await payments.charge();
    const error = raised(() => expectCalls(payments, 'charge').toHave({ calls: 2, attempts: 3 }));
    expect(error.message).toBe(
      "Payments.charge was to have { calls: 2, attempts: 3 }, and had 1 call:\n  { attempts: 1, delaysMs: [], outcome: 'success', decisions: [] }",
    );
    expect(error).toMatchObject({
      actual: [{ attempts: 1 }],
      expected: [{ attempts: 3 }, { attempts: 3 }],
    });
    expect(
      raised(() => expectCalls(payments, 'refund').toHave({ outcome: 'success' })).message,
    ).toBe("Payments.refund was to have { outcome: 'success' }, and had 0 calls");
    module.get(ResilienceTesting).clearCalls();
    expectCalls(payments, 'charge').toHave({ calls: 0 });
  });

  it('tells the results that were asked for, and of many calls the first', async () => {
    const payments = (await boot([Payments])).get(Payments);
    for (let tenant = 0; tenant < 22; tenant++) await payments.report(`tenant ${tenant}`);
    const { message } = raised(() => expectCalls(payments, 'report').toHave({ result: 'acme' }));
    expect(message.split('\n')).toHaveLength(22);
    expect(message).toMatch(/decisions: \[\], result: 'tenant 19' \}\n {2}and 2 more$/);
  });

  it('says that a mock in the place of the method lets no stage see its calls', async () => {
    const payments = (await boot([Payments])).get(Payments);
    const spy = jest.spyOn(payments, 'charge');
    const why =
      ': a mock stands in the place of the method, and so of its stages; mock instead what the method calls';
    const expected = () => expectCalls(payments, 'charge').toHave({ calls: 1 });
    spy.mockResolvedValueOnce('mocked');
    await payments.charge();
    expect(raised(expected).message).toContain(`and had 0 calls${why}`);
    await payments.charge(); // looked at, and let through
    expected();
    const all = jest.spyOn(Payments.prototype, 'refund');
    expect(raised(() => expectCalls(Payments, 'refund').toHave({})).message).toContain(why);
    all.mockRestore();
    expect(raised(() => expectCalls(Payments, 'refund').toHave({})).message).not.toContain(why);
  });

  it('says what it cannot look at', async () => {
    const payments = (await boot([Payments])).get(Payments);
    expect(() => expectCalls(payments, 'bare')).toThrow('Payments.bare has no decorator');
    expect(() => expectCalls(new Payments(payments.slots), 'charge')).toThrow(
      'the Payments belongs to no application with ResilienceTestingModule',
    );
    expect(() => expectCalls('chekout')).toThrow(
      /is given "chekout", and nothing is called so; known: .*Payments.charge/,
    );
    for (const nothing of [null, undefined, 5])
      expect(() => expectCalls(nothing as never, 'charge' as never)).toThrow(
        `is given ${nothing}; allowed: an object of the application, its class`,
      );
    expect(() => expectCalls(Object.create(null) as never, 'charge' as never)).toThrow(
      'the object belongs to no application',
    );
    expect(() => expectCalls(payments, 'charge').toHave({ attempt: 1 } as never)).toThrow(
      'there is no such field',
    );
  });
});
