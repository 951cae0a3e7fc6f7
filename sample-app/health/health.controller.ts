import { Controller, Get } from '@nestjs/common';
import {
  type BulkheadPolicy,
  type CircuitBreakerPolicy,
  CircuitState,
  ErrorTracker,
  InjectBulkhead,
  InjectCircuitBreaker,
} from 'nestjs-bulwark';
import { ChargeQueue } from '../payments/charge-queue.js';

@Controller('health')
export class HealthController {
  constructor(
    @InjectCircuitBreaker('payments') private readonly payments: CircuitBreakerPolicy,
    @InjectCircuitBreaker('recommendations')
    private readonly recommendations: CircuitBreakerPolicy,
    @InjectBulkhead('payments') private readonly charges: BulkheadPolicy,
    private readonly queue: ChargeQueue,
    private readonly errors: ErrorTracker,
  ) {}

  /** Always 200: a shop that degrades is alive, and must not be restarted for it. */
  @Get()
  check() {
    const breakers = {
      payments: this.payments.getSnapshot(),
      recommendations: this.recommendations.getSnapshot(),
    };
    const allClosed = Object.values(breakers).every(({ state }) => state === CircuitState.CLOSED);
    return {
      status: allClosed ? 'ok' : 'degraded',
      breakers,
      bulkheads: { payments: this.charges.getSnapshot() },
      queuedCharges: this.queue.size,
      errorRate: this.errors.getErrorRate(),
    };
  }
}
