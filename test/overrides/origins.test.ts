import { expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { CircuitBreaker, Fallback, ResilienceService, Retry, Timeout } from '../../lib/index.js';
import { booting } from '../support/resilience-app.js';

@Injectable()
class Payments {
  @CircuitBreaker('payments')
  @Timeout({ attemptMs: 500, totalMs: 2_000 })
  @Retry('standard')
  @Fallback('nothing')
  async charge(): Promise<void> {}

  async nothing(): Promise<void> {}
}

const boot = booting();

it('describes who said each option in force', async () => {
  const app = await boot(
    {
      defaults: { retry: { factor: 3 }, circuitBreaker: { minimumCalls: 5 } },
      retries: { standard: { maxAttempts: 4, jitter: 'none' } },
      breakers: { payments: { failureThreshold: 3, timeoutMs: 9_000 } },
      overrides: { breakers: { payments: { timeoutMs: 5_000 } }, all: { timeout: 400 } },
    },
    [Payments],
  );
  const service = app.module.get(ResilienceService);
  service.reconfigure({
    retries: { standard: { jitter: 'full' } },
    all: { retry: { maxDelayMs: 9 } },
  });
  const [charge] = service.describe();
  expect(charge?.origins).toMatchObject({
    retry: {
      factor: 'defaults',
      maxAttempts: 'module',
      jitter: 'run time',
      maxDelayMs: 'run time',
      baseDelayMs: 'default',
      budget: 'default',
    },
    circuitBreaker: {
      minimumCalls: 'defaults',
      failureThreshold: 'module',
      timeoutMs: 'override',
      successThreshold: 'default',
    },
    timeout: { timeoutMs: 'override' },
    totalTimeout: { timeoutMs: 'decorator' },
    fallback: { handler: 'decorator' },
  });
  expect(charge?.origins.circuitBreaker).not.toHaveProperty('name');
});
