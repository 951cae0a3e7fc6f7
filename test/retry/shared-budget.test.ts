import { describe, expect, it } from '@jest/globals';
import { Membership } from '../../lib/fleet/membership.js';
import type { ServiceOptions } from '../../lib/index.js';
import { RetryBudget } from '../../lib/retry/retry-budget.js';
import { NO_REPORTS } from '../support/fleet-reports.js';
import { MemoryFleet, type MemoryLink } from '../support/memory-fleet.js';
import { booting, elapse, watch } from '../support/resilience-app.js';

function spent(budget: RetryBudget): number {
  let retries = 0;
  for (let at = 0; at < 9_000; at += 10) if (budget.tryRetry(at)) retries++;
  return retries;
}

const boot = booting();

describe('A retry budget whose floor instances share', () => {
  const options = { minRetriesPerSecond: 10, windowMs: 10_000, ratio: 0, shared: true };

  it('has its even share of the floor, by as many as there are at the time', () => {
    const membership = new Membership(new MemoryFleet().fleet(), NO_REPORTS);
    const link = membership.link as MemoryLink;
    expect(spent(new RetryBudget('payments', options, membership))).toBe(100);
    link.instances = 5;
    const budget = new RetryBudget('payments', options, membership);
    expect(spent(budget)).toBe(20);
    link.instances = 2;
    expect(spent(budget)).toBeGreaterThan(20);
  });

  it('lets what the ratio allows add up by itself', () => {
    const membership = new Membership(new MemoryFleet().fleet(), NO_REPORTS);
    (membership.link as MemoryLink).instances = 5;
    const budget = new RetryBudget('payments', { ...options, ratio: 0.5 }, membership);
    for (let call = 0; call < 20; call++) budget.recordFirstAttempt(0);
    expect(spent(budget)).toBe(30);
  });

  it('is refused where there is no fleet, with its place', async () => {
    expect(() => new RetryBudget('payments', { shared: true })).toThrow(
      'retry budget "payments".shared: is true, and there is no fleet to share with',
    );
    await expect(boot({ retryBudgets: { payments: { shared: true } } })).rejects.toThrow(
      'retryBudgets.payments.shared: is true, and there is no fleet to share with',
    );
    const app = await boot();
    expect(() => app.pipeline({ retry: { budget: { shared: true } } })).toThrow(
      'budget.shared: is true, and there is no fleet to share with',
    );
  });

  it('is one with a name, of an upstream, by key or of an operation’s own', async () => {
    const hub = new MemoryFleet();
    const app = await boot({
      fleet: hub.fleet({ warmStartMs: 1 }),
      retryBudgets: { payments: { ...options, minRetriesPerSecond: 0.4 } },
    });
    (hub.links[0] as MemoryLink).instances = 4;
    const budget = { ...options, minRetriesPerSecond: 0.4 };
    const key = () => 'acme';
    const all: ServiceOptions[] = [
      { retry: { budget: 'payments' } },
      { retry: { budget } },
      { retry: { budget: { ...budget, key } } },
      { upstream: 'ledger', retry: {} },
    ];
    for (const [at, each] of all.entries()) {
      const retry = { maxAttempts: 10, baseDelayMs: 1, maxDelayMs: 1 };
      const pipeline = app.pipeline({
        ...each,
        name: `pipeline-${at}`,
        retry: { ...(each.retry as object), ...retry },
      });
      let attempts = 0;
      const call = pipeline.execute(async () => {
        attempts++;
        throw new Error('down');
      });
      watch(call);
      await elapse(100);
      expect({ at, attempts }).toEqual({ at, attempts: at === 3 ? 10 : 2 });
    }
  });
});
