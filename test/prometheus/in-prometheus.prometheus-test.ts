import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PrometheusMetrics } from '../../lib/prometheus/index.js';
import {
  matchers,
  type Prometheus,
  promtool,
  type Scrape,
  startPrometheus,
} from '../support/prometheus.js';
import { MOMENTS, SCRAPE_INTERVAL_MS, tell } from './shop.support.js';

const lib = join(dirname(fileURLToPath(import.meta.url)), '../../lib/prometheus');
const alerts = join(lib, 'alerts.yml');

/** Of each alert, what it has to be about in the outage; and what it says of the two minutes of trouble. */
const EXPECTED: Record<string, { about: Record<string, string>; ofBlip?: 'fires' }> = {
  ResilienceErrorRatioHigh: { about: { operation: 'Shop.pay' } },
  ResilienceCriticalOperationFailing: { about: { operation: 'Shop.pay' }, ofBlip: 'fires' },
  ResilienceFallbackFailing: { about: { operation: 'Shop.stock' } },
  ResilienceFailuresHidden: { about: { operation: 'Shop.recommend' } },
  ResilienceCircuitBreakerOpen: { about: { breaker: 'payments' } },
  ResilienceCircuitBreakerFlapping: { about: { breaker: 'Shop.flap' } },
  ResilienceRetryBudgetExhausted: { about: { operation: 'Shop.search' } },
  ResilienceRetryAmplification: { about: { operation: 'Shop.browse' } },
  ResilienceTimeouts: { about: { operation: 'Shop.loadAll' } },
  ResilienceBulkheadRejecting: { about: { bulkhead: 'reports' } },
  ResilienceBulkheadSaturated: { about: { bulkhead: 'exports' } },
  ResilienceRateLimitRejecting: { about: { rate_limit: 'maps' } },
  ResilienceRateLimitPaused: { about: { rate_limit: 'partner' } },
  ResilienceSheddingCritical: { about: { job: 'shop' }, ofBlip: 'fires' },
  ResilienceShedding: { about: { job: 'shop' } },
  ResilienceFleetUnreachable: { about: { instance: 'a' } },
  ResilienceFleetRefused: { about: { job: 'shop' }, ofBlip: 'fires' },
  ResilienceChaosActive: { about: { operation: 'Shop.chaotic', effect: 'error' }, ofBlip: 'fires' },
  ResilienceReconfigureRefused: { about: { instance: 'a' }, ofBlip: 'fires' },
  ResilienceShadowWouldReject: { about: { stage: 'bulkhead', name: 'tried' } },
  ResilienceLabelsOverflow: { about: { job: 'shop' } },
};

interface Panel {
  title: string;
  targets?: { expr: string }[];
}
interface Matrix {
  result: { values: [number, string][] }[];
}

let scrapes: Scrape[];
let folder: string;
/** When the story ended, by the wall clock. */
const endsAt = Date.now();
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'alerts-'));
  scrapes = await tell(endsAt);
}, 300_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What Prometheus would have of the scrapes: each series with its values, and `_` where it was not there. */
function inputSeries() {
  const bySeries = new Map<string, string[]>();
  scrapes.forEach(({ samples }, index) => {
    for (const { name, labels, value } of samples) {
      if (name.endsWith('_bucket')) continue; // no alert goes by them
      const series = `${name}{${matchers(labels)}}`;
      const values = bySeries.get(series) ?? [];
      if (!bySeries.has(series)) bySeries.set(series, values);
      while (values.length < index) values.push('_');
      values.push(String(value));
    }
  });
  return [...bySeries].map(([series, values]) => ({ series, values: values.join(' ') }));
}

/** Runs what a test file of promtool says of the alerts. */
async function testing(tests: object[]): Promise<string> {
  const file = join(folder, 'tests.json'); // YAML as well
  const test = { interval: `${SCRAPE_INTERVAL_MS / 1_000}s`, input_series: inputSeries() };
  await writeFile(
    file,
    JSON.stringify({
      rule_files: [alerts],
      evaluation_interval: '1m',
      tests: [{ ...test, promql_expr_test: tests }],
    }),
  );
  return promtool('test', 'rules', file).then(
    ({ stdout }) => stdout,
    ({ stdout, stderr }) => `${stdout}${stderr}`,
  );
}

/** What fires at a minute. */
const firing = (minute: number, labels: Record<string, string>, isFiring: boolean) => ({
  expr: `count(ALERTS{${matchers({ alertstate: 'firing', ...labels })}})`,
  eval_time: `${minute}m`,
  exp_samples: isFiring ? [{ labels: '{}', value: 1 }] : [],
});

