import 'reflect-metadata';
import { type INestApplicationContext, Injectable, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  Bulkhead,
  CircuitBreaker,
  Critical,
  Fallback,
  ResilienceEvents,
  ResilienceModule,
  type ResilienceModuleOptions,
  Retry,
  Timeout,
  Upstream,
} from 'nestjs-bulwark';
import { ANSWER } from './baselines.js';

/** A provider with a method that is protected. */
export interface Client {
  call(): Promise<number>;
}

/** Decorates a method that returns a Promise. */
export type Decorator = (
  target: object,
  key: string,
  method: TypedPropertyDescriptor<() => Promise<number>>,
) => void;

/** All six stages, as one writes them above a method. */
export const ALL_STAGES: readonly Decorator[] = [
  Critical(),
  Upstream('upstream'),
  Retry(),
  CircuitBreaker(),
  Timeout(1_000),
  Bulkhead(),
  Fallback(() => 0),
];

/**
 * A class whose method has these decorators. They are put there when this is called, so that a
 * process that measures one of them has none of the others.
 */
export function clientWith(decorators: readonly Decorator[], name = 'Client'): Type<Client> {
  class Decorated implements Client {
    async call(): Promise<number> {
      return ANSWER;
    }
  }
  Object.defineProperty(Decorated, 'name', { value: name }); // operations are named after it
  decorateMethod(Decorated.prototype, 'call', decorators);
  return Injectable()(Decorated) ?? Decorated;
}

/** What the syntax does: the lowest decorator first. */
export function decorateMethod(
  target: object,
  key: string,
  decorators: readonly Decorator[],
): void {
  const method = Object.getOwnPropertyDescriptor(target, key) as PropertyDescriptor;
  for (const decorate of [...decorators].reverse()) decorate(target, key, method);
  Object.defineProperty(target, key, method);
}

class BenchmarkModule {}

/** An application as a user has it: error tracking, metrics and events are on. */
export async function boot(
  providers: Type[],
  options: ResilienceModuleOptions = {},
): Promise<INestApplicationContext> {
  const imports = [ResilienceModule.forRoot(options)];
  const app = await NestFactory.createApplicationContext(
    { module: BenchmarkModule, imports, providers },
    { logger: false },
  );
  app.get(ResilienceEvents).events$.subscribe();
  return app;
}

/** A provider of such an application. */
export async function provide<T>(
  provider: Type<T>,
  options: ResilienceModuleOptions = {},
): Promise<T> {
  return (await boot([provider], options)).get(provider);
}
