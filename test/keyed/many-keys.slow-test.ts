import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import { BulkheadRegistry, CircuitBreakerRegistry, ResilienceService } from '../../lib/index.js';
import { boot, closeAll } from '../binding/support.js';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

function heapUsed(): number {
  gc();
  return process.memoryUsage().heapUsed;
}

const KEYS = 100_000;
const PLACES = 1_000;

describe('100,000 keys through 1,000 places', () => {
  it.each([
    ['short keys', (index: number) => `tenant-${index}`],
    [
      'keys that are parts of long texts',
      (index: number) => `${String(index).padStart(20, '-')}${'x'.repeat(5_000)}`.slice(0, 20),
    ],
    ['long keys', (index: number) => `${index}${'x'.repeat(5_000)}`],
  ])('take no more memory than 1,000: %s', async (_what, keyOf) => {
    const key = (tenant: string) => tenant;
    const { app } = await boot(
      {},
      {
        breakers: { partner: { failureThreshold: 1, key, maxKeys: PLACES } },
        bulkheads: { partner: { key, maxKeys: PLACES } },
        retryBudgets: { partner: { key, maxKeys: PLACES } },
        errorTracker: { log: false },
      },
    );
    const pipeline = app.get(ResilienceService).pipeline({
      circuitBreaker: 'partner',
      bulkhead: 'partner',
      retry: { maxAttempts: 2, budget: 'partner' },
    });
    const callAll = async (from: number, to: number) => {
      for (let index = from; index < to; index++)
        await pipeline.execute(async () => index, { args: [keyOf(index)] });
    };
    await callAll(0, 3 * PLACES); // what is full is as full as it gets
    const full = heapUsed();
    await callAll(3 * PLACES, KEYS);
    expect(app.get(CircuitBreakerRegistry).keyed('partner').size).toBe(PLACES);
    expect(app.get(BulkheadRegistry).keyed('partner').size).toBe(PLACES);
    expect(heapUsed() - full).toBeLessThan(3_000_000);
    await closeAll();
  });
});
