/**
 * A GraphQL API whose prices and orders come from other services.
 *
 *   npm run example graphql
 *   ask() { curl -H 'content-type: application/json' -d "{\"query\":\"$1\"}" localhost:3000/graphql; }
 *   ask '{ products { sku price { cents } } }'   # two prices
 *   ask 'mutation { order(id: 7) }'              # {"data":{"order":"charged"}}
 *   curl localhost:4000/unavailable              # the other services fail from now on
 *   ask '{ products { sku price { cents } } }'   # the products, each with the price null
 *   ask 'mutation { order(id: 8) }'              # once its breaker is open: an error with the code CIRCUIT_OPEN
 */
import 'reflect-metadata';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  Args,
  Field,
  GraphQLModule,
  ID,
  Int,
  Mutation,
  ObjectType,
  Parent,
  Query,
  ResolveField,
  Resolver,
} from '@nestjs/graphql';
import {
  CircuitBreaker,
  Critical,
  ResilienceModule,
  Retry,
  resilientFetch,
  Timeout,
} from 'nestjs-bulwark';

const { PRICES_URL, PAYMENTS_URL, PORT = 3_000 } = process.env;

@ObjectType()
class Price {
  @Field(() => Int) cents!: number;
}

@ObjectType()
class Product {
  @Field(() => ID) sku!: string;
  @Field(() => Price, { nullable: true }) price?: Price | null;
}

@Injectable()
class PaymentsClient {
  @Retry({ maxAttempts: 3, baseDelayMs: 50 }) // here, as a mutation's own resolver is never repeated
  @CircuitBreaker({ failureThreshold: 5 })
  @Timeout(1_000)
  async charge(id: string): Promise<void> {
    const headers = { 'content-type': 'application/json', 'idempotency-key': id };
    const body = JSON.stringify({ id });
    await resilientFetch(`${PAYMENTS_URL}/charges`, { method: 'POST', headers, body });
  }
}

@Resolver(() => Product)
class ProductsResolver {
  constructor(private readonly payments: PaymentsClient) {}

  @Query(() => [Product])
  products(): Product[] {
    return [{ sku: 'tea' }, { sku: 'coffee' }];
  }

  @ResolveField(() => Price, { nullable: true })
  @Critical(false) // null when it fails, beside the rest of the answer
  @CircuitBreaker({ timeoutMs: 5_000 })
  @Timeout(500)
  async price(@Parent() { sku }: Product): Promise<Price | null> {
    const response = await resilientFetch(`${PRICES_URL}/prices/${encodeURIComponent(sku)}`);
    return (await response.json()) as Price;
  }

  @Mutation(() => String)
  async order(@Args('id', { type: () => ID }) id: string): Promise<string> {
    await this.payments.charge(id);
    return 'charged';
  }
}

@Module({
  imports: [
    ResilienceModule.forRoot(),
    GraphQLModule.forRoot<ApolloDriverConfig>({ driver: ApolloDriver, autoSchemaFile: true }),
  ],
  providers: [PaymentsClient, ProductsResolver],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
await app.listen(PORT);
