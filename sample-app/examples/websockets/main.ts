/**
 * A gateway of WebSockets, which asks another service for prices.
 *
 *   npm run example websockets
 *   npx wscat -c ws://localhost:3000
 *   > {"event":"price","data":"tea"}       # {"event":"price","data":{"sku":"tea","cents":450}}
 *   > {"event":"watch","data":"tea"}       # the price each second, until you go
 *   curl localhost:4000/unavailable        # in another window: the service of prices fails from now on
 *   > {"event":"price","data":"tea"}       # {"event":"exception","data":{"status":"error","code":"CIRCUIT_OPEN",…}}
 */
import 'reflect-metadata';
import { setInterval } from 'node:timers/promises';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { WsAdapter } from '@nestjs/platform-ws';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import {
  CircuitBreaker,
  Fallback,
  ResilienceModule,
  Retry,
  resilientFetch,
  Signal,
  Timeout,
} from 'nestjs-bulwark';
import { catchError, EMPTY, from, type Observable } from 'rxjs';

const { PRICES_URL, WATCH_MS = 1_000, PORT = 3_000 } = process.env;

interface Message {
  event: string;
  data: unknown;
}

@Injectable()
class PricesClient {
  @Retry({ maxAttempts: 3, baseDelayMs: 50 })
  @CircuitBreaker({ failureThreshold: 3, timeoutMs: 10_000 })
  @Timeout(500)
  async price(sku: string): Promise<unknown> {
    const response = await resilientFetch(`${PRICES_URL}/prices/${encodeURIComponent(sku)}`);
    return response.json();
  }

  @Fallback(() => ({ cents: 'unknown' })) // one price that fails does not end a stream of them
  async priceOrNone(sku: string): Promise<unknown> {
    return this.price(sku);
  }
}

@WebSocketGateway()
class PricesGateway {
  constructor(private readonly prices: PricesClient) {}

  @SubscribeMessage('price')
  @Timeout(2_000)
  async price(@MessageBody() sku: string): Promise<Message> {
    return { event: 'price', data: await this.prices.price(sku) };
  }

  @SubscribeMessage('watch')
  watch(@MessageBody() sku: string, @Signal() signal: AbortSignal): Observable<Message> {
    return from(this.pricesOf(sku, signal)).pipe(catchError(() => EMPTY)); // its client has gone
  }

  private async *pricesOf(sku: string, signal: AbortSignal): AsyncGenerator<Message> {
    for await (const _ of setInterval(Number(WATCH_MS), undefined, { signal }))
      yield { event: 'price', data: await this.prices.priceOrNone(sku) };
  }
}

@Module({
  imports: [ResilienceModule.forRoot()],
  providers: [PricesClient, PricesGateway],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
app.useWebSocketAdapter(new WsAdapter(app));
await app.listen(PORT);
