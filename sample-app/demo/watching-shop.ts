import { NestFactory } from '@nestjs/core';
import { type AlertChannel, ResilienceAdvisor, ResilienceService } from 'nestjs-bulwark';
import { AppModule } from '../app.module.js';
import { untunedOptions } from '../resilience.options.js';
import type { UpstreamUrls } from '../upstreams/upstreams.js';
import type { OpenShop } from './shop-on-trial.js';

/** A shop that only watches, until it is told to do what it has learnt. */
export interface WatchingShop extends OpenShop {
  /** @returns what is changed, in a line each */
  followAdvice(): string[];
}

/** Opens one in this process. */
export async function openWatchingShop(
  urls: UpstreamUrls,
  alerts: AlertChannel[],
): Promise<WatchingShop> {
  const resilience = untunedOptions(alerts);
  const module = AppModule.protected(urls, { alerts, logErrors: false, resilience });
  const app = await NestFactory.create(module, { logger: false, forceCloseConnections: true });
  await app.listen(0, '127.0.0.1');
  return {
    urls: [await app.getUrl()],
    close: () => app.close(),
    followAdvice() {
      const { overrides, operations } = app.get(ResilienceAdvisor).report();
      app.get(ResilienceService).reconfigure({ ...overrides, mode: 'enforce' });
      return operations.flatMap(({ operation, advice }) =>
        advice.map(({ option, proposed }) => `${operation} ${option}: ${JSON.stringify(proposed)}`),
      );
    },
  };
}
