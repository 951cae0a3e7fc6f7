import { Module, Scope } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { ResilienceModule } from 'nestjs-bulwark';
import { ResilienceAdminModule } from 'nestjs-bulwark/admin';
import { DeadlineController } from './deadline.controller.js';
import { fleet } from './fleet.js';
import { HealthController } from './health.controller.js';
import {
  CartService,
  Courier,
  PartnerService,
  PriceList,
  StockService,
  SupplierService,
} from './services.js';
import {
  AttemptsController,
  PartnerController,
  RequestController,
  SupplierController,
} from './shop.controller.js';

@Module({
  imports: [
    ResilienceModule.forRoot({
      fleet,
      breakers: { supplier: { failureThreshold: 1, shared: true } },
      bulkheads: { warehouse: { maxConcurrent: 5 } },
      retries: { patient: { maxAttempts: 3, baseDelayMs: 1 } },
      timeouts: { warehouse: { client: 5_000, gateway: 6_000, service: 7_000 } },
      services: { prices: { retry: 'patient' } },
    }),
    ResilienceAdminModule.forRoot({ public: true, controls: true }),
  ],
  controllers: [
    AttemptsController,
    RequestController,
    SupplierController,
    PartnerController,
    DeadlineController,
    HealthController,
  ],
  providers: [
    StockService,
    CartService,
    Courier,
    SupplierService,
    PartnerService,
    { provide: PriceList, useFactory: () => new PriceList() },
    {
      provide: 'PRICES_OF_REQUEST',
      scope: Scope.REQUEST,
      inject: [REQUEST],
      useFactory: () => new PriceList(),
    },
  ],
})
export class AppModule {}
