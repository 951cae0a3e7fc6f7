/**
 * A service that answers gRPC, and one that asks it over gRPC to answer HTTP, in one process here.
 *
 *   npm run example grpc
 *   curl localhost:3000/prices/tea         # {"sku":"tea","cents":450}, over gRPC
 *   curl localhost:4000/unavailable        # the service behind it fails from now on
 *   curl -i localhost:3000/prices/tea      # 3 calls of it, not 9: only the inner one retries. Then 503 by its breaker
 *   curl localhost:4000/hang
 *   curl -i -H 'x-request-timeout-ms: 300' localhost:3000/prices/tea # 504: the deadline goes along as grpc-timeout
 */
import 'reflect-metadata';
import { Metadata, type ServiceError } from '@grpc/grpc-js';
import { Controller, Get, HttpException, Inject, Module, Param } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  type ClientGrpc,
  ClientsModule,
  GrpcMethod,
  type GrpcOptions,
  Transport,
} from '@nestjs/microservices';
import {
  CircuitBreaker,
  outboundCallOptions,
  outboundHeaders,
  ResilienceModule,
  Retry,
  resilientFetch,
  Timeout,
} from 'nestjs-bulwark';
import { catchError, firstValueFrom, type Observable } from 'rxjs';

const { PRICES_URL, GRPC_URL = 'localhost:5000', PORT = 3_000 } = process.env;
const protoPath = 'sample-app/examples/grpc/prices.proto';
const grpc: GrpcOptions = {
  transport: Transport.GRPC,
  options: { package: 'shop', protoPath, url: GRPC_URL },
};

type Price = { sku: string; cents: number };
type PricesClient = {
  find(request: object, metadata: Metadata, options: object): Observable<Price>;
};

@Controller()
class PricesController {
  @GrpcMethod('Prices')
  @Retry({ maxAttempts: 3, baseDelayMs: 50, idempotent: true }) // only who wrote it knows that it may be repeated
  @CircuitBreaker({ failureThreshold: 5 })
  @Timeout(1_000)
  async find({ sku }: { sku: string }): Promise<Price> {
    const response = await resilientFetch(`${PRICES_URL}/prices/${encodeURIComponent(sku)}`);
    return (await response.json()) as Price;
  }
}

/** What the errors of a client of gRPC are to those who ask over HTTP. */
const STATUSES: Record<number, number> = { 4: 504, 5: 404, 8: 503, 14: 503 };

function overHttp(cause: ServiceError): never {
  throw new HttpException(cause.details, STATUSES[cause.code] ?? 500, { cause });
}

@Controller('prices')
class ShopController {
  constructor(@Inject('SHOP') private readonly client: ClientGrpc) {}

  @Get(':sku')
  @Retry(3) // a GET, so a handler may be retried; but not what was retried to the end behind it
  @Timeout(4_000)
  price(@Param('sku') sku: string): Promise<Price> {
    const prices = this.client.getService<PricesClient>('Prices');
    const metadata = Metadata.fromHttp2Headers(outboundHeaders());
    const price = prices.find({ sku }, metadata, outboundCallOptions());
    return firstValueFrom(price.pipe(catchError(overHttp)));
  }
}

@Module({
  imports: [
    ResilienceModule.forRoot({ inbound: { trustDeadline: true } }),
    ClientsModule.register([{ name: 'SHOP', ...grpc }]),
  ],
  controllers: [PricesController, ShopController],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
app.connectMicroservice(grpc, { inheritAppConfig: true });
await app.startAllMicroservices();
await app.listen(PORT);
