import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Injectable, Logger } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  Bulkhead,
  CircuitBreaker,
  CircuitBreakerRegistry,
  CircuitState,
  decoratorOf,
  defineStage,
  getCircuitBreakerToken,
  RateLimit,
  type ResilienceEvent,
  ResilienceModule,
  type ResilienceOverrides,
  ResilienceService,
  Retry,
  rules,
  type StageInstance,
  Upstream,
} from '../../lib/index.js';
import { booting, type ResilienceApp } from '../support/resilience-app.js';

const changedTo = jest.fn();
const gate = defineStage({
  name: 'gate',
  named: 'gates',
  options: { width: rules.count, label: rules.text },
  defaults: { width: 1 },
  make: (name): StageInstance =>
    name === 'fixed' ? { admit: () => undefined } : { admit: () => undefined, change: changedTo },
});
const Gate = decoratorOf(gate);

@Injectable()
@Upstream('bank')
class Payments {
  @CircuitBreaker('payments')
  async charge(): Promise<never> {
    throw new Error('down');
  }

  @CircuitBreaker({ failureThreshold: 5 })
  async refund(): Promise<never> {
    throw new Error('down');
  }

  @Bulkhead({ maxConcurrent: 5, key: (tenant: string) => tenant })
  async list(_tenant: string): Promise<void> {}

  @RateLimit({ limit: 100, intervalMs: 1_000 })
  @Retry({ budget: 'scarce' })
  async find(): Promise<void> {}

  @Gate('front')
  async enter(): Promise<void> {}

  @Gate('fixed')
  async leave(): Promise<void> {}
}

@Injectable()
class Others {
  @CircuitBreaker('payments')
  async charge(): Promise<void> {}
}

const boot = booting();
const options = {
  stages: [gate] as const,
  breakers: { payments: { failureThreshold: 3, minimumCalls: 1 }, alone: {} },
  retryBudgets: { scarce: { ratio: 0.1 } },
  gates: { front: { width: 2 }, fixed: {} },
};
let app: ResilienceApp;
let service: ResilienceService;

beforeEach(async () => {
  app = await boot(options as never, [Payments, Others]);
  service = app.module.get(ResilienceService);
});

function stagesOf(operation: string): Record<string, object | undefined> {
  return service.describe().find((each) => each.operation === operation)?.stages ?? {};
}

