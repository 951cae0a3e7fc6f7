import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { defer, lastValueFrom, throwError } from 'rxjs';
import {
  type ResilienceEvent,
  type ResilienceOverrides,
  ResilienceService,
  Retry,
  Timeout,
  TimeoutError,
  Upstream,
} from '../../lib/index.js';
import { booting, type ResilienceApp } from '../support/resilience-app.js';

@Injectable()
@Upstream('bank')
class Payments {
  calls = 0;

  @Retry({ maxAttempts: 3, baseDelayMs: 0, jitter: 'none' })
  async charge(): Promise<never> {
    this.calls++;
    throw new Error('down');
  }

  @Timeout(1_000)
  hang(): Promise<void> {
    return new Promise(() => undefined);
  }

  @Retry({ maxAttempts: 3, baseDelayMs: 0, jitter: 'none' })
  watch() {
    return defer(() => {
      this.calls++;
      return throwError(() => new Error('down'));
    });
  }
}

const boot = booting();
let app: ResilienceApp;
let payments: Payments;
let service: ResilienceService;

beforeEach(async () => {
  app = await boot({ retries: { twice: { maxAttempts: 2, baseDelayMs: 0 } } }, [Payments]);
  payments = app.module.get(Payments);
  service = app.module.get(ResilienceService);
});

/** How often a call that fails is made. */
async function attempts(): Promise<number> {
  payments.calls = 0;
  const failed = payments.charge().catch(() => undefined);
  await jest.advanceTimersByTimeAsync(60_000);
  await failed;
  return payments.calls;
}

/** What a call that hangs is cut by. */
async function cutAfter(call = payments.hang()): Promise<unknown> {
  const cut = call.catch((error: unknown) => error);
  await jest.advanceTimersByTimeAsync(60_000);
  return ((await cut) as TimeoutError).timeoutMs;
}

