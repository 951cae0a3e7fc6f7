export interface Charge {
  readonly orderId: string;
  readonly cents: number;
}

/** `queued`: accepted now, charged once payments is back. */
export type PaymentState = 'charged' | 'queued';
