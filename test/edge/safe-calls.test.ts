import type { AddressInfo, Server } from 'node:net';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import {
  All,
  type CallHandler,
  Controller,
  type ExecutionContext,
  Get,
  Injectable,
  type MiddlewareConsumer,
  Module,
  type NestInterceptor,
  type NestMiddleware,
  Post,
  Req,
  UseInterceptors,
} from '@nestjs/common';
import {
  Field,
  GraphQLModule,
  Info,
  Mutation,
  ObjectType,
  Parent,
  Query,
  ResolveField,
  Resolver,
} from '@nestjs/graphql';
import {
  ClientProxyFactory,
  MessagePattern,
  type MicroserviceOptions,
  Transport,
} from '@nestjs/microservices';
import { lastValueFrom, Observable } from 'rxjs';
import { Hedge, Retry } from '../../lib/index.js';
import { closeAll, TWICE, track } from '../binding/support.js';
import { EXPRESS, FASTIFY, listen } from './adapters.support.js';
import { latch } from './waiting.js';

afterEach(closeAll);

let runs = 0;
beforeEach(() => {
  runs = 0;
});

function fail(): never {
  runs++;
  throw new Error('down');
}

describe.each([EXPRESS, FASTIFY])('On $name, @Retry repeats by the request at hand', (platform) => {
  const VERBS = [
    ['GET', 2],
    ['HEAD', 2],
    ['OPTIONS', 2],
    ['POST', 1],
    ['DELETE', 1],
  ] as const;

  it('a route for all methods, of which boot does not warn', async () => {
    @Controller()
    class Shop {
      @All('shop')
      @Retry(TWICE)
      async shop(): Promise<string> {
        return fail();
      }
    }
    const { call, logger } = await listen(platform, { controllers: [Shop] });
    for (const [verb, expected] of VERBS) {
      runs = 0;
      await call('/shop', verb);
      expect([verb, runs]).toEqual([verb, expected]);
    }
    expect(logger.warnings()).toBe('');
  });

  it('a hedged route for all methods', async () => {
    const hedged = latch();
    @Controller()
    class Shop {
      @All('shop')
      @Hedge({ delayMs: 1 })
      async shop(@Req() { method }: { method: string }): Promise<string> {
        if (++runs === 3) hedged.open();
        if (method === 'GET') await hedged.opened;
        else await new Promise((resolve) => setTimeout(resolve, 20));
        return 'done';
      }
    }
    const { call } = await listen(platform, { controllers: [Shop] });
    await call('/shop', 'POST');
    expect(runs).toBe(1);
    await call('/shop', 'GET');
    expect(runs).toBe(3);
  });

  it.each([
    ['a Promise', false],
    ['an Observable', true],
  ])('what an interceptor is around, that returns %s; boot says so', async (_what, isStream) => {
    @Injectable()
    class Promising implements NestInterceptor {
      @Retry(TWICE)
      async intercept(_: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
        const answer = await lastValueFrom(next.handle());
        return new Observable((subscriber) => subscriber.next(answer));
      }
    }
    @Injectable()
    class Streaming implements NestInterceptor {
      @Retry(TWICE)
      intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
        return next.handle();
      }
    }
    const interceptor = isStream ? Streaming : Promising;
    @Controller()
    @UseInterceptors(interceptor)
    class Shop {
      @Get('shop')
      get(): string {
        return fail();
      }
      @Post('shop')
      buy(): string {
        return fail();
      }
    }
    const { call, logger } = await listen(platform, { controllers: [Shop] });
    expect((await call('/shop', 'POST')).status).toBe(500);
    expect(runs).toBe(1);
    await call('/shop');
    expect(runs).toBe(3);
    expect(logger.warnings()).toContain(
      `${interceptor.name}.intercept: @Retry() is active for GET, HEAD, OPTIONS and GraphQL queries only`,
    );
  });

  it('what an interceptor is around that is idempotent, whatever the request', async () => {
    @Injectable()
    class Repeating implements NestInterceptor {
      @Retry({ ...TWICE, idempotent: true })
      intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
        return next.handle();
      }
    }
    @Controller()
    @UseInterceptors(Repeating)
    class Shop {
      @Post('shop')
      buy(): string {
        return fail();
      }
    }
    const { call, logger } = await listen(platform, { controllers: [Shop] });
    await call('/shop', 'POST');
    expect(runs).toBe(2);
    expect(logger.warnings()).toBe('');
  });

  it('a middleware; a method of that name elsewhere is as any other', async () => {
    @Injectable()
    class Audit implements NestMiddleware {
      @Retry(TWICE)
      async use(_request: unknown, _response: unknown, _next: () => void): Promise<void> {
        fail();
      }
    }
    @Injectable()
    class Coupon {
      @Retry(TWICE)
      async use(_code: string): Promise<void> {
        fail();
      }
    }
    @Controller()
    class Shop {
      @All('shop')
      shop(): string {
        return 'done';
      }
    }
    @Module({ controllers: [Shop], providers: [Coupon] })
    class Shopping {
      configure(consumer: MiddlewareConsumer): void {
        consumer.apply(Audit).forRoutes('*');
      }
    }
    const { app, call } = await listen(platform, { imports: [Shopping] });
    await call('/shop', 'POST');
    expect(runs).toBe(1);
    await call('/shop');
    expect(runs).toBe(3);
    await app
      .get(Coupon)
      .use('')
      .catch(() => undefined);
    expect(runs).toBe(5);
  });
});

