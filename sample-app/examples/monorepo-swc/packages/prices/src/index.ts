import { Injectable, Module } from '@nestjs/common';
import {
  CircuitBreaker,
  ResilienceModule,
  Retry,
  resilientFetch,
  Timeout,
  Upstream,
} from 'nestjs-bulwark';

export interface Price {
  sku: string;
  cents: number;
}

async function getJson<T>(url: string): Promise<T> {
  return (await (await resilientFetch(url)).json()) as T;
}

@Injectable()
@Upstream('prices')
export class PricesClient {
  @Retry({ maxAttempts: 3, baseDelayMs: 50 })
  @CircuitBreaker('prices')
  @Timeout(500)
  price(sku: string): Promise<Price> {
    return getJson(`${process.env.PRICES_URL}/prices/${encodeURIComponent(sku)}`); // its type is known by SWC's metadata
  }
}

/** Brings its breaker along; `forRoot()` is for the application alone. */
@Module({
  imports: [ResilienceModule.forFeature({ breakers: { prices: { failureThreshold: 3 } } })],
  providers: [PricesClient],
  exports: [PricesClient],
})
export class PricesModule {}
