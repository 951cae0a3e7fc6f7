import { type DynamicModule, Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import {
  type AlertChannel,
  type ChaosOptions,
  type Fleet,
  InMemoryMetrics,
  ResilienceModule,
  type ResilienceModuleOptions,
} from 'nestjs-bulwark';
import { ResilienceAdminModule } from 'nestjs-bulwark/admin';
import { ResilienceDashboardModule } from 'nestjs-bulwark/dashboard';
import { PrometheusMetrics } from 'nestjs-bulwark/prometheus';
import { ResilienceHealthIndicator } from 'nestjs-bulwark/terminus';
import { ChaosController } from './chaos/chaos.controller.js';
import { ErrorsController } from './errors/errors.controller.js';
import { HealthController } from './health/health.controller.js';
import { MetricsController } from './metrics/metrics.controller.js';
import { resilienceOptions } from './resilience.options.js';
import { ShopModule } from './shop.module.js';
import type { Upstreams, UpstreamUrls } from './upstreams/upstreams.js';
import { UpstreamsModule } from './upstreams/upstreams.module.js';

export interface ProtectionOptions {
  alerts: AlertChannel[];
  logErrors: boolean;
  chaos?: ChaosOptions;
  /** With which other instances of the shop it shares what it learns. */
  fleet?: Fleet | undefined;
  /** Those of this process, which get a switchboard. */
  upstreams?: Upstreams;
  /** @default those of the sample */
  resilience?: ResilienceModuleOptions;
}

/** A real shop asks its guard. Here everybody says so: curl -H 'x-user: alice' … */
const whoIs = (request: { headers: { 'x-user'?: string } }) => request.headers['x-user'];

@Module({})
export class AppModule {
  static protected(
    urls: UpstreamUrls,
    {
      alerts,
      logErrors,
      chaos,
      fleet,
      upstreams,
      resilience = resilienceOptions(alerts, logErrors, fleet),
    }: ProtectionOptions,
  ): DynamicModule {
    const prometheus = new PrometheusMetrics();
    return {
      module: AppModule,
      imports: [
        TerminusModule,
        ResilienceModule.forRoot({
          ...resilience,
          metrics: [new InMemoryMetrics(), prometheus],
          ...(chaos && { chaos }),
        }),
        // Public, for the sample listens on this machine alone; a real shop gives it a guard.
        ResilienceDashboardModule.forRoot({ public: true, controls: true, whoIs }),
        ResilienceAdminModule.forRoot({ public: true, controls: true, whoIs, path: '/admin' }),
        ShopModule.with(urls),
        ...(upstreams ? [UpstreamsModule.with(upstreams)] : []),
      ],
      controllers: [HealthController, ErrorsController, MetricsController, ChaosController],
      providers: [ResilienceHealthIndicator, { provide: PrometheusMetrics, useValue: prometheus }],
    };
  }

  /** The same shop without the module: every decorator in it does nothing. */
  static unprotected(urls: UpstreamUrls): DynamicModule {
    return { module: AppModule, imports: [ShopModule.with(urls)] };
  }
}
