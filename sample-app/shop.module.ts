import { type DynamicModule, Module } from '@nestjs/common';
import { AnalyticsClient } from './analytics/analytics.client.js';
import { OrdersController } from './orders/orders.controller.js';
import { OrdersService } from './orders/orders.service.js';
import { ChargeCourier } from './payments/charge-courier.js';
import { ChargeQueue } from './payments/charge-queue.js';
import { PaymentsClient } from './payments/payments.client.js';
import { ProductsController } from './products/products.controller.js';
import { ProductsService } from './products/products.service.js';
import { RecommendationsClient } from './recommendations/recommendations.client.js';
import { UPSTREAM_URLS, type UpstreamUrls } from './upstreams/upstreams.js';

/** The shop itself. It does not know whether it is protected. */
@Module({
  controllers: [OrdersController, ProductsController],
  providers: [
    OrdersService,
    ProductsService,
    PaymentsClient,
    ChargeQueue,
    ChargeCourier,
    RecommendationsClient,
    AnalyticsClient,
  ],
  exports: [ChargeQueue],
})
export class ShopModule {
  static with(urls: UpstreamUrls): DynamicModule {
    return { module: ShopModule, providers: [{ provide: UPSTREAM_URLS, useValue: urls }] };
  }
}
