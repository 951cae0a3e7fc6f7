import { Inject, Injectable } from '@nestjs/common';
import {
  Bulkhead,
  CircuitBreaker,
  Critical,
  Fallback,
  Retry,
  Timeout,
  Upstream,
} from 'nestjs-bulwark';
import { callUpstream } from '../http/call-upstream.js';
import { jsonPost } from '../http/json-post.js';
import { UPSTREAM_URLS, type UpstreamUrls } from '../upstreams/upstreams.js';
import type { Charge, PaymentState } from './charge.js';
import { ChargeQueue } from './charge-queue.js';

/** Critical: an order is worth every protection there is, and is never lost. */
@Injectable()
export class PaymentsClient {
  constructor(
    @Inject(UPSTREAM_URLS) private readonly upstreams: UpstreamUrls,
    private readonly queue: ChargeQueue,
  ) {}

  @Critical()
  @Upstream('payments')
  @Retry('payments')
  @CircuitBreaker('payments')
  @Timeout('payments.client')
  @Bulkhead('payments')
  @Fallback('queueForLater')
  async charge(charge: Charge): Promise<PaymentState> {
    await this.send(charge);
    return 'charged';
  }

  async queueForLater(charge: Charge): Promise<PaymentState> {
    this.queue.add(charge);
    return 'queued';
  }

  /**
   * A queued charge, tried again in the background. It shares the breaker with `charge`, so it never
   * knocks at a closed door; nobody waits for it, so it may take longer.
   */
  @Upstream('payments')
  @CircuitBreaker('payments')
  @Timeout('payments.gateway')
  @Bulkhead('payments')
  async settle(charge: Charge): Promise<void> {
    await this.send(charge);
  }

  /** The order is the idempotency key: a charge that timed out may well have been made. */
  private async send(charge: Charge): Promise<void> {
    await callUpstream(
      `${this.upstreams.payments}/charges`,
      jsonPost(charge, { 'idempotency-key': charge.orderId }),
    );
  }
}
