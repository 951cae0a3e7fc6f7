import { jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Test, type TestingModuleBuilder } from '@nestjs/testing';
import {
  Bulkhead,
  BulkheadPolicy,
  BulkheadRegistry,
  CircuitBreaker,
  CircuitBreakerPolicy,
  CircuitBreakerRegistry,
  ErrorTracker,
  getBulkheadToken,
  getCircuitBreakerToken,
  InjectCircuitBreaker,
  InMemoryMetrics,
  MetricsFanOut,
  type ResilienceEvent,
  ResilienceEvents,
  ResilienceModule,
  ResilienceService,
} from '../../lib/index.js';
import { closeAll, track } from './support.js';

afterEach(closeAll);

const OPTIONS = {
  breakers: { payments: { failureThreshold: 5 } },
  bulkheads: { write: { maxConcurrent: 5 } },
  services: { shop: { circuitBreaker: 'payments' } },
};

@Injectable()
class Payments {
  calls = 0;
  @CircuitBreaker('payments')
  @Bulkhead('write')
  async charge(): Promise<string> {
    this.calls++;
    throw new Error('down');
  }
  @CircuitBreaker({ failureThreshold: 5 })
  async inline(): Promise<string> {
    this.calls++;
    throw new Error('down');
  }
}

const REGISTRATIONS = [
  ['forRoot', () => ResilienceModule.forRoot(OPTIONS)],
  ['forRootAsync', () => ResilienceModule.forRootAsync({ useFactory: async () => OPTIONS })],
] as const;

type Override = ReturnType<TestingModuleBuilder['overrideProvider']>;

/** The three ways to override a provider by something that a function makes. */
const WAYS: [string, (override: Override, make: () => object) => TestingModuleBuilder][] = [
  ['useValue', (override, make) => override.useValue(make())],
  ['useFactory', (override, make) => override.useFactory({ factory: make })],
  [
    'useFactory, asynchronously',
    (override, make) => override.useFactory({ factory: async () => make() }),
  ],
  [
    'useClass',
    (override, make) => {
      class Substitute {
        constructor() {
          // biome-ignore lint/correctness/noConstructorReturn: stands for any class
          return make();
        }
      }
      return override.useClass(Substitute);
    },
  ],
];

