import { Controller, Get } from '@nestjs/common';
import { HealthCheck, HealthCheckService } from '@nestjs/terminus';
import {
  type BulkheadPolicy,
  type CircuitBreakerPolicy,
  ErrorTracker,
  InjectBulkhead,
  InjectCircuitBreaker,
} from 'nestjs-bulwark';
import { ResilienceHealthIndicator } from 'nestjs-bulwark/terminus';
import { ChargeQueue } from '../payments/charge-queue.js';

@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly resilience: ResilienceHealthIndicator,
    @InjectCircuitBreaker('payments') private readonly payments: CircuitBreakerPolicy,
    @InjectCircuitBreaker('recommendations')
    private readonly recommendations: CircuitBreakerPolicy,
    @InjectBulkhead('payments') private readonly charges: BulkheadPolicy,
    private readonly queue: ChargeQueue,
    private readonly errors: ErrorTracker,
  ) {}

  /** 200 until it shuts down: a shop that degrades is alive, and must not be restarted for it. */
  @Get()
  @HealthCheck()
  async check() {
    const { status, details } = await this.health.check([
      () => this.resilience.isHealthy('resilience'),
    ]);
    return {
      status,
      details,
      breakers: {
        payments: this.payments.getSnapshot(),
        recommendations: this.recommendations.getSnapshot(),
      },
      bulkheads: { payments: this.charges.getSnapshot() },
      queuedCharges: this.queue.size,
      errorRate: this.errors.getErrorRate(),
    };
  }
}
