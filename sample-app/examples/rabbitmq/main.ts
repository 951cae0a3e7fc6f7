/**
 * A shop that has orders charged by a worker, over RabbitMQ: in one process here.
 *
 *   docker run -p 5672:5672 rabbitmq
 *   npm run example rabbitmq                      # RABBITMQ_URL says where else it is
 *   curl -d id=7 localhost:3000/orders            # {"charged":{"id":"7"}}
 *   curl localhost:4000/cut/2                     # the next two answers of the payment service are lost …
 *   curl -d id=8 localhost:3000/orders            # … and order 8 is charged once all the same
 *   curl localhost:4000/hang
 *   curl -d id=9 -H 'x-request-timeout-ms: 500' localhost:3000/orders # 504: the deadline goes along in the message
 */
import 'reflect-metadata';
import { Body, Controller, Inject, Injectable, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  type ClientProxy,
  ClientsModule,
  MessagePattern,
  Payload,
  type RmqOptions,
  Transport,
} from '@nestjs/microservices';
import {
  CircuitBreaker,
  ResilienceModule,
  Retry,
  resilientClient,
  resilientFetch,
  Timeout,
  Upstream,
} from 'nestjs-bulwark';
import { firstValueFrom } from 'rxjs';

const { PAYMENTS_URL, RABBITMQ_URL = 'amqp://localhost:5672', PORT = 3_000 } = process.env;
const rabbit: RmqOptions = {
  transport: Transport.RMQ,
  options: { urls: [RABBITMQ_URL], queue: 'charges', queueOptions: { durable: false } },
};

interface Order {
  id: string;
}

/** The shop: sends a message, and waits for the answer. */
@Injectable()
class ChargesClient {
  private readonly client: ClientProxy;
  constructor(@Inject('CHARGES') client: ClientProxy) {
    this.client = resilientClient(client); // messages carry the deadline, and end with the call
  }

  @Timeout({ totalMs: 5_000 })
  charge(order: Order): Promise<unknown> {
    return firstValueFrom(this.client.send('charge', order));
  }
}

@Controller('orders')
class OrdersController {
  constructor(private readonly charges: ChargesClient) {}

  @Post()
  order(@Body() order: Order): Promise<unknown> {
    return this.charges.charge(order);
  }
}

/** The worker: a handler of messages is repeated only where it says that this does no harm. */
@Controller()
class ChargesController {
  @MessagePattern('charge')
  @Upstream('payments')
  @Retry({ maxAttempts: 3, baseDelayMs: 50, idempotent: true })
  @CircuitBreaker({ failureThreshold: 5 })
  @Timeout(1_000)
  async charge(@Payload() order: Order): Promise<unknown> {
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

@Module({
  imports: [
    ResilienceModule.forRoot({ inbound: { trustDeadline: true } }),
    ClientsModule.register([{ name: 'CHARGES', ...rabbit }]),
  ],
  controllers: [OrdersController, ChargesController],
  providers: [ChargesClient],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
app.connectMicroservice(rabbit, { inheritAppConfig: true }); // with the interceptor, which reads the headers
await app.startAllMicroservices();
await app.enableShutdownHooks().listen(PORT);