describe.each(REGISTRATIONS)(
  'With %s, what a test puts in the place of a provider is what calls use',
  (_name, register) => {
    describe.each(WAYS)('by %s', (_way, put) => {
      async function start(token: unknown, make: () => object) {
        const builder = Test.createTestingModule({ imports: [register()], providers: [Payments] });
        const module = await put(builder.overrideProvider(token), make).compile();
        await track(module).init();
        const payments = module.get(Payments);
        const fail = () => payments.charge().catch((error: Error) => error.message);
        return { module, payments, fail, given: module.get<never>(token as never) as unknown };
      }

      it('an ErrorTracker', async () => {
        const { module, fail, given } = await start(ErrorTracker, () => new ErrorTracker());
        await fail();
        expect((given as ErrorTracker).getMetrics()).toMatchObject({ total: 1, requests: 1 });
        expect(module.get(InMemoryMetrics).get('errors.total')).toBe(1);
      });

      it('a stub of the ErrorTracker, in what it has', async () => {
        const stub = { track: jest.fn() };
        const { fail } = await start(ErrorTracker, () => stub);
        expect(await fail()).toBe('down');
        expect(stub.track).toHaveBeenCalledTimes(1);
        expect(stub.track.mock.calls[0]?.[0]).toMatchObject({ message: 'down' });
      });

      it('InMemoryMetrics', async () => {
        const { fail, given } = await start(InMemoryMetrics, () => new InMemoryMetrics());
        await fail();
        expect((given as InMemoryMetrics).get('requests.total', { outcome: 'failure' })).toBe(1);
      });

      it('a MetricsFanOut, whole or a stub', async () => {
        const stub = { increment: jest.fn(), gauge: jest.fn(), observe: jest.fn() };
        const first = await start(MetricsFanOut, () => stub);
        await first.fail();
        expect(stub.increment.mock.calls.map(([name]) => name)).toContain('requests.total');
        const recorder = new InMemoryMetrics();
        const second = await start(MetricsFanOut, () => new MetricsFanOut([recorder]));
        await second.fail();
        expect(recorder.get('requests.total', { outcome: 'failure' })).toBe(1);
      });

      it('ResilienceEvents', async () => {
        const events = new ResilienceEvents();
        const seen: ResilienceEvent[] = [];
        events.events$.subscribe((event) => seen.push(event));
        const { module, payments } = await start(ResilienceEvents, () => events);
        module.get(CircuitBreakerRegistry).get('Payments.inline').forceOpen();
        await payments.inline().catch(() => undefined);
        expect(seen.map(({ type }) => type)).toContain('circuit-rejected');
      });

      it('a named circuit breaker, for decorated methods, bundles and the registry', async () => {
        const make = () => new CircuitBreakerPolicy('payments', { failureThreshold: 1 });
        const token = getCircuitBreakerToken('payments');
        const { module, payments, fail, given } = await start(token, make);
        expect(await fail()).toBe('down');
        expect((given as CircuitBreakerPolicy).getSnapshot().calls).toBe(1);
        expect(await fail()).toMatch(/"payments" is open/);
        expect(payments.calls).toBe(1);
        const { execute } = module.get(ResilienceService);
        const bundled = execute.call(module.get(ResilienceService), 'shop', async () => 1);
        await expect(bundled).rejects.toThrow(/"payments" is open/);
        expect(module.get(CircuitBreakerRegistry).get('payments')).toBe(given);
        expect(module.get(CircuitBreakerRegistry).list()).toContain(given);
      });

      it("a method's own circuit breaker", async () => {
        const make = () => new CircuitBreakerPolicy('Payments.inline', { failureThreshold: 1 });
        const { payments } = await start(getCircuitBreakerToken('Payments.inline'), make);
        await expect(payments.inline()).rejects.toThrow('down');
        await expect(payments.inline()).rejects.toThrow(/is open/);
      });

      it('a subclass of a circuit breaker', async () => {
        let acquired = 0;
        class Counting extends CircuitBreakerPolicy {
          override acquire(...args: Parameters<CircuitBreakerPolicy['acquire']>) {
            acquired++;
            return super.acquire(...args);
          }
        }
        const { fail } = await start(
          getCircuitBreakerToken('payments'),
          () => new Counting('mine'),
        );
        await fail();
        expect(acquired).toBe(1);
      });

      it('a bulkhead', async () => {
        const make = () => new BulkheadPolicy('write', { maxConcurrent: 1, queueLimit: 0 });
        const { fail } = await start(getBulkheadToken('write'), make);
        const both = await Promise.all([fail(), fail()]);
        expect(both.sort()).toEqual([expect.stringMatching(/full/), 'down']);
      });

      it('the registry of circuit breakers, in the names that it has', async () => {
        const breaker = new CircuitBreakerPolicy('payments', { failureThreshold: 1 });
        const get = (name: string) => (name === 'payments' ? breaker : undefined);
        const { fail } = await start(CircuitBreakerRegistry, () => ({ get }));
        expect(await fail()).toBe('down');
        expect(await fail()).toMatch(/"payments" is open/);
      });

      it('the registry of bulkheads, in the names that it has', async () => {
        const bulkhead = new BulkheadPolicy('write', { maxConcurrent: 1, queueLimit: 0 });
        const { fail } = await start(BulkheadRegistry, () => ({ get: () => bulkhead }));
        const both = await Promise.all([fail(), fail()]);
        expect(both.sort()).toEqual([expect.stringMatching(/full/), 'down']);
      });

      it('a registry that knows only some names, or has nothing that calls could use, in the rest', async () => {
        const breaker = new CircuitBreakerPolicy('payments', { failureThreshold: 1 });
        const get = (name: string) => {
          if (name === 'payments') return breaker;
          throw new Error(`there is no ${name}`);
        };
        const has = (name: string) => name === 'payments';
        const some = await start(CircuitBreakerRegistry, () => ({ has, get }));
        expect([await some.fail(), await some.fail()]).toEqual([
          'down',
          expect.stringMatching(/is open/),
        ]);
        for (const nothing of [null, undefined, {}, 'payments']) {
          const none = await start(CircuitBreakerRegistry, () => ({ get: () => nothing }));
          const registry = none.module.get(CircuitBreakerRegistry);
          expect(registry.get('payments')).toBe(nothing);
          expect([await none.fail(), await none.fail()]).toEqual(['down', 'down']);
        }
        const empty = await start(BulkheadRegistry, () => ({}));
        expect(await empty.fail()).toBe('down');
      });

      it('a stub of the ErrorTracker that counts, or that tracks nothing', async () => {
        const counting = { track: jest.fn(), count: jest.fn() };
        const first = await start(ErrorTracker, () => counting);
        expect(await first.fail()).toBe('down');
        expect(counting.count).toHaveBeenCalledTimes(1);
        expect(counting.track).not.toHaveBeenCalled();
        const second = await start(ErrorTracker, () => ({ getMetrics: () => 'nothing' }));
        expect(await second.fail()).toBe('down');
        expect(second.module.get(ErrorTracker).getMetrics()).toBe('nothing');
      });

      it('but a stub that can do nothing of what calls need fails the boot, with what to give', async () => {
        await expect(start(ResilienceEvents, () => ({ events$: undefined }))).rejects.toThrow(
          /overrides ResilienceEvents: has no emit\(\), which calls need; allowed: one of ResilienceEvents, or of a class that extends it/,
        );
        await expect(
          start(getCircuitBreakerToken('payments'), () => ({ getState: () => 'OPEN' })),
        ).rejects.toThrow(
          /overrides the circuit breaker "payments": has no admit\(\).*a CircuitBreakerPolicy, or of a class that extends it/,
        );
        await expect(
          start(getBulkheadToken('write'), () => ({ getSnapshot: () => ({}) })),
        ).rejects.toThrow(
          /overrides the bulkhead "write": has no admit\(\).*a BulkheadPolicy, or of/,
        );
      });
    });

    it.each([
      ['nothing', null],
      ['no object', 'a text'],
    ])('but not %s, which is injected and no more', async (_what, value) => {
      for (const token of [
        ErrorTracker,
        ResilienceEvents,
        InMemoryMetrics,
        MetricsFanOut,
        CircuitBreakerRegistry,
        BulkheadRegistry,
        getCircuitBreakerToken('payments'),
        getBulkheadToken('write'),
      ]) {
        const module = await Test.createTestingModule({
          imports: [register()],
          providers: [Payments],
        })
          .overrideProvider(token)
          .useValue(value)
          .compile();
        await track(module).init();
        expect(module.get<unknown>(token as string)).toBe(value);
        await expect(module.get(Payments).charge()).rejects.toThrow('down');
      }
    });

    it('of a policy is what is injected as well, and one that the application has not disturbs nothing', async () => {
      @Injectable()
      class Elsewhere {
        constructor(@InjectCircuitBreaker('elsewhere') readonly breaker: CircuitBreakerPolicy) {}
      }
      const mine = new CircuitBreakerPolicy('payments', { failureThreshold: 1 });
      const module = await Test.createTestingModule({
        imports: [register()],
        providers: [Payments],
      })
        .overrideProvider(getCircuitBreakerToken('payments'))
        .useValue(mine)
        .overrideProvider(getCircuitBreakerToken('elsewhere'))
        .useValue({})
        .compile();
      await track(module).init();
      expect(Elsewhere.name).toBe('Elsewhere'); // another application's
      expect(module.get(getCircuitBreakerToken('payments'))).toBe(mine);
      expect(module.get(CircuitBreakerRegistry).get('payments')).toBe(mine);
      expect(module.get(CircuitBreakerRegistry).has('elsewhere')).toBe(false);
      await expect(module.get(Payments).charge()).rejects.toThrow('down');
    });
  },
);

