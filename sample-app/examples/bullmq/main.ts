/**
 * A shop that has orders charged by a worker of BullMQ.
 *
 *   docker run -p 6379:6379 redis
 *   npm run example bullmq                   # REDIS_URL says where else it is
 *   curl localhost:4000/cut/2                # the next two answers of the payment service are lost …
 *   curl -d id=7 localhost:3000/orders       # … and the job needs one attempt of its own all the same
 *   curl localhost:3000/orders/7             # {"state":"completed","attemptsMade":1,"result":{"charged":{"id":"7"}}}
 *   curl localhost:4000/unavailable          # the payment service fails from now on
 *   curl -d id=8 localhost:3000/orders       # the job waits while the breaker is open, and loses no attempt by it
 *   curl localhost:4000/none                 # … until now
 */
import 'reflect-metadata';
import { BullModule, InjectQueue, Processor, WorkerHost } from '@nestjs/bullmq';
import { Body, Controller, Get, Injectable, Module, Param, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DelayedError, type Job, type Queue } from 'bullmq';
import {
  CircuitBreaker,
  CircuitBreakerOpenError,
  ResilienceModule,
  Retry,
  resilientFetch,
  Timeout,
} from 'nestjs-bulwark';

const { PAYMENTS_URL, REDIS_URL = 'redis://localhost:6379', PORT = 3_000 } = process.env;
const OPEN_MS = Number(process.env.OPEN_MS ?? 5_000);

interface Order {
  id: string;
}

@Injectable()
class PaymentsClient {
  @Retry({ maxAttempts: 3, baseDelayMs: 50 }) // short waits; the long ones are the job's backoff
  @CircuitBreaker({ failureThreshold: 3, timeoutMs: OPEN_MS })
  @Timeout(1_000)
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

@Processor('charges')
class ChargesProcessor extends WorkerHost {
  constructor(private readonly payments: PaymentsClient) {
    super();
  }

  async process(job: Job<Order>, token?: string): Promise<unknown> {
    try {
      return await this.payments.charge(job.data);
    } catch (error) {
      if (!(error instanceof CircuitBreakerOpenError)) throw error;
      await job.moveToDelayed(Date.now() + error.retryAfterMs, token); // until the breaker lets a probe through
      throw new DelayedError();
    }
  }
}

@Controller('orders')
class OrdersController {
  constructor(@InjectQueue('charges') private readonly queue: Queue) {}

  @Post()
  async order(@Body() order: Order): Promise<void> {
    const backoff = { type: 'exponential', delay: OPEN_MS };
    await this.queue.add('charge', order, { jobId: `order-${order.id}`, attempts: 2, backoff });
  }

  @Get(':id')
  async state(@Param('id') id: string): Promise<unknown> {
    const state = await this.queue.getJobState(`order-${id}`);
    const job: Job | undefined = await this.queue.getJob(`order-${id}`);
    return { state, attemptsMade: job?.attemptsMade, result: job?.returnvalue };
  }
}

@Module({
  imports: [
    ResilienceModule.forRoot(),
    BullModule.forRoot({ connection: { url: REDIS_URL } }),
    BullModule.registerQueue({ name: 'charges' }),
  ],
  controllers: [OrdersController],
  providers: [PaymentsClient, ChargesProcessor],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
await app.enableShutdownHooks().listen(PORT);
