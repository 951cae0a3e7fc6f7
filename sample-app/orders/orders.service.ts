import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { AnalyticsClient } from '../analytics/analytics.client.js';
import { PaymentsClient } from '../payments/payments.client.js';
import { ProductsService } from '../products/products.service.js';
import type { Order, OrderRequest } from './order.js';

@Injectable()
export class OrdersService {
  constructor(
    private readonly products: ProductsService,
    private readonly payments: PaymentsClient,
    private readonly analytics: AnalyticsClient,
  ) {}

  async place({ productId, quantity }: OrderRequest): Promise<Order> {
    const id = randomUUID();
    const cents = this.products.find(productId).cents * quantity;
    const payment = await this.payments.charge({ orderId: id, cents });
    await this.analytics.record('order-placed', id);
    return { id, productId, quantity, cents, payment };
  }
}
