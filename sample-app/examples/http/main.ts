/**
 * An HTTP service, which asks another one for prices, and has a third one charge orders.
 *
 *   npm run example http
 *   curl localhost:3000/prices/tea                # {"sku":"tea","cents":450}
 *   curl localhost:4000/cut/2                     # the next two answers of the other services are lost …
 *   curl -d sku=tea -d id=7 localhost:3000/orders # … and the order is charged once all the same
 *   curl localhost:4000/hang                      # from now on they do not answer
 *   curl localhost:3000/prices/tea                # the last good price
 *   curl -H 'x-request-timeout-ms: 300' localhost:3000/prices/milk # 504 after 300 ms
 *   curl -d sku=tea -d id=8 localhost:3000/orders # 504 after 3 s, then 503 while the breaker is open
 */
import 'reflect-metadata';
import { Body, Controller, Get, Injectable, Module, Param, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  CircuitBreaker,
  Critical,
  Fallback,
  ResilienceModule,
  Retry,
  resilientFetch,
  Timeout,
  Upstream,
} from 'nestjs-bulwark';

const { PRICES_URL, PAYMENTS_URL, PORT = 3_000 } = process.env;

interface Order {
  id: string;
  sku: string;
}

@Injectable()
class PricesClient {
  @Upstream('prices')
  @Retry({ maxAttempts: 3, baseDelayMs: 50 })
  @CircuitBreaker('prices')
  @Timeout({ attemptMs: 500, totalMs: 1_500 })
  @Fallback({ lastGood: { maxAgeMs: 600_000 } }) // an old price is better than none
  async price(sku: string): Promise<unknown> {
    const response = await resilientFetch(`${PRICES_URL}/prices/${encodeURIComponent(sku)}`);
    return response.json();
  }
}

@Injectable()
class PaymentsClient {
  @Critical() // alert when it fails for good
  @Upstream('payments')
  @Retry({ maxAttempts: 3, baseDelayMs: 50 }) // safe, as all attempts have one idempotency key
  @CircuitBreaker('payments')
  @Timeout({ attemptMs: 1_000, totalMs: 3_000 })
  async charge(order: Order): Promise<unknown> {
    const headers = { 'content-type': 'application/json', 'idempotency-key': order.id };
    const body = JSON.stringify(order);
    const response = await resilientFetch(`${PAYMENTS_URL}/charges`, {
      method: 'POST',
      headers,
      body,
    });
    return response.json();
  }
}

@Controller()
class ShopController {
  constructor(
    private readonly prices: PricesClient,
    private readonly payments: PaymentsClient,
  ) {}

  @Get('prices/:sku')
  price(@Param('sku') sku: string): Promise<unknown> {
    return this.prices.price(sku);
  }

  @Post('orders') // nothing to decorate: it is answered 504 or 503 by what its client fails by
  order(@Body() order: Order): Promise<unknown> {
    return this.payments.charge(order);
  }
}

@Module({
  imports: [
    ResilienceModule.forRoot({
      breakers: { prices: {}, payments: { failureThreshold: 3, timeoutMs: 10_000 } },
    }),
  ],
  controllers: [ShopController],
  providers: [PricesClient, PaymentsClient],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
await app.enableShutdownHooks().listen(PORT);
