import 'reflect-metadata';
import type { INestApplicationContext, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  type Pipeline,
  ResilienceEvents,
  ResilienceModule,
  type ResilienceModuleOptions,
  ResilienceService,
  type ServiceOptions,
} from 'nestjs-bulwark';

class BenchmarkModule {}

/** An application as a user has it: error tracking, metrics and events are on. */
async function boot(
  providers: Type[],
  options: ResilienceModuleOptions,
): Promise<INestApplicationContext> {
  const imports = [ResilienceModule.forRoot(options)];
  const app = await NestFactory.createApplicationContext(
    { module: BenchmarkModule, imports, providers },
    { logger: false },
  );
  app.get(ResilienceEvents).events$.subscribe();
  return app;
}

/** A provider of an application. */
export async function provide<T>(
  provider: Type<T>,
  options: ResilienceModuleOptions = {},
): Promise<T> {
  return (await boot([provider], options)).get(provider);
}

export async function pipeline(options: ServiceOptions): Promise<Pipeline> {
  return (await boot([], {})).get(ResilienceService).pipeline(options);
}
