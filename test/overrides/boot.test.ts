import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Injectable, Logger, Module } from '@nestjs/common';
import { LazyModuleLoader } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { NEVER, of, Subject, throwError } from 'rxjs';
import {
  type ResilienceEvent,
  ResilienceEvents,
  ResilienceModule,
  type ResilienceModuleOptions,
  type ResilienceOverrides,
  ResilienceService,
  Retry,
} from '../../lib/index.js';

@Injectable()
class Payments {
  calls = 0;
  atInit = 0;

  @Retry({ maxAttempts: 3, baseDelayMs: 0, jitter: 'none' })
  async charge(): Promise<never> {
    this.calls++;
    throw new Error('down');
  }

  async onModuleInit(): Promise<void> {
    this.atInit = await attempts(this);
  }
}

@Injectable()
class Later {
  @Retry({ maxAttempts: 3, baseDelayMs: 0, jitter: 'none' })
  async find(): Promise<void> {}
}

@Module({ providers: [Later] })
class LateModule {}

async function attempts(payments: Payments): Promise<number> {
  payments.calls = 0;
  await payments.charge().catch(() => undefined);
  return payments.calls;
}

const QUIET: ResilienceModuleOptions = { bootLog: 'none', errorTracker: { log: false } };
const CHARGE = 'Payments.charge';
const retries = (maxAttempts: number): ResilienceOverrides => ({
  operations: { [CHARGE]: { retry: { maxAttempts } } },
});

const open: { close(): Promise<void> }[] = [];
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'overrides-'));
});

afterEach(async () => {
  delete process.env.RESILIENCE_OVERRIDES;
  rmSync(directory, { recursive: true });
  jest.restoreAllMocks();
  for (const app of open.splice(0)) await app.close();
});

async function boot(
  options: ResilienceModuleOptions,
  imported?: ReturnType<typeof ResilienceModule.forRootAsync>,
) {
  const module = await Test.createTestingModule({
    imports: [imported ?? ResilienceModule.forRoot({ ...QUIET, ...options })],
    providers: [Payments],
  }).compile();
  open.push(module);
  await module.init();
  return module;
}

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

describe('Overrides that are there at boot', () => {
  it('hold before the first call', async () => {
    const payments = (await boot({ overrides: retries(2) })).get(Payments);
    expect(payments.atInit).toBe(2);
    expect(await attempts(payments)).toBe(2);
  });

  it('are read from the environment as JSON, above the options', async () => {
    process.env.RESILIENCE_OVERRIDES = JSON.stringify(retries(4));
    const module = await boot({ overrides: retries(2), overridesFromEnv: true });
    expect(await attempts(module.get(Payments))).toBe(4);
  });

  it('are read from a file that the environment names', async () => {
    process.env.RESILIENCE_OVERRIDES = file('o.json', `\uFEFF${JSON.stringify(retries(2))}\n`);
    expect(await attempts((await boot({ overridesFromEnv: true })).get(Payments))).toBe(2);
  });

  it('are not read where nobody says so, or where there are none', async () => {
    process.env.RESILIENCE_OVERRIDES = 'nowhere';
    expect(await attempts((await boot({})).get(Payments))).toBe(3);
    process.env.RESILIENCE_OVERRIDES = ' ';
    expect(await attempts((await boot({ overridesFromEnv: true })).get(Payments))).toBe(3);
  });

  it.each<[string, string, string]>([
    ['no JSON', '{"password": s3cret}', 'RESILIENCE_OVERRIDES: is no JSON; allowed: JSON such as'],
    ['a part of JSON', '{"all": {', 'RESILIENCE_OVERRIDES: is no JSON'],
    ['JSON that is no object', '[]', 'RESILIENCE_OVERRIDES: is []; allowed: an object with '],
    ['a text', '"{}"', 'RESILIENCE_OVERRIDES: is "{}"; allowed: an object with '],
    ['a part of a list', '[{"password": "s3cret"', 'RESILIENCE_OVERRIDES: is no JSON'],
    [
      'a file that is not there',
      '/nowhere/o.json',
      'RESILIENCE_OVERRIDES (/nowhere/o.json): the file cannot be read (ENOENT); allowed: JSON such as',
    ],
    [
      'an unknown operation',
      JSON.stringify({ operations: { 'Payments.chrage': {} } }),
      'RESILIENCE_OVERRIDES.operations.Payments.chrage: there is no operation of this name; known: Payments.charge; did you mean Payments.charge?',
    ],
    [
      'a wrong value',
      JSON.stringify(retries(0)),
      'RESILIENCE_OVERRIDES.operations.Payments.charge.retry.maxAttempts: is 0; allowed',
    ],
    [
      'what makes no sense with the rest',
      JSON.stringify({ operations: { [CHARGE]: { timeout: { attemptMs: 9, totalMs: 5 } } } }),
      'RESILIENCE_OVERRIDES.operations.Payments.charge.timeout: an attempt may take 9 ms',
    ],
  ])('fail the boot where the environment says %s', async (_what, value, message) => {
    process.env.RESILIENCE_OVERRIDES = value;
    const failure = await boot({ overridesFromEnv: true }).then(
      () => '',
      (error: Error) => error.message,
    );
    expect(failure).toContain(message);
    expect(failure).not.toContain('s3cret');
  });

  it('do not know the operations of modules that are loaded later, which selectors reach all the same', async () => {
    await expect(
      boot({ overrides: { operations: { 'Later.find': { retry: 1 } } } }),
    ).rejects.toThrow('overrides.operations.Later.find: there is no operation of this name');
    const module = await boot({ overrides: { all: { retry: 2 } } });
    await module.get(LazyModuleLoader).load(() => LateModule);
    const service = module.get(ResilienceService);
    const late = () => service.describe().find(({ operation }) => operation === 'Later.find');
    expect(late()?.stages.retry).toMatchObject({ maxAttempts: 2 });
    service.reconfigure({ operations: { 'Later.find': { retry: 1 } } });
    expect(late()?.stages.retry).toMatchObject({ maxAttempts: 1 });
  });
});

