/**
 * A stream of server-sent events: the price of something, each second.
 *
 *   npm run example sse
 *   curl -N localhost:3000/prices/tea      # data: {"sku":"tea","cents":450}, again and again
 *   curl localhost:4000/unavailable        # in another window: the service of prices fails from now on
 *                                          # data: {"sku":"tea","cents":450,"stale":true}: the stream goes on
 *   curl -i localhost:3000/prices/coffee   # 500, or 503 while the breaker is open: a status, and no stream that says nothing
 */
import 'reflect-metadata';
import { Controller, Injectable, type MessageEvent, Module, Param, Sse } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  CircuitBreaker,
  Fallback,
  ResilienceModule,
  Retry,
  resilientFetch,
  Timeout,
} from 'nestjs-bulwark';
import { exhaustMap, map, type Observable, startWith, timer } from 'rxjs';

const { PRICES_URL, WATCH_MS = 1_000, PORT = 3_000 } = process.env;

interface Price {
  sku: string;
  cents: number;
  stale?: boolean;
}

@Injectable()
class PricesClient {
  private readonly latest = new Map<string, Price>(); // in a real service: with a bound

  @Retry({ maxAttempts: 3, baseDelayMs: 50 })
  @CircuitBreaker({ timeoutMs: 5_000 })
  @Timeout(500)
  @Fallback('latestOf')
  async price(sku: string): Promise<Price> {
    const response = await resilientFetch(`${PRICES_URL}/prices/${encodeURIComponent(sku)}`);
    const price = (await response.json()) as Price;
    this.latest.set(sku, price);
    return price;
  }

  async latestOf(sku: string, error: unknown): Promise<Price> {
    const price = this.latest.get(sku);
    if (price === undefined) throw error;
    return { ...price, stale: true };
  }
}

@Controller('prices')
class PricesController {
  constructor(private readonly prices: PricesClient) {}

  @Sse(':sku')
  @Timeout(2_000) // until the first price is there; the stream itself may last for days
  async watch(@Param('sku') sku: string): Promise<Observable<MessageEvent>> {
    const first = await this.prices.price(sku); // an error is a status as long as nothing was sent
    return timer(Number(WATCH_MS), Number(WATCH_MS)).pipe(
      exhaustMap(() => this.prices.price(sku)), // no second question while one is open
      startWith(first),
      map((data) => ({ data })),
    );
  }
}

@Module({
  imports: [ResilienceModule.forRoot()],
  controllers: [PricesController],
  providers: [PricesClient],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
await app.listen(PORT);
