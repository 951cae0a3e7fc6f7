import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  CircuitBreaker,
  CircuitBreakerRegistry,
  CircuitState,
  fileState,
  RateLimit,
  RateLimitedError,
  type ResilienceModuleOptions,
  ResilienceService,
  type StateOptions,
} from '../../lib/index.js';
import { type Booted, boot, closeAll } from '../binding/support.js';
import { MemoryFleet } from '../support/memory-fleet.js';

const HOUR = 3_600_000;

@Injectable()
class Shop {
  @CircuitBreaker('payments')
  async pay(isDown: boolean): Promise<string> {
    if (isDown) throw new Error('down');
    return 'paid';
  }

  @RateLimit('maps')
  async map(): Promise<string> {
    return 'a map';
  }

  @RateLimit('partner', { key: (tenant: string) => tenant })
  async order(_tenant: string): Promise<string> {
    return 'ordered';
  }
}

const OPTIONS: ResilienceModuleOptions = {
  errorTracker: { log: false },
  breakers: { payments: { failureThreshold: 2, successThreshold: 1, timeoutMs: 60_000 } },
  rateLimits: {
    maps: { limit: 2, intervalMs: HOUR },
    partner: { limit: 1, intervalMs: HOUR },
  },
};

let directory: string;
let file: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'restart-'));
  file = join(directory, 'resilience.json');
});
afterEach(async () => {
  await closeAll();
  await rm(directory, { recursive: true });
});

const start = (state: StateOptions = fileState(file), more: ResilienceModuleOptions = {}) =>
  boot({ providers: [Shop] }, { ...OPTIONS, ...more, state });
const breakerOf = ({ app }: Booted) => app.get(CircuitBreakerRegistry).get('payments');

/** As if the application had been down for so long. */
async function letPass(ms: number): Promise<void> {
  const document = JSON.parse(await readFile(file, 'utf8'));
  await writeFile(file, JSON.stringify({ ...document, savedAt: document.savedAt - ms }));
}

describe('An application that is restarted', () => {
  it('goes on with a breaker that was open, for as long as it would have been, and probes then', async () => {
    const first = await start();
    for (let call = 0; call < 2; call++)
      await first.app
        .get(Shop)
        .pay(true)
        .catch(() => undefined);
    await first.app.close();

    await letPass(20_000);
    const second = await start();
    expect(breakerOf(second).getState()).toBe(CircuitState.OPEN);
    await expect(second.app.get(Shop).pay(false)).rejects.toThrow('is open');
    await second.app.close();

    await letPass(45_000);
    const third = await start();
    expect(await third.app.get(Shop).pay(false)).toBe('paid');
    expect(breakerOf(third).getState()).toBe(CircuitState.CLOSED);
    await third.app.close();
    expect(breakerOf(await start()).getState()).toBe(CircuitState.CLOSED);
  });

  it('knows how much of a limit is used, also of those by key, and what has come back meanwhile', async () => {
    const first = await start();
    const calls = [first.app.get(Shop).map(), first.app.get(Shop).map()];
    await Promise.all([...calls, first.app.get(Shop).order('acme')]);
    await first.app.close();

    const second = await start();
    await expect(second.app.get(Shop).map()).rejects.toThrow(RateLimitedError);
    await expect(second.app.get(Shop).order('acme')).rejects.toThrow(RateLimitedError);
    expect(await second.app.get(Shop).order('other')).toBe('ordered');
    await second.app.close();

    await letPass(HOUR);
    const third = await start();
    expect(await third.app.get(Shop).map()).toBe('a map');
    expect(await third.app.get(Shop).order('acme')).toBe('ordered');
  });

  it('can be frozen at any time after saveState()', async () => {
    const first = await start();
    await Promise.all([first.app.get(Shop).map(), first.app.get(Shop).map()]);
    await first.app.get(ResilienceService).saveState();
    const second = await start(); // the first has not been closed
    await expect(second.app.get(Shop).map()).rejects.toThrow(RateLimitedError);
  });

  it('starts without what is wrong in its file, and says so', async () => {
    const wrong = { breakers: { payments: { ageMs: 0, state: { state: [], failures: 'many' } } } };
    const contents = [
      'garbage',
      '{"version":99}',
      JSON.stringify({ version: 1, savedAt: Date.now(), policies: wrong }),
    ];
    for (const content of contents) {
      await writeFile(file, content);
      const { app, logger } = await start();
      expect(await app.get(Shop).pay(false)).toBe('paid');
      expect(logger.warnings().includes('state.load() failed')).toBe(content !== contents[2]);
      await app.close();
    }
  });

  it('starts where its directory is missing, and says which', async () => {
    const { app, logger } = await start(fileState(join(directory, 'nowhere', 'state.json')));
    expect(await app.get(Shop).map()).toBe('a map');
    expect(logger.warnings()).toContain(`the directory ${join(directory, 'nowhere')} is not there`);
    await app.close();
    expect(logger.warnings()).toContain('state.save() failed');
  });

  it('starts where the store never answers, and ends where it never does', async () => {
    const never = () => new Promise(() => undefined);
    const { app, logger } = await start({ load: never, save: never, timeoutMs: 20 });
    expect(await app.get(Shop).map()).toBe('a map');
    await app.close();
    for (const which of ['load', 'save'])
      expect(logger.warnings()).toContain(`state.${which}() failed: no answer within 20 ms`);
  });

  it('leaves to its fleet what that knows: it is told by the others, and not by the file', async () => {
    const hub = new MemoryFleet();
    const breakers = { payments: { ...OPTIONS.breakers?.payments, shared: true } };
    const inFleet = () => start(fileState(file), { breakers, fleet: hub.fleet() });
    const first = await inFleet();
    breakerOf(first).forceOpen({ fleet: true });
    await first.app.close();
    const document = JSON.parse(await readFile(file, 'utf8').catch(() => '{"policies":{}}'));
    expect(document.policies.breakers).toBeUndefined();
    const closed = { ...document, version: 1, savedAt: Date.now() };
    closed.policies = { breakers: { payments: { ageMs: 0, state: { state: 'CLOSED' } } } };
    await writeFile(file, JSON.stringify(closed));
    expect(breakerOf(await inFleet()).getState()).toBe(CircuitState.FORCED_OPEN);
  });
});