describe('What has a name and a state', () => {
  it('is the same after it was given other options, and knows what it knew', async () => {
    const breaker = app.breakers.get('payments');
    const payments = app.module.get(Payments);
    for (let i = 0; i < 2; i++) await payments.charge().catch(() => undefined);
    service.reconfigure({ breakers: { payments: { timeoutMs: 5_000 } } });
    expect(app.breakers.get('payments')).toBe(breaker);
    expect(app.module.get(getCircuitBreakerToken('payments'))).toBe(breaker);
    expect(breaker.options.timeoutMs).toBe(5_000);
    await payments.charge().catch(() => undefined);
    expect(breaker.getState()).toBe(CircuitState.OPEN);
    expect(breaker.getSnapshot()).toMatchObject({ failures: 3 });
  });

  it('goes back to what it was by null', () => {
    const before = stagesOf('Payments.charge');
    service.reconfigure({ breakers: { payments: { timeoutMs: 5_000, failureThreshold: 9 } } });
    service.reconfigure({ breakers: { payments: { failureThreshold: null } } });
    expect(stagesOf('Payments.charge')).toMatchObject({
      circuitBreaker: { timeoutMs: 5_000, failureThreshold: 3 },
    });
    service.reconfigure({ breakers: { payments: null } });
    expect(stagesOf('Payments.charge')).toEqual(before);
  });

  it.each<[string, ResilienceOverrides<[typeof gate]>, string, object]>([
    [
      'an operation its own',
      { operations: { 'Payments.refund': { circuitBreaker: { failureThreshold: 7 } } } },
      'Payments.refund',
      { circuitBreaker: { failureThreshold: 7 } },
    ],
    [
      'one of an operation by its name',
      { breakers: { 'Payments.refund': { failureThreshold: 7 } } },
      'Payments.refund',
      { circuitBreaker: { failureThreshold: 7 } },
    ],
    [
      'all of a stage',
      { all: { circuitBreaker: { minimumCalls: 4 } } },
      'Payments.charge',
      { circuitBreaker: { minimumCalls: 4 } },
    ],
    [
      'those by key',
      { operations: { 'Payments.list': { bulkhead: { maxConcurrent: 2 } } } },
      'Payments.list',
      { bulkhead: { maxConcurrent: 2 } },
    ],
    [
      'a rate limit',
      { rateLimits: { 'Payments.find': { limit: 7 } } },
      'Payments.find',
      { rateLimit: { limit: 7, intervalMs: 1_000 } },
    ],
    [
      'a retry budget',
      { retryBudgets: { scarce: { ratio: 0.5 } } },
      'Payments.find',
      { retry: { budget: { name: 'scarce', ratio: 0.5 } } },
    ],
    [
      'a stage of the application',
      { gates: { front: { width: 9 } } },
      'Payments.enter',
      { gate: { name: 'front', width: 9 } },
    ],
    ['all in one mode', { mode: 'shadow' }, 'Payments.list', { bulkhead: { mode: 'shadow' } }],
    [
      'a name before what is said of all',
      { all: { mode: 'shadow' }, bulkheads: { 'Payments.list': { mode: 'enforce' } } },
      'Payments.list',
      { bulkhead: { mode: 'enforce' } },
    ],
  ])('can be reached as %s', (_what, overrides, operation, expected) => {
    const before = service.describe();
    service.reconfigure(overrides);
    expect(stagesOf(operation)).toMatchObject(expected);
    const back = Object.fromEntries(Object.keys(overrides).map((key) => [key, null]));
    service.reconfigure(back);
    expect(service.describe()).toEqual(before);
  });

  it('has other options for the keys that there are, and for those that come', async () => {
    const payments = app.module.get(Payments);
    await payments.list('acme');
    service.reconfigure({ bulkheads: { 'Payments.list': { maxConcurrent: 1 } } });
    await payments.list('other');
    const limits = app.bulkheads.list().map((bulkhead) => bulkhead.options.maxConcurrent);
    expect(limits).toEqual([1, 1]);
  });

  it('tells what a stage of the application goes by now', () => {
    service.reconfigure<[typeof gate]>({ gates: { front: { label: 'north' } } });
    expect(changedTo).toHaveBeenLastCalledWith({ width: 2, label: 'north' });
  });

  it('says what has changed by its name', () => {
    const events: ResilienceEvent[] = [];
    app.events.events$.subscribe((event) => events.push(event));
    service.reconfigure({ breakers: { payments: { failureThreshold: 4 } } });
    expect(events).toMatchObject([
      { changes: [{ place: 'breakers.payments.failureThreshold', from: 3, to: 4 }] },
    ]);
  });

  it.each<[string, ResilienceOverrides<[typeof gate]>, string]>([
    [
      'a name that there is not',
      { breakers: { paiments: { timeoutMs: 1 } } },
      'breakers.paiments: there is nothing of this name; known: payments, alone, Payments.refund; did you mean payments?',
    ],
    [
      'what some of those who share it do not have',
      { operations: { 'Payments.charge': { circuitBreaker: { timeoutMs: 5 } } } },
      'operations.Payments.charge.circuitBreaker: is of the circuit breaker "payments", which Payments.charge and Others.charge share, and not the same for both; allowed: breakers: { "payments": … }',
    ],
    [
      'options that cannot be together',
      { breakers: { payments: { windowCalls: 2 } } },
      'breakers.payments.failureThreshold: is 3, which a window of windowCalls 2 never holds',
    ],
    [
      'what cannot be changed',
      { gates: { fixed: { width: 3 } } },
      'gates.fixed: is of the gate "fixed", whose options cannot be changed at run time',
    ],
    [
      'another sharing',
      { breakers: { payments: { shared: true } } },
      'breakers.payments.shared: is true, and false where the application started',
    ],
    [
      'another key',
      { bulkheads: { 'Payments.list': { key: () => 'a' } as never } },
      'bulkheads.Payments.list.key: there is no such option',
    ],
  ])('refuses %s, and changes nothing', (_what, wrong, message) => {
    const before = service.describe();
    const also = {
      all: { retry: { maxAttempts: 9 } },
      rateLimits: { 'Payments.find': { limit: 1 } },
    };
    expect(() => service.reconfigure({ ...also, ...wrong })).toThrow(
      `ResilienceService.reconfigure().${message}`,
    );
    expect(service.describe()).toEqual(before);
  });

  it('has the options at once that a pipeline made later shares or has of its own', () => {
    service.reconfigure({ all: { circuitBreaker: { failureThreshold: 8 } } });
    app.pipeline({ name: 'late', circuitBreaker: { failureThreshold: 2 } });
    expect(stagesOf('late')).toMatchObject({ circuitBreaker: { failureThreshold: 8 } });
    service.reconfigure({ all: null });
    expect(stagesOf('late')).toMatchObject({ circuitBreaker: { failureThreshold: 2 } });
  });

  it('is left out of an operation while its stage is off, with its state', async () => {
    const payments = app.module.get(Payments);
    const open = () => payments.charge().catch((error: Error) => error.name);
    app.breakers.get('payments').forceOpen();
    service.reconfigure({
      operations: { 'Payments.charge': { circuitBreaker: { enabled: false } } },
    });
    expect(await open()).toBe('Error');
    service.reconfigure({ operations: { 'Payments.charge': { circuitBreaker: null } } });
    expect(await open()).toBe('CircuitBreakerOpenError');
  });
});

