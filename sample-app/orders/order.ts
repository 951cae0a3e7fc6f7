import type { PaymentState } from '../payments/charge.js';

export interface OrderRequest {
  readonly productId: string;
  readonly quantity: number;
}

export interface Order extends OrderRequest {
  readonly id: string;
  readonly cents: number;
  readonly payment: PaymentState;
}