describe('The alerts', () => {
  it('are rules as Prometheus takes them', async () => {
    const { stdout } = await promtool('check', 'rules', alerts);
    expect(stdout).toContain(`SUCCESS: ${Object.keys(EXPECTED).length} rules found`);
  });

  it('have a section in the runbook each, which says what it means, what to look at and what to do', async () => {
    const book = await readFile(join(lib, 'runbooks.md'), 'utf8');
    const sections = book.split(/^## /m).slice(1);
    expect(sections.map((section) => section.split('\n')[0])).toEqual(Object.keys(EXPECTED));
    const parts = ['What it means', 'What to look at', 'What to do'];
    for (const section of sections)
      for (const part of parts) expect(section).toContain(`**${part}.** `);
    const rules = (await readFile(alerts, 'utf8')).split('- alert: ').slice(1);
    expect(rules).toHaveLength(sections.length);
    for (const rule of rules) {
      const name = rule.split('\n')[0] as string;
      expect(EXPECTED).toHaveProperty(name);
      expect(rule).toContain(`runbook_url: runbooks.md#${name.toLowerCase()}\n`);
      expect(rule).toMatch(/ for: \d+m\n/);
      expect(rule).toMatch(/severity: (critical|warning|info)\n/);
      for (const annotation of ['summary', 'description', 'runbook'])
        expect(rule).toMatch(new RegExp(` ${annotation}: '.+'\n`));
    }
  });

  it('fire by what the exporter says in an outage, and are silent before, after, and of a short trouble', async () => {
    const silent = [MOMENTS.quiet, MOMENTS.afterBlip, MOMENTS.end].flatMap((minute) =>
      Object.keys(EXPECTED).map((alertname) => firing(minute, { alertname }, false)),
    );
    const ofBlip = Object.entries(EXPECTED).map(([alertname, { about, ofBlip: what }]) =>
      firing(MOMENTS.blip + 2, { alertname, ...about }, what === 'fires'),
    );
    const ofOutage = Object.entries(EXPECTED).map(([alertname, { about }]) =>
      firing(MOMENTS.outage - 1, { alertname, ...about }, true),
    );
    const ofWhatIsFine = firing(MOMENTS.outage - 1, { operation: 'Shop.fine' }, false);
    expect(await testing([...silent, ...ofBlip, ...ofOutage, ofWhatIsFine])).toContain('SUCCESS');
  });
});

describe('A real Prometheus', () => {
  const exemplar = { trace_id: 'a'.repeat(32), span_id: 'b'.repeat(16) };
  const metrics = new PrometheusMetrics({ exemplars: () => exemplar });
  const exporter = createServer(async (_, response) => {
    response.setHeader('Content-Type', metrics.registry.contentType);
    response.end(await metrics.registry.metrics());
  });
  let prometheus: Prometheus;
  beforeAll(async () => {
    await new Promise<void>((resolve) => exporter.listen(0, '127.0.0.1', resolve));
    const { port } = exporter.address() as AddressInfo;
    prometheus = await startPrometheus(folder, scrapes, alerts, `127.0.0.1:${port}`);
  });
  afterAll(async () => {
    await prometheus?.stop();
    exporter.closeAllConnections();
    exporter.close();
  });

  it('answers each query of the Grafana dashboard with what there was in the outage', async () => {
    const dashboard = JSON.parse(await readFile(join(lib, 'grafana-dashboard.json'), 'utf8'));
    const variables = { $job: 'shop', $operation: '.*', $__rate_interval: '2m' };
    const seconds = (minute: number) =>
      String(Math.floor(endsAt / 1_000) - (MOMENTS.end - minute) * 60);
    for (const { title, targets = [] } of dashboard.panels as Panel[]) {
      for (const { expr } of targets) {
        const query = Object.entries(variables).reduce(
          (text, [variable, value]) => text.replaceAll(variable, value),
          expr,
        );
        const { result } = await prometheus.ask<Matrix>('query_range', {
          query,
          start: seconds(MOMENTS.afterBlip),
          end: seconds(MOMENTS.outage),
          step: '60',
        });
        expect([title, result.length > 0]).toEqual([title, true]);
        const values = result.flatMap((series) => series.values.map(([, value]) => value));
        expect([title, values.some((value) => value !== 'NaN')]).toEqual([title, true]);
      }
    }
  });

  it('takes the alerts, and scrapes what the exporter answers, with the exemplars', async () => {
    const { groups } = await prometheus.ask<{ groups: { rules: { name: string }[] }[] }>('rules');
    const names = groups.flatMap(({ rules }) => rules.map(({ name }) => name));
    expect(names).toEqual(Object.keys(EXPECTED));
    metrics.observe('request.duration', 5, { operation: 'a', outcome: 'success' });
    metrics.increment('requests.total', { operation: 'say "hi"\\ \n', outcome: 'success' });
    const query = 'resilience_requests_total{job="scraped",outcome="success"} == 1';
    let found: { metric: Record<string, string> }[] = [];
    while (found.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 100)); // it scrapes each second
      found = (await prometheus.ask<{ result: typeof found }>('query', { query })).result;
    }
    expect(found[0]?.metric.operation).toBe('say "hi"\\ \n');
    const [told] = await prometheus.ask<{ exemplars: object[] }[]>('query_exemplars', {
      query: 'resilience_request_duration_seconds_bucket',
      start: String(endsAt / 1_000 - 60),
      end: String(Date.now() / 1_000 + 60),
    });
    expect(told?.exemplars).toEqual([
      { labels: exemplar, value: '0.005', timestamp: expect.any(Number) },
    ]);
  });
});
