import type {
  DynamicModule,
  INestApplication,
  INestApplicationContext,
  Type,
} from '@nestjs/common';
import { ModulesContainer, NestFactory } from '@nestjs/core';

const running: { close(): Promise<void> }[] = [];

/** Boots an application of Nest's own, without a server and without anything of the library's. */
export async function bootContext(root: Type | DynamicModule): Promise<INestApplicationContext> {
  const app = await NestFactory.createApplicationContext(root, QUIET);
  running.push(app);
  return app;
}

/** Boots one that answers HTTP. */
export async function bootServer(
  root: Type | DynamicModule,
): Promise<{ app: INestApplication; url: string }> {
  const app = await NestFactory.create(root, QUIET);
  running.push(app);
  await app.listen(0, '127.0.0.1');
  return { app, url: await app.getUrl() };
}

const QUIET = { logger: false, abortOnError: false } as const;

export function modulesIn(app: INestApplicationContext): ModulesContainer {
  return app.get(ModulesContainer);
}

export async function closeAll(): Promise<void> {
  for (const app of running.splice(0)) await app.close();
}