describe('What stands for a breaker in a test', () => {
  it('is left alone', async () => {
    jest.useRealTimers();
    const stub = { name: 'payments', admit: () => undefined, options: {}, getSnapshot: () => ({}) };
    const module = await Test.createTestingModule({
      imports: [ResilienceModule.forRoot(options)],
      providers: [Payments, Others],
    })
      .overrideProvider(getCircuitBreakerToken('payments'))
      .useValue(stub)
      .compile();
    await module.init();
    module.get(ResilienceService).reconfigure({ breakers: { payments: { timeoutMs: 5 } } });
    expect(module.get(CircuitBreakerRegistry).get('payments')).toBe(stub);
    expect(stub.options).toEqual({});
    await module.close();
  });
});

describe('The shedding of the whole server', () => {
  it('goes by overrides, is off with the library, and is then as it was', async () => {
    const shedding = await boot({ inbound: { shedding: { maxInFlight: 10 } } });
    const events: ResilienceEvent[] = [];
    shedding.events.events$.subscribe((event) => events.push(event));
    const { reconfigure } = shedding.module.get(ResilienceService);
    const say = reconfigure.bind(shedding.module.get(ResilienceService));
    say({ inbound: { shedding: { maxInFlight: 5 } } });
    say({ mode: 'shadow' });
    say({ enabled: false });
    say({ enabled: null, mode: null, inbound: null });
    expect(() => say({ inbound: { shedding: { minInFlight: 5 } } })).toThrow(
      'ResilienceService.reconfigure().inbound.shedding.minInFlight: is 5 without adaptive',
    );
    const place = (option: string) => `inbound.shedding.${option}`;
    const changes = events.map((event) => (event as { changes?: unknown }).changes);
    expect(changes).toMatchObject([
      [{ place: place('maxInFlight'), from: 10, to: 5 }],
      [{ place: place('mode'), from: 'enforce', to: 'shadow' }],
      expect.arrayContaining([{ place: place('enabled'), from: undefined, to: false }]),
      expect.arrayContaining([{ place: place('maxInFlight'), from: undefined, to: 10 }]),
    ]);
  });
});