it.each([true, false])(
  'A handler of HTTP and of messages is repeated for a GET, and never for a message (inheritAppConfig: %p)',
  async (inheritAppConfig) => {
    @Controller()
    class Both {
      @Get('both')
      @MessagePattern('both')
      @Retry(TWICE)
      async both(): Promise<string> {
        return fail();
      }
    }
    const { app, call } = await listen(EXPRESS, { controllers: [Both] });
    const options = { host: '127.0.0.1', port: 0 };
    const microservice = app.connectMicroservice<MicroserviceOptions>(
      { transport: Transport.TCP, options },
      { inheritAppConfig },
    );
    await app.startAllMicroservices();
    const { port } = microservice.unwrap<Server>().address() as AddressInfo;
    const client = ClientProxyFactory.create({
      transport: Transport.TCP,
      options: { ...options, port },
    });
    track({ close: async () => client.close() });
    await lastValueFrom(client.send('both', {})).catch(() => undefined);
    expect(runs).toBe(1);
    await call('/both');
    expect(runs).toBe(3);
  },
);

describe('A field that is resolved', () => {
  @ObjectType()
  class Product {
    @Field()
    id!: string;
  }
  @Resolver(() => Product)
  class Products {
    @Query(() => Product)
    product(): Product {
      return { id: '1' };
    }
    @Mutation(() => Product)
    buy(): Product {
      return { id: '1' };
    }
    @ResolveField(() => String, { nullable: true })
    @Retry(TWICE)
    async bare(): Promise<string> {
      return fail();
    }
    @ResolveField(() => String, { nullable: true })
    @Retry(TWICE)
    async informed(@Parent() _product: Product, @Info() _info: unknown): Promise<string> {
      return fail();
    }
    @ResolveField(() => String, { nullable: true })
    @Retry(TWICE)
    async intercepted(@Parent() _product: Product): Promise<string> {
      return fail();
    }
  }

  it('is repeated in a query, and never in a mutation', async () => {
    const graphql = GraphQLModule.forRoot<ApolloDriverConfig>({
      driver: ApolloDriver,
      autoSchemaFile: true,
      graphiql: false,
      fieldResolverEnhancers: ['interceptors'],
    });
    const { app } = await listen(EXPRESS, { imports: [graphql], providers: [Products] });
    const url = `${await app.getUrl()}/graphql`;
    const ask = (query: string) =>
      fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query }),
      });
    for (const field of ['bare', 'informed', 'intercepted']) {
      runs = 0;
      await ask(`mutation { buy { ${field} } }`);
      expect([field, runs]).toEqual([field, 1]);
      await ask(`{ product { ${field} } }`);
      expect([field, runs]).toEqual([field, 3]);
    }
  });
});
