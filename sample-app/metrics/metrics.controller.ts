import { Controller, Get, Header } from '@nestjs/common';
import { PrometheusMetrics } from 'nestjs-bulwark/prometheus';
import { Registry } from 'prom-client';

@Controller('metrics')
export class MetricsController {
  constructor(private readonly prometheus: PrometheusMetrics) {}

  /** What Prometheus scrapes. */
  @Get()
  @Header('Content-Type', Registry.PROMETHEUS_CONTENT_TYPE)
  scrape(): Promise<string> {
    return this.prometheus.registry.metrics();
  }
}
