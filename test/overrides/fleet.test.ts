import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  type ResilienceEvent,
  type ResilienceOverrides,
  ResilienceService,
  Retry,
} from '../../lib/index.js';
import { MemoryFleet } from '../support/memory-fleet.js';
import { booting, type ResilienceApp } from '../support/resilience-app.js';

@Injectable()
class Payments {
  @Retry({ maxAttempts: 3 })
  async charge(): Promise<void> {}
}

@Injectable()
class Newer {
  @Retry({ maxAttempts: 3 })
  async find(): Promise<void> {}
}

const boot = booting();
let hub: MemoryFleet;
let one: ResilienceApp;
let other: ResilienceApp;

const release = (providers: (typeof Payments | typeof Newer)[] = [Payments]) =>
  boot({ fleet: hub.fleet() }, providers);

beforeEach(async () => {
  hub = new MemoryFleet();
  one = await release();
  other = await release();
});

afterEach(() => {
  jest.restoreAllMocks();
});

async function tellAll(overrides: ResilienceOverrides, by?: string): Promise<void> {
  one.module.get(ResilienceService).reconfigure(overrides, { fleet: true, ...(by && { by }) });
  await jest.advanceTimersByTimeAsync(10);
}

function attemptsOf(app: ResilienceApp, operation = 'Payments.charge'): unknown {
  const described = app.module.get(ResilienceService).describe();
  return described.find((each) => each.operation === operation)?.stages.retry;
}

const retries = (maxAttempts: number, operation = 'Payments.charge'): ResilienceOverrides => ({
  operations: { [operation]: { retry: { maxAttempts } } },
});

describe('What all instances of a fleet are told', () => {
  it('reaches those that are there, and those that start later before their first call', async () => {
    await tellAll(retries(1));
    expect(attemptsOf(other)).toMatchObject({ maxAttempts: 1 });
    expect(attemptsOf(await release())).toMatchObject({ maxAttempts: 1 });
  });

  it('is the whole of what is said of a selector, until that is taken back', async () => {
    await tellAll({ operations: { 'Payments.charge': { retry: { baseDelayMs: 7 } } } });
    await tellAll(retries(1));
    expect(attemptsOf(other)).toMatchObject({ maxAttempts: 1, baseDelayMs: 7 });
    await tellAll({ operations: { 'Payments.charge': { retry: { maxAttempts: null } } } });
    expect(attemptsOf(other)).toMatchObject({ maxAttempts: 3, baseDelayMs: 7 });
    await tellAll({ operations: null });
    expect(attemptsOf(other)).toMatchObject({ maxAttempts: 3, baseDelayMs: 100 });
  });

  it('is told with who has said it', async () => {
    const events: ResilienceEvent[] = [];
    other.events.events$.subscribe((event) => events.push(event));
    await tellAll(retries(1), 'ops');
    expect(events).toMatchObject([{ type: 'reconfigured', by: expect.stringMatching(/^ops at /) }]);
  });

  it('is refused by one of another release that does not know it, which obeys all else', async () => {
    const newer = await release([Payments, Newer]);
    const events: ResilienceEvent[] = [];
    other.events.events$.subscribe((event) => events.push(event));
    newer.module
      .get(ResilienceService)
      .reconfigure(
        { operations: { ...retries(2, 'Newer.find').operations, ...retries(1).operations } },
        { fleet: true },
      );
    await jest.advanceTimersByTimeAsync(10);
    expect(attemptsOf(other)).toMatchObject({ maxAttempts: 1 });
    expect(attemptsOf(newer, 'Newer.find')).toMatchObject({ maxAttempts: 2 });
    const refused = events.filter(({ type }) => type === 'reconfigure-refused');
    expect(refused).toMatchObject([
      {
        reason: expect.stringContaining(
          'settings/operations.Newer.find.operations.Newer.find: there is no operation',
        ),
      },
    ]);
  });

  it.each<[string, ResilienceOverrides, string]>([
    [
      'a function',
      { all: { retry: { retryableErrors: () => true } } },
      'all: has what cannot be told to other instances',
    ],
    [
      'too much',
      { operations: { 'Payments.charge': { retry: { delayMs: Array(3_000).fill(1) } } } },
      'operations.Payments.charge: is 6023 characters of JSON',
    ],
  ])('is not %s, which changes nothing', async (_what, overrides, message) => {
    await expect(tellAll(overrides)).rejects.toThrow(`ResilienceService.reconfigure().${message}`);
    expect(attemptsOf(one)).toMatchObject({ maxAttempts: 3 });
    expect(attemptsOf(one)).not.toHaveProperty('delayMs');
  });
});
