import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable, type Provider, type Type } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  Bulkhead,
  type BulkheadPolicy,
  CircuitBreaker,
  type CircuitBreakerPolicy,
  Fallback,
  getCircuitBreakerToken,
  InjectBulkhead,
  RateLimit,
  Resilience,
  ResilienceService,
  Retry,
  Timeout,
} from '../../lib/index.js';
import {
  ResilienceTesting,
  ResilienceTestingModule,
  type ResilienceTestingOptions,
} from '../../lib/testing/index.js';
import { failure } from '../support/resilience-app.js';

const open: TestingModule[] = [];
afterEach(async () => {
  for (const module of open.splice(0)) await module.close();
});

async function boot(
  providers: Provider[],
  given?: ResilienceTestingOptions,
  imports: Type[] = [],
): Promise<TestingModule> {
  const module = await Test.createTestingModule({
    imports: [...imports, ResilienceTestingModule.forRoot(given)],
    providers,
  }).compile();
  await module.init();
  open.push(module);
  return module;
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

  @Retry({ maxAttempts: 3, baseDelayMs: 60_000, jitter: 'none', budget: 'shared' })
  @Fallback(() => 'queued')
  async later(): Promise<string> {
    this.calls++;
    throw new Error('down');
  }

  @RateLimit('tenants', { key: (tenant: string) => tenant })
  async report(tenant: string): Promise<string> {
    return tenant;
  }
}

describe('ResilienceTestingModule', () => {
  it('registers what decorated classes name and nobody has registered', async () => {
    const module = await boot([Payments]);
    const payments = module.get(Payments);
    expect(await payments.charge()).toBe('charged');
    expect(await payments.refund()).toBe('refunded');
    expect(await payments.report('acme')).toBe('acme');
    expect(payments.slots.name).toBe('write');
    expect(module.get<CircuitBreakerPolicy>(getCircuitBreakerToken('payments')).name).toBe(
      'payments',
    );
    expect(await module.get(ResilienceService).execute('unheard', async () => 1)).toBe(1);
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
    module.get(ResilienceTesting).breaker('payments').toBeOpen();
    expect(() => module.get(ResilienceTesting).breaker('payment')).toThrow('payments');
  });
});
