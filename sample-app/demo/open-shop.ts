import type { DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { OpenShop } from './shop-on-trial.js';

/** Opens a shop in this process. */
export async function openShop(module: DynamicModule): Promise<OpenShop> {
  // Silent: the unprotected shop would log a stack for every order that it loses.
  const app = await NestFactory.create(module, { logger: false, forceCloseConnections: true });
  await app.listen(0, '127.0.0.1');
  return { urls: [await app.getUrl()], close: () => app.close() };
}