describe('Overrides that change', () => {
  const record = (module: { get(type: typeof ResilienceEvents): ResilienceEvents }) => {
    const events: ResilienceEvent[] = [];
    module.get(ResilienceEvents).events$.subscribe((event) => events.push(event));
    return events;
  };

  it.each<
    [
      string,
      (changes: Subject<ResilienceOverrides>) => ReturnType<typeof ResilienceModule.forRootAsync>,
    ]
  >([
    [
      'beside the factory',
      (changes) => ResilienceModule.forRootAsync({ useFactory: () => QUIET, changes }),
    ],
    [
      'in what the factory returns',
      (changes) => ResilienceModule.forRootAsync({ useFactory: () => ({ ...QUIET, changes }) }),
    ],
    ['in forRoot()', (changes) => ResilienceModule.forRoot({ ...QUIET, changes })],
  ])(
    'are taken as they come where they are said %s, until the application ends',
    async (_where, root) => {
      const changes = new Subject<ResilienceOverrides>();
      const module = await boot({}, root(changes));
      const payments = module.get(Payments);
      changes.next({ ...retries(2), all: { retry: { idempotent: true } } });
      expect(await attempts(payments)).toBe(2);
      changes.next({ all: { retry: 1 } }); // in the place of the one before
      expect(await attempts(payments)).toBe(1);
      await module.close();
      open.pop();
      expect(changes.observed).toBe(false);
    },
  );

  it('hold before the first call where they come at once, below what is said at run time', async () => {
    const module = await boot({ changes: of(retries(2)), overrides: retries(5) });
    const payments = module.get(Payments);
    expect(payments.atInit).toBe(2);
    module.get(ResilienceService).reconfigure(retries(4));
    expect(await attempts(payments)).toBe(4);
  });

  it('stay as they were where what comes is wrong, which is told', async () => {
    const changes = new Subject<unknown>();
    const module = await boot({ changes: changes as Subject<ResilienceOverrides> });
    const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    const events = record(module);
    changes.next(retries(2));
    for (const wrong of [{ all: { retry: 0 } }, 7, null, { operations: { nobody: {} } }])
      changes.next(wrong);
    expect(await attempts(module.get(Payments))).toBe(2);
    const refused = events.filter(({ type }) => type === 'reconfigure-refused');
    expect(refused).toHaveLength(4);
    expect(refused[0]).toMatchObject({
      by: 'changes',
      reason: expect.stringContaining('changes.all.retry'),
    });
    expect(logged).toHaveBeenCalledTimes(4);
    for (const secret of ['hunter22', 'hunter22'.repeat(20)])
      changes.next({ all: { timeout: `https://user:${secret}@host/` } });
    expect(logged).toHaveBeenCalledTimes(6);
    expect(JSON.stringify([logged.mock.calls, events])).not.toContain('hunter');
  });

  it.each([
    ['completes', of(retries(2))],
    ['fails', throwError(() => new Error('no config service'))],
  ])('are told of where their source %s, and the last stays', async (how, changes) => {
    const told = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const module = await boot({ changes });
    expect(JSON.stringify(told.mock.calls)).toContain(
      how === 'fails' ? 'failed: no config service' : 'completed',
    );
    expect(await attempts(module.get(Payments))).toBe(how === 'fails' ? 3 : 2);
  });

  it('are told of where the first names what there is not', async () => {
    const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    const module = await boot({ changes: of({ all: { retry: 1 }, operations: { nobody: {} } }) });
    expect(logged).toHaveBeenCalledTimes(1);
    expect(await attempts(module.get(Payments))).toBe(3);
  });

  it('are refused at boot where they are no Observable, or come twice', async () => {
    await expect(boot({ changes: {} as never })).rejects.toThrow(
      'changes: is an object; allowed: an Observable',
    );
    const twice = ResilienceModule.forRootAsync({
      useFactory: () => ({ changes: NEVER }),
      changes: NEVER,
    });
    await expect(boot({}, twice)).rejects.toThrow('changes: is in what the factory returns');
  });
});
