import 'reflect-metadata';
import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type CallHandler,
  Controller,
  type ExecutionContext,
  Get,
  type NestInterceptor,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  Bulkhead,
  CircuitBreaker,
  Critical,
  Fallback,
  ResilienceModule,
  Retry,
  Timeout,
  Upstream,
} from 'nestjs-bulwark';
import { work } from '../cases/baselines.js';

@Controller()
class PlainController {
  @Get('route')
  async route(): Promise<{ answer: number }> {
    return { answer: await work() };
  }
}

@Controller()
class DecoratedController {
  @Get('route')
  @Critical()
  @Upstream('upstream')
  @Retry()
  @CircuitBreaker()
  @Timeout(1_000)
  @Bulkhead({ maxConcurrent: 50 })
  @Fallback(() => ({ answer: 0 }))
  async route(): Promise<{ answer: number }> {
    return { answer: await work() };
  }
}

const storage = new AsyncLocalStorage<object>();

/** What an interceptor costs that knows whose request it is, and nothing else. */
class ContextInterceptor implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler) {
    return storage.run({}, () => next.handle());
  }
}

class ServerModule {}

/** The same route in three applications. */
export type Variant = 'plain' | 'context' | 'decorated';

/** @returns the port that it listens on */
export async function serve(variant: Variant): Promise<number> {
  const isDecorated = variant === 'decorated';
  const app = await NestFactory.create(
    {
      module: ServerModule,
      imports: isDecorated ? [ResilienceModule.forRoot()] : [],
      controllers: [isDecorated ? DecoratedController : PlainController],
    },
    { logger: false },
  );
  if (variant === 'context') app.useGlobalInterceptors(new ContextInterceptor());
  await app.listen(0, '127.0.0.1');
  return app.getHttpServer().address().port;
}

/** @returns µs of CPU so far */
export function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}
