import { Controller, Get } from '@nestjs/common';
import {
  BulkheadPolicy,
  CircuitBreakerPolicy,
  CircuitState,
  ErrorTracker,
  InjectBulkhead,
  InjectCircuitBreaker,
} from 'nestjs-bulwark';

@Controller('health')
export class HealthController {
  constructor(
    @InjectCircuitBreaker('supplier') private readonly supplier: CircuitBreakerPolicy,
    @InjectBulkhead('warehouse') private readonly warehouse: BulkheadPolicy,
    private readonly errors: ErrorTracker,
  ) {}

  @Get()
  check() {
    return {
      healthy: this.supplier.getState() === CircuitState.CLOSED,
      supplier: this.supplier.getState(),
      warehouse: this.warehouse.getSnapshot().running,
      errorRate: this.errors.getErrorRate(),
    };
  }
}
