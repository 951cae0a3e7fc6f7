import 'reflect-metadata';
import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type CallHandler,
  Controller,
  type ExecutionContext,
  Get,
  type INestApplication,
  type NestInterceptor,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
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
import { work } from '../../cases/baselines.js';

export type Platform = 'Express' | 'Fastify';

/** The same route, in applications that differ. */
export type Variant =
  | 'bare'
  /** Behind what knows whose request it is, and does nothing else: a middleware, or a hook. */
  | 'middleware'
  /** The same as an interceptor. */
  | 'interceptor'
  /** The module is imported, the route has no decorators. */
  | 'undecorated'
  | 'allStages';

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

class ContextInterceptor implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler) {
    return storage.run({}, () => next.handle());
  }
}

class ServerModule {}

/** @returns the port that it listens on */
export async function serve(platform: Platform, variant: Variant): Promise<number> {
  const app = await create(platform, {
    imports:
      variant === 'undecorated' || variant === 'allStages' ? [ResilienceModule.forRoot()] : [],
    controllers: [variant === 'allStages' ? DecoratedController : PlainController],
  });
  if (variant === 'interceptor') app.useGlobalInterceptors(new ContextInterceptor());
  if (variant === 'middleware') openStorage(app, platform);
  await app.listen(0, '127.0.0.1');
  return app.getHttpServer().address().port;
}

/** @returns µs of CPU so far */
export function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

async function create(
  platform: Platform,
  parts: { imports: ReturnType<typeof ResilienceModule.forRoot>[]; controllers: Type[] },
): Promise<INestApplication> {
  const module = { module: ServerModule, ...parts };
  return platform === 'Fastify'
    ? NestFactory.create(module, new FastifyAdapter(), { logger: false })
    : NestFactory.create(module, { logger: false });
}

function openStorage(app: INestApplication, platform: Platform): void {
  const around = (_request: unknown, _response: unknown, next: () => void) => storage.run({}, next);
  if (platform === 'Express') app.use(around);
  else app.getHttpAdapter().getInstance().addHook('onRequest', around);
}
