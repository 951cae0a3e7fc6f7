/**
 * A function behind an API gateway, as AWS Lambda has it, that knows of what it has learnt also in its next process.
 *
 *   docker run -p 6379:6379 redis
 *   npm run example serverless                 # REDIS_URL says where else it is
 *   curl localhost:3000/prices/tea             # each request is an event of the function, as by the gateway
 *   curl localhost:4000/hang                   # the service of prices answers no more
 *   curl localhost:3000/prices/tea             # 504, and after some of them 503
 *   Ctrl-C, then again: npm run example serverless
 *   curl localhost:3000/prices/tea             # still 503, in a process that is new: the breaker was remembered
 */
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Redis } from 'ioredis';
import {
  CircuitBreaker,
  ResilienceError,
  ResilienceModule,
  ResilienceService,
  Retry,
  resilientFetch,
  Timeout,
} from 'nestjs-bulwark';

const { PRICES_URL, REDIS_URL = 'redis://localhost:6379' } = process.env;
const redis = new Redis(REDIS_URL);
const STATE = 'resilience:prices-function';
const SPARE_MS = 500; // to answer and to save in, before the function is ended

@Injectable()
class PricesClient {
  @Retry({ maxAttempts: 3, baseDelayMs: 50 })
  @CircuitBreaker({ failureThreshold: 3 })
  @Timeout(500)
  async price(sku: string): Promise<unknown> {
    const response = await resilientFetch(`${PRICES_URL}/prices/${encodeURIComponent(sku)}`);
    return response.json();
  }
}

@Module({
  imports: [
    ResilienceModule.forRoot({
      state: { load: () => redis.get(STATE), save: (document) => redis.set(STATE, document) },
    }),
  ],
  providers: [PricesClient],
})
class AppModule {}

interface Event {
  pathParameters: { sku: string };
}

interface Context {
  getRemainingTimeInMillis(): number;
}

/** Once for all invocations of this process: a cold start. */
const app = await NestFactory.createApplicationContext(AppModule, { logger: ['warn', 'error'] });
const [prices, resilience] = [app.get(PricesClient), app.get(ResilienceService)];
const invocation = resilience.pipeline({ name: 'invocation' }); // by it, all ends when the function has to

export async function handler({ pathParameters }: Event, context: Context) {
  const signal = AbortSignal.timeout(context.getRemainingTimeInMillis() - SPARE_MS);
  const answer = (statusCode: number, body: unknown) => ({
    statusCode,
    body: JSON.stringify(body),
  });
  try {
    const price = await invocation.execute(() => prices.price(pathParameters.sku), { signal });
    return answer(200, price);
  } catch (error) {
    const code = error instanceof ResilienceError ? error.code : 'FAILED';
    return answer(signal.aborted || code === 'TIMEOUT' ? 504 : 503, { code });
  } finally {
    await resilience.saveState(); // frozen once it has answered, it may not be thawed again
  }
}
