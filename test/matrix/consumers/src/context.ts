import 'reflect-metadata';
import { LazyModuleLoader, NestFactory } from '@nestjs/core';
import { CircuitBreakerOpenError } from 'nestjs-bulwark';
import { AppModule } from './app.module.js';
import { ReportsModule, ReportsService } from './reports.module.js';
import { CartService, Courier, PriceList, StockService, SupplierService } from './services.js';

/** An application without a platform: no HTTP, and only the peers that are required. */
async function main() {
  const context = await NestFactory.createApplicationContext(AppModule);
  const reports = (await context.get(LazyModuleLoader).load(() => ReportsModule)).get(
    ReportsService,
  );
  const answers = {
    singleton: await context.get(StockService).count(),
    factory: await context.get(PriceList).read(),
    transient: await (await context.resolve(Courier)).call(),
    request: await (await context.resolve(CartService)).load(),
    'request-factory': await (await context.resolve<PriceList>('PRICES_OF_REQUEST')).read(),
    lazy: await reports.newest(),
    'lazy-factory': await reports.prices.read(),
  };
  const supplier = context.get(SupplierService);
  const errors = [await failure(supplier.order()), await failure(supplier.order())];
  const isOpen = errors[1] instanceof CircuitBreakerOpenError;
  console.log(JSON.stringify({ answers, isOpen, fallback: await supplier.deliveryDays('tea') }));
  await context.close();
}

async function failure(call: Promise<unknown>): Promise<unknown> {
  try {
    return await call;
  } catch (error) {
    return error;
  }
}

void main();