it('Of InMemoryMetrics that nobody records to, a substitute takes nothing from who records', async () => {
  const recorder = { increment: jest.fn(), gauge: jest.fn(), observe: jest.fn() };
  const module = await Test.createTestingModule({
    imports: [ResilienceModule.forRoot({ ...OPTIONS, metrics: recorder })],
    providers: [Payments],
  })
    .overrideProvider(InMemoryMetrics)
    .useValue(new InMemoryMetrics())
    .compile();
  await track(module).init();
  await expect(module.get(Payments).charge()).rejects.toThrow('down');
  expect(recorder.increment.mock.calls.map(([name]) => name)).toContain('requests.total');
  expect(module.get(InMemoryMetrics).get('requests.total')).toBe(0);
});

it('Two applications of one process keep what each of them overrides apart', async () => {
  const substitute = new ErrorTracker();
  const start = (builder: TestingModuleBuilder) =>
    builder.compile().then((module) => track(module));
  const make = () =>
    Test.createTestingModule({
      imports: [ResilienceModule.forRoot(OPTIONS)],
      providers: [Payments],
    });
  const one = await start(make().overrideProvider(ErrorTracker).useValue(substitute));
  const two = await start(make());
  await two
    .get(Payments)
    .charge()
    .catch(() => undefined);
  expect(substitute.getMetrics().requests).toBe(0);
  await one
    .get(Payments)
    .charge()
    .catch(() => undefined);
  expect(substitute.getMetrics().requests).toBe(1);
  expect(two.get(ErrorTracker).getMetrics().requests).toBe(1);
});
