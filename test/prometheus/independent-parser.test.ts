import { createRequire } from 'node:module';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get, Header } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { ErrorTracker, ResilienceModule, ResilienceService } from '../../lib/index.js';
import { PrometheusMetrics } from '../../lib/prometheus/index.js';

interface Family {
  name: string;
  type: 'COUNTER' | 'GAUGE' | 'HISTOGRAM';
  metrics: { value?: string; count?: string; labels?: Record<string, string> }[];
}
/** Written by others than the exporter, and than us. */
const parse = createRequire(import.meta.url)('parse-prometheus-text-format') as (
  text: string,
) => Family[];

const prometheus = new PrometheusMetrics();

@Controller()
class Scrape {
  @Get('metrics')
  @Header('Content-Type', prometheus.registry.contentType)
  metrics(): Promise<string> {
    return prometheus.registry.metrics();
  }
}

let app: NestExpressApplication;
beforeAll(async () => {
  const quiet = { errorTracker: { log: false }, alerts: { sendCritical: () => undefined } };
  const module = await Test.createTestingModule({
    imports: [ResilienceModule.forRoot({ ...quiet, metrics: prometheus })],
    controllers: [Scrape],
  }).compile();
  app = module.createNestApplication<NestExpressApplication>();
  await app.listen(0, '127.0.0.1');
});
afterAll(() => app.close());

describe('A scrape', () => {
  it('is read by an independent parser, and adds up', async () => {
    const service = app.get(ResilienceService);
    const down = () => Promise.reject(new Error('down'));
    const calls = [
      service.pipeline({ name: 'fine' }).execute(async () => 1),
      service.pipeline({ name: 'fails', upstream: 'a "quoted" \\ name' }).execute(down),
      service.pipeline({ name: 'falls back', fallback: () => 1 }).execute(down),
      service.pipeline({ name: 'degrades', critical: false }).execute(down),
    ];
    await Promise.allSettled(calls);
    app.get(ErrorTracker).track(new Error('by hand'), { service: 's', operation: 'o' });
    const families = parse(await (await fetch(`${await app.getUrl()}/metrics`)).text());
    const family = (name: string) => families.find((it) => it.name === name) as Family;
    const sum = (name: string, labels: Record<string, string> = {}) =>
      family(name)
        .metrics.filter(({ labels: has }) =>
          Object.entries(labels).every(([key, value]) => has?.[key] === value),
        )
        .reduce((total, { value, count }) => total + Number(value ?? count), 0);
    expect(family('resilience_requests_total').type).toBe('COUNTER');
    expect(family('resilience_request_duration_seconds').type).toBe('HISTOGRAM');
    const outcomes = ['success', 'failure', 'fallback', 'degraded'].map((outcome) =>
      sum('resilience_requests_total', { outcome }),
    );
    expect(outcomes).toEqual([1, 1, 1, 1]);
    const { total, requests } = app.get(ErrorTracker).getMetrics();
    expect(sum('resilience_requests_total')).toBe(requests);
    expect(sum('resilience_errors_total')).toBe(total);
    expect(sum('resilience_errors_total', { upstream: 'a "quoted" \\ name' })).toBe(1);
  });
});
