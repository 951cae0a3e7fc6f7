import { Injectable } from '@nestjs/common';
import { CircuitBreaker, Fallback, Retry, resilientFetch, Timeout } from 'nestjs-bulwark';

@Injectable()
export class PaymentsService {
  url = '';

  @Retry({ maxAttempts: 3, baseDelayMs: 100, jitter: 'none' })
  @CircuitBreaker('payments')
  async charge(): Promise<unknown> {
    return (await resilientFetch(`${this.url}/charges`, { method: 'POST' })).json();
  }

  @CircuitBreaker('payments')
  @Fallback(() => 'queued')
  async chargeOrQueue(): Promise<unknown> {
    return 'charged';
  }

  @Retry('patient')
  @Timeout('payments.client')
  async hang(): Promise<void> {
    await new Promise(() => undefined);
  }
}
