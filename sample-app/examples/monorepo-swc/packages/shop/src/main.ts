/**
 * An application, and a library of the same repository whose service is decorated, both compiled by SWC.
 *
 *   npm run example monorepo-swc           # in a repository of your own: npx swc packages/…/src -d packages/…/dist
 *   curl localhost:3000/prices/tea         # {"sku":"tea","cents":450}
 *   curl localhost:4000/cut/2              # the next two answers of the service of prices are lost
 *   curl localhost:3000/prices/tea         # and nobody notices
 *   curl localhost:4000/unavailable
 *   curl -i localhost:3000/prices/tea      # 503 as soon as the library's breaker is open
 */
import 'reflect-metadata';
import { Controller, Get, Module, Param } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type Price, PricesClient, PricesModule } from '@shop/prices';
import { ResilienceModule } from 'nestjs-bulwark';

@Controller('prices')
class PricesController {
  constructor(private readonly prices: PricesClient) {} // no `import type`: Nest needs the class

  @Get(':sku')
  price(@Param('sku') sku: string): Promise<Price> {
    return this.prices.price(sku);
  }
}

@Module({ imports: [ResilienceModule.forRoot(), PricesModule], controllers: [PricesController] })
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
await app.listen(process.env.PORT ?? 3_000);