describe('An application that is reconfigured', () => {
  it('makes calls from then on by the new options, and none of those that are under way', async () => {
    const before = payments.hang();
    service.reconfigure({
      operations: { 'Payments.hang': { timeout: 200 }, 'Payments.charge': { retry: 1 } },
    });
    expect(await cutAfter()).toBe(200);
    expect(await cutAfter(before)).toBe(1_000);
    expect(await attempts()).toBe(1);
  });

  it('puts overrides onto each other, and takes back what is null', async () => {
    service.reconfigure({ operations: { 'Payments.charge': { retry: { maxAttempts: 2 } } } });
    service.reconfigure({ all: { retry: { maxAttempts: 4 } } });
    expect(await attempts()).toBe(2);
    service.reconfigure({ operations: { 'Payments.charge': { retry: { maxAttempts: null } } } });
    expect(await attempts()).toBe(4);
    service.reconfigure({ all: null });
    expect(await attempts()).toBe(3);
  });

  it.each<[string, ResilienceOverrides, number]>([
    [
      'an operation before its class',
      { classes: { Payments: { retry: 4 } }, operations: { 'Payments.charge': { retry: 2 } } },
      2,
    ],
    [
      'a class before its upstream',
      { upstreams: { bank: { retry: 2 } }, classes: { Payments: { retry: 4 } } },
      4,
    ],
    ['an upstream before all', { upstreams: { bank: { retry: 2 } }, all: { retry: 4 } }, 2],
    [
      'what is said of a stage before what is said of all stages',
      { classes: { Payments: { enabled: false, retry: { enabled: true } } } },
      3,
    ],
    [
      'a more particular switch before one of a stage',
      { all: { retry: { enabled: false } }, classes: { Payments: { enabled: true } } },
      3,
    ],
  ])('takes %s', async (_what, overrides, expected) => {
    service.reconfigure(overrides);
    expect(await attempts()).toBe(expected);
  });

  it.each<[string, ResilienceOverrides, ResilienceOverrides]>([
    ['a stage', { all: { retry: { enabled: false } } }, { all: { retry: { enabled: null } } }],
    [
      'an operation',
      { operations: { 'Payments.charge': { enabled: false } } },
      { operations: { 'Payments.charge': { enabled: true } } },
    ],
    ['the whole library', { enabled: false }, { enabled: null }],
  ])('switches %s off and on again', async (_what, off, on) => {
    service.reconfigure(off);
    expect(await attempts()).toBe(1);
    service.reconfigure(on);
    expect(await attempts()).toBe(3);
  });

  it('makes the subscriptions of an Observable by the options of their own time', async () => {
    const made = payments.watch();
    service.reconfigure({ operations: { 'Payments.watch': { retry: 2 } } });
    payments.calls = 0;
    const failed = lastValueFrom(made).catch(() => undefined);
    await jest.advanceTimersByTimeAsync(60_000);
    await failed;
    expect(payments.calls).toBe(2);
  });

  it('lets timeouts find out in shadow mode whom they would cut', () => {
    const described = () =>
      service.describe().find(({ operation }) => operation === 'Payments.hang')?.stages.timeout;
    service.reconfigure({ mode: 'shadow' });
    expect(described()).toEqual({ timeoutMs: 1_000, mode: 'shadow' });
    service.reconfigure({ all: { timeout: { mode: 'enforce' } } });
    expect(described()).toEqual({ timeoutMs: 1_000 });
  });

  it('gives one operation a timeout that had none', async () => {
    service.reconfigure({ operations: { 'Payments.charge': { timeout: { totalMs: 700 } } } });
    const [charge] = service.describe();
    expect(charge?.stages).toMatchObject({ totalTimeout: { timeoutMs: 700 } });
  });

  it('tells once what has become another, and nothing where nothing has', () => {
    const events: ResilienceEvent[] = [];
    app.events.events$.subscribe((event) => events.push(event));
    const overrides = { operations: { 'Payments.charge': { retry: { maxAttempts: 1 } } } };
    service.reconfigure(overrides, { by: 'ops' });
    service.reconfigure(overrides, { by: 'ops' });
    expect(events).toEqual([
      {
        type: 'reconfigured',
        by: 'ops',
        changes: [{ place: 'operations.Payments.charge.retry.maxAttempts', from: 3, to: 1 }],
        timestamp: expect.any(String),
      },
    ]);
  });

  it.each<[string, ResilienceOverrides, string]>([
    [
      'an unknown operation',
      { operations: { 'Payments.chrage': { retry: 1 } } },
      'operations.Payments.chrage: there is no operation of this name; known: Payments.charge, Payments.hang, Payments.watch; did you mean Payments.charge?',
    ],
    [
      'an unknown upstream',
      { upstreams: { bnak: {} } },
      'upstreams.bnak: there is no upstream of this name; known: bank',
    ],
    [
      'an unknown class',
      { classes: { Paiments: {} } },
      'classes.Paiments: there is no class of this name; known: Payments',
    ],
    [
      'an unknown stage',
      { all: { retries: {} } as never },
      'all.retries: there is no such option; known: enabled, mode, coalesce, fallback, retry,',
    ],
    [
      'an unknown option',
      { all: { retry: { attempts: 1 } as never } },
      'all.retry.attempts: there is no such option; known: maxAttempts,',
    ],
    [
      'an unknown option that is taken back',
      { all: { retry: { attempts: null } as never } },
      'all.retry.attempts: there is no such option',
    ],
    [
      'an unknown name',
      { retries: { thrice: { maxAttempts: 1 } } },
      'retries.thrice: there is nothing of this name; known: twice',
    ],
    [
      'a wrong value',
      { all: { retry: { maxAttempts: 0 } } },
      'all.retry.maxAttempts: is 0; allowed: a whole number from 1 to 1000000',
    ],
    [
      'a stage that the operation does not have',
      { operations: { 'Payments.charge': { fallback: { enabled: true } } } },
      'operations.Payments.charge.fallback: is of a stage that the operation does not have; known: retry',
    ],
    [
      'a stage that no operation of a class has',
      { classes: { Payments: { hedge: 5 } } },
      'classes.Payments.hedge: is of a stage that none of its operations has; known: timeout, retry, or options of hedge for one operation',
    ],
    ['a Map in the place of an object', { all: new Map([['retry', 1]]) as never }, 'all: is '],
    [
      'a Map in the place of options',
      { all: { retry: new Map([['maxAttempts', 1]]) as never } },
      'all.retry: is ',
    ],
    ['a Date in the place of names', { operations: new Date(0) as never }, 'operations: is '],
    [
      'a Date in the place of a name',
      { retries: { twice: new Date(0) as never } },
      'retries.twice: is ',
    ],
    [
      'what makes no sense together',
      { operations: { 'Payments.hang': { timeout: { totalMs: 500 } } } },
      'operations.Payments.hang.timeout: an attempt may take 1000 ms, and the call with all of them 500 ms',
    ],
  ])('refuses %s, and changes nothing', async (_what, wrong, message) => {
    const before = service.describe();
    expect(() =>
      service.reconfigure({ ...wrong, retries: { twice: { maxAttempts: 9 }, ...wrong.retries } }),
    ).toThrow(`ResilienceService.reconfigure().${message}`);
    expect(service.describe()).toEqual(before);
  });
});
