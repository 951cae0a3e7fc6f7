import { BadRequestException, Body, Controller, Post } from '@nestjs/common';
import type { OrderRequest } from './order.js';
import { OrdersService } from './orders.service.js';

@Controller('orders')
export class OrdersController {
  constructor(private readonly orders: OrdersService) {}

  @Post()
  async place(@Body() body?: Partial<OrderRequest>) {
    const { productId, quantity = 1 } = body ?? {};
    if (typeof productId !== 'string' || !Number.isInteger(quantity) || quantity < 1) {
      throw new BadRequestException('Expected { productId: string, quantity?: positive integer }');
    }
    return this.orders.place({ productId, quantity });
  }
}