it('takes all back where change() of a stage of the application throws', () => {
  const before = service.describe();
  changedTo.mockImplementationOnce(() => {
    throw new Error('too wide');
  });
  const wider = { gates: { front: { width: 9 } } };
  const also = { all: { retry: 9 }, bulkheads: { 'Payments.list': { maxConcurrent: 1 } } };
  expect(() => service.reconfigure<[typeof gate]>({ ...also, ...wider })).toThrow(
    'ResilienceService.reconfigure().gates.front: change() of the gate "front" threw: "too wide"',
  );
  expect(service.describe()).toEqual(before);
  expect(service.overrides()).toEqual([]);
  expect(changedTo).toHaveBeenLastCalledWith({ width: 2 });
  service.reconfigure<[typeof gate]>(wider);
  expect(stagesOf('Payments.enter')).toMatchObject({ gate: { width: 9 } });
});

it('has the options in force where an operation that comes later says by which key', async () => {
  const late = await boot({
    breakers: { partner: { failureThreshold: 3 } },
    retryBudgets: { scarce: { ratio: 0.1 } },
  });
  const resilience = late.module.get(ResilienceService);
  resilience.reconfigure({
    breakers: { partner: { failureThreshold: 7 } },
    retryBudgets: { scarce: { ratio: 0.5 } },
  });
  const key = (tenant: string) => tenant;
  late.pipeline({
    name: 'late',
    circuitBreaker: { name: 'partner', key },
    retry: { budget: { name: 'scarce', key } },
  });
  const [{ stages } = {}] = resilience.describe();
  expect(stages).toMatchObject({
    circuitBreaker: { failureThreshold: 7 },
    retry: { budget: { ratio: 0.5 } },
  });
});

it('takes back what is said of a pipeline that is no more', () => {
  const pipeline = app.pipeline({ name: 'late', circuitBreaker: { failureThreshold: 2 } });
  const said = { operations: { late: { circuitBreaker: { failureThreshold: 3 } } } };
  service.reconfigure({ ...said, breakers: { late: { timeoutMs: 5 } } });
  pipeline.dispose();
  expect(() => service.reconfigure(said)).toThrow('there is no operation of this name');
  service.reconfigure({
    operations: { late: { circuitBreaker: { failureThreshold: null } } },
    breakers: { late: null },
  });
  expect(service.overrides()).toEqual([]);
});

it('lets options of an operation reach who shares its instance later, and tells it once', () => {
  const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  app.pipeline({ name: 'first', circuitBreaker: 'alone' });
  const said = { operations: { first: { circuitBreaker: { failureThreshold: 9 } } } };
  service.reconfigure(said);
  app.pipeline({ name: 'second', circuitBreaker: 'alone' });
  warn.mockClear();
  service.reconfigure({ all: { retry: 2 } });
  service.reconfigure({ all: { retry: 4 } });
  expect(stagesOf('second')).toMatchObject({ circuitBreaker: { failureThreshold: 9 } });
  expect(warn.mock.calls.flat()).toMatchObject([
    { event: 'overrides_shared', message: expect.stringContaining('first and second share') },
    { event: 'reconfigured' },
    { event: 'reconfigured' },
  ]);
  service.reconfigure({ operations: null });
  expect(() => service.reconfigure(said)).toThrow('not the same for both');
  warn.mockRestore();
});

it('goes by what change() of a stage of the application says, onto what it was told', () => {
  changedTo.mockImplementationOnce(() => service.reconfigure({ all: { retry: 7 } }));
  const wider: ResilienceOverrides<[typeof gate]> = { gates: { front: { width: 9 } } };
  service.reconfigure({ ...wider, all: { retry: 5 } });
  expect(stagesOf('Payments.find')).toMatchObject({ retry: { maxAttempts: 7 } });
  expect(stagesOf('Payments.enter')).toMatchObject({ gate: { width: 9 } });
  expect(service.overrides()).toMatchObject([
    { overrides: { all: { retry: { maxAttempts: 7 } }, gates: { front: { width: 9 } } } },
  ]);
});
