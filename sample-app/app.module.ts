import { type DynamicModule, Module } from '@nestjs/common';
import { type AlertChannel, ResilienceModule } from 'nestjs-bulwark';
import { ErrorsController } from './errors/errors.controller.js';
import { HealthController } from './health/health.controller.js';
import { resilienceOptions } from './resilience.options.js';
import { ShopModule } from './shop.module.js';
import type { Upstreams } from './upstreams/upstreams.js';

@Module({})
export class AppModule {
  static protected(
    upstreams: Upstreams,
    { alerts, logErrors }: { alerts: AlertChannel; logErrors: boolean },
  ): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ResilienceModule.forRoot(resilienceOptions(alerts, logErrors)),
        ShopModule.with(upstreams),
      ],
      controllers: [HealthController, ErrorsController],
    };
  }

  /** The same shop without the module: every decorator in it does nothing. */
  static unprotected(upstreams: Upstreams): DynamicModule {
    return { module: AppModule, imports: [ShopModule.with(upstreams)] };
  }
}
