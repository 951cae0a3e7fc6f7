import type { Charge } from '../payments/charge.js';

interface Entry {
  readonly orderId: string;
  readonly at: number;
}

/** The books of the payments service: the same idempotency key never charges twice. */
export class PaymentLedger {
  private readonly entries = new Map<string, Entry>();

  record(idempotencyKey: string, { orderId }: Charge): { charged: string } {
    if (!this.entries.has(idempotencyKey)) {
      this.entries.set(idempotencyKey, { orderId, at: performance.now() });
    }
    return { charged: orderId };
  }

  /** When each charge for this order was made: one entry a charge. */
  chargesFor(orderId: string): number[] {
    return [...this.entries.values()]
      .filter((entry) => entry.orderId === orderId)
      .map((entry) => entry.at);
  }
}
