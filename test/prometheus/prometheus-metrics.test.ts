import type { AddressInfo } from 'node:net';
import { Controller, Get, Header, Injectable, NotFoundException, Param } from '@nestjs/common';
import { Gauge, type OpenMetricsContentType, Registry, register } from 'prom-client';
import {
  Bulkhead,
  BulkheadRegistry,
  CircuitBreaker,
  CircuitBreakerRegistry,
  Critical,
  ErrorTracker,
  Fallback,
  InMemoryMetrics,
  ResilienceConfigurationError,
  Retry,
  Timeout,
  Upstream,
} from '../../lib/index.js';
import { PrometheusMetrics, type PrometheusMetricsOptions } from '../../lib/prometheus/index.js';
import { boot, closeAll, TWICE } from '../binding/support.js';
import { type Family, parsePrometheusText, samplesOf, sum } from '../support/prometheus-text.js';
import { Deferred, never } from '../support/resilience-app.js';

afterAll(closeAll);

class PaymentsDown extends Error {}
class SearchDown extends Error {
  override readonly name = 'Search "v2"\\down\nagain';
}

/** One operation for each way in which a call can end. `attempts` is what really happened. */
@Injectable()
class Shop {
  attempts: Record<string, number> = {};
  readonly report$ = new Deferred<string>();

  @Critical()
  @Upstream('payments-api')
  @Retry(TWICE)
  @CircuitBreaker('payments')
  @Fallback('queue')
  async pay(): Promise<string> {
    return this.fail('pay', new PaymentsDown('503'));
  }

  @Upstream('search-api')
  @Retry(TWICE)
  async search(): Promise<string> {
    return this.fail('search', new SearchDown('503'));
  }

  /** Passes on the failure of another operation. */
  @Critical()
  async browse(): Promise<string> {
    return this.search();
  }

  @Critical(false)
  async banner(): Promise<string> {
    return this.fail('banner', 'not even an Error');
  }

  @Fallback(() => Promise.reject(new RangeError('no stock either')))
  async stock(): Promise<string> {
    return this.fail('stock', new TypeError('no stock'));
  }

  @Timeout(2)
  async slow(): Promise<string> {
    return never();
  }

  @Bulkhead('reports')
  async report(): Promise<string> {
    return this.report$.promise;
  }

  @Retry(TWICE)
  async flaky(): Promise<string> {
    const attempts = (this.attempts.flaky ?? 0) + 1;
    if (attempts % 2 === 0) return this.count('flaky');
    return this.fail('flaky', new TypeError('once in a while'));
  }

  @Retry(TWICE)
  async missing(): Promise<string> {
    return this.fail('missing', new NotFoundException());
  }

  async queue(): Promise<string> {
    return 'queued';
  }

  private count(name: string): string {
    this.attempts[name] = (this.attempts[name] ?? 0) + 1;
    return name;
  }

  private fail(name: string, error: unknown): never {
    this.count(name);
    throw error;
  }
}

type Call = Exclude<keyof Shop, 'attempts' | 'report$' | 'queue'>;

@Controller()
class ShopController {
  constructor(
    private readonly shop: Shop,
    private readonly prometheus: PrometheusMetrics,
  ) {}

  @Get('shop/:call')
  call(@Param('call') call: Call): Promise<string> {
    return this.shop[call]();
  }

  @Get('metrics')
  @Header('Content-Type', new Registry().contentType)
  scrape(): Promise<string> {
    return this.prometheus.registry.metrics();
  }
}

/** An application that listens, with a client that asks it for calls and scrapes it. */
async function open(prometheus = new PrometheusMetrics()) {
  const inMemory = new InMemoryMetrics();
  const { app } = await boot(
    {
      controllers: [ShopController],
      providers: [Shop, { provide: PrometheusMetrics, useValue: prometheus }],
    },
    {
      metrics: [prometheus, inMemory],
      breakers: { payments: { failureThreshold: 4 } },
      bulkheads: { reports: { maxConcurrent: 1, queueLimit: 1 } },
    },
  );
  await app.listen(0, '127.0.0.1');
  const url = `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
  const statuses: number[] = [];
  return {
    app,
    inMemory,
    statuses,
    service: app.get(Shop),
    async call(call: Call, times = 1): Promise<void> {
      for (let i = 0; i < times; i++) {
        const response = await fetch(`${url}/shop/${call}`);
        await response.text();
        statuses.push(response.status);
      }
    },
    async scrape(): Promise<Map<string, Family>> {
      const response = await fetch(`${url}/metrics`);
      expect(response.headers.get('content-type')).toContain('version=0.0.4');
      return parsePrometheusText(await response.text());
    },
  };
}

/** Calls over HTTP, one operation after the other; `browse` makes a call of `search` besides. */
const CALLS: Record<Exclude<Call, 'report'>, number> = {
  pay: 5,
  search: 3,
  browse: 2,
  banner: 4,
  stock: 2,
  slow: 3,
  flaky: 6,
  missing: 2,
};

/** Of these, one runs, one waits, and the others find no room. */
const REPORTS = 4;

describe('A scrape of an application after an outage', () => {
  let shop: Awaited<ReturnType<typeof open>>;
  let during: Map<string, Family>;
  let scraped: Map<string, Family>;
  const value = (name: string, labels?: Record<string, string>) =>
    sum(scraped, `resilience_${name}`, labels);
  const byLabel = (name: string, label: string) => {
    const sums = new Map<string, number>();
    for (const { labels, value } of samplesOf(scraped, `resilience_${name}`)) {
      const key = labels[label] as string;
      sums.set(key, (sums.get(key) ?? 0) + value);
    }
    return sums;
  };

  beforeAll(async () => {
    shop = await open();
    for (const [call, times] of Object.entries(CALLS)) await shop.call(call as Call, times);
    const reports = Array.from({ length: REPORTS }, () => shop.call('report'));
    await first(reports, REPORTS - 2);
    during = await shop.scrape();
    shop.service.report$.resolve('done');
    await Promise.all(reports);
    scraped = await shop.scrape();
  });

  it('has as many requests as calls were made, each with one outcome', () => {
    const { search, browse } = CALLS;
    const made = { ...CALLS, search: search + browse, report: REPORTS };
    for (const [call, times] of Object.entries(made)) {
      expect([call, value('requests_total', { operation: `Shop.${call}` })]).toEqual([call, times]);
    }
    const {
      success = 0,
      failure = 0,
      fallback = 0,
      degraded = 0,
      ...others
    } = Object.fromEntries(byLabel('requests_total', 'outcome'));
    expect(others).toEqual({});
    expect({ success, failure, fallback, degraded }).toEqual({
      success: CALLS.flaky + CALLS.missing + 2,
      failure: search + browse + browse + CALLS.stock + CALLS.slow + REPORTS - 2,
      fallback: CALLS.pay,
      degraded: CALLS.banner,
    });
    expect(success + failure + fallback + degraded).toBe(value('requests_total'));
    expect(value('requests_total')).toBe(shop.app.get(ErrorTracker).getMetrics().requests);
  });

  it('agrees with what the clients were answered', () => {
    const answered = (status: number) => shop.statuses.filter((it) => it === status).length;
    expect(answered(200) + answered(404)).toBe(
      value('requests_total') - value('requests_total', { outcome: 'failure' }),
    );
    const nested = CALLS.browse; // two operations failed for one client
    expect(answered(500) + answered(503) + answered(504)).toBe(
      value('requests_total', { outcome: 'failure' }) - nested,
    );
  });

  it('has a duration in seconds for each request that was not only rejected', () => {
    const rejected: Record<string, number> = {
      'Shop.pay fallback': CALLS.pay - 2, // the breaker opened at the fourth attempt
      'Shop.report failure': REPORTS - 2,
    };
    for (const { labels, value: requests } of samplesOf(scraped, 'resilience_requests_total')) {
      const reached = requests - (rejected[`${labels.operation} ${labels.outcome}`] ?? 0);
      expect(value('request_duration_seconds_count', labels)).toBe(reached);
    }
    const seconds = value('request_duration_seconds_sum');
    expect(seconds).toBeGreaterThan(0);
    const recorded = shop.inMemory
      .snapshot()
      .filter(({ name }) => name === 'request.duration')
      .reduce((total, series) => total + (series.sum ?? 0), 0);
    expect(seconds).toBeCloseTo(recorded / 1_000, 9);
  });

  it('has the errors that the ErrorTracker counts, each once', () => {
    const { total, byType, byUpstream } = shop.app.get(ErrorTracker).getMetrics();
    expect(value('errors_total')).toBe(total);
    expect(byLabel('errors_total', 'error_type')).toEqual(byType);
    const upstreams = byLabel('errors_total', 'upstream');
    upstreams.delete('');
    expect(upstreams).toEqual(byUpstream);
    expect(byType.get('Search "v2"\\down\nagain')).toBe(CALLS.search + CALLS.browse);
    expect(byType.get('CircuitBreakerOpenError')).toBe(3);
  });

  it('has every final failure in exactly one of failure, fallback and degraded', () => {
    const failed = value('requests_total') - value('requests_total', { outcome: 'success' });
    expect(value('service_error_total')).toBe(failed);
    expect(value('service_error_total', { critical: 'true' })).toBe(CALLS.pay + CALLS.browse);
    expect(value('service_fallback_success_total')).toBe(
      value('requests_total', { outcome: 'fallback' }),
    );
    expect(value('service_fallback_failed_total')).toBe(CALLS.stock);
    // An error that fails two operations is one error.
    expect(failed - value('errors_total')).toBe(CALLS.browse);
  });

  it('has a retry for each attempt beyond the first', () => {
    const { pay = 0, search = 0, flaky = 0 } = shop.service.attempts;
    const retries = (call: Call) =>
      value('retry_attempts_total', { operation: `Shop.${call}`, attempt: '1' });
    const rejected = value('circuit_rejected_total', { breaker: 'payments' });
    expect(retries('pay')).toBe(pay - (CALLS.pay - rejected));
    expect(retries('search')).toBe(search - (CALLS.search + CALLS.browse));
    expect(retries('flaky')).toBe(flaky - CALLS.flaky);
    expect(value('retry_attempts_total')).toBe(2 + 5 + 6);
  });

  it('tells the state of the breaker and how it came there', () => {
    expect(value('circuit_state', { breaker: 'payments' })).toBe(2);
    expect(value('circuit_open_total', { breaker: 'payments' })).toBe(1);
    expect(value('circuit_rejected_total')).toBe(3);
    expect(shop.app.get(CircuitBreakerRegistry).get('payments').getState()).toBe('OPEN');
  });

  it('tells what runs and waits in the bulkhead, and what found no room', () => {
    const labels = { bulkhead: 'reports' };
    expect(sum(during, 'resilience_bulkhead_running', labels)).toBe(1);
    expect(sum(during, 'resilience_bulkhead_queued', labels)).toBe(1);
    expect(value('bulkhead_running', labels) + value('bulkhead_queued', labels)).toBe(0);
    const { rejected } = shop.app.get(BulkheadRegistry).get('reports').getSnapshot();
    expect(value('bulkhead_rejected_total', { ...labels, reason: 'full' })).toBe(rejected);
    expect(rejected).toBe(REPORTS - 2);
  });

  it('has the attempts that timed out', () => {
    expect(value('timeout_total', { operation: 'Shop.slow' })).toBe(CALLS.slow);
  });

  it('adds up to what another recorder was told, metric by metric', () => {
    const exported = (recorded: string) =>
      [`${recorded}_total`, `${recorded}s_total`, `${recorded}_seconds_count`, recorded]
        .map((name) => `resilience_${name.replaceAll('.', '_').replace('_total_total', '_total')}`)
        .find((name) => samplesOf(scraped, name).length > 0);
    for (const name of new Set(shop.inMemory.snapshot().map((series) => series.name))) {
      const metric = exported(name);
      expect([name, metric]).toEqual([name, expect.any(String)]);
      expect([name, sum(scraped, metric as string)]).toEqual([name, shop.inMemory.get(name)]);
    }
  });

  it('has all series of a metric with the same labels', () => {
    for (const { name, samples } of scraped.values()) {
      const sets = samples.map(({ labels }) => Object.keys(labels).filter((it) => it !== 'le'));
      expect([name, new Set(sets.map((labels) => labels.sort().join())).size]).toEqual([
        name,
        Math.min(samples.length, 1),
      ]);
    }
    expect(samplesOf(scraped, 'resilience_errors_total', { upstream: '' })).not.toEqual([]);
  });
});

describe('PrometheusMetrics', () => {
  const scrapeOf = async ({ registry }: Pick<PrometheusMetrics, 'registry'>) =>
    parsePrometheusText(await registry.metrics());
  const error = (options: unknown): string => {
    try {
      new PrometheusMetrics(options as PrometheusMetricsOptions);
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(ResilienceConfigurationError);
      return (thrown as Error).message;
    }
    throw new Error('It was expected to throw');
  };

  it('tells at each scrape what gauges stand at, whatever was reset since', async () => {
    const prometheus = new PrometheusMetrics();
    prometheus.gauge('circuit.state', 2, { breaker: 'payments' });
    prometheus.gauge('circuit.state', 1, { breaker: 'payments' });
    prometheus.gauge('bulkhead.running', 3, { bulkhead: 'write' });
    prometheus.registry.resetMetrics();
    const scrape = await scrapeOf(prometheus);
    const values = (name: string) =>
      scrape.get(name)?.samples.map(({ labels, value }) => [labels, value]);
    expect(values('resilience_circuit_state')).toEqual([[{ breaker: 'payments' }, 1]]);
    expect(values('resilience_bulkhead_running')).toEqual([[{ bulkhead: 'write' }, 3]]);
  });

  it('says nothing of a gauge without labels that nobody has told of, as where there is no fleet', async () => {
    const prometheus = new PrometheusMetrics();
    const samples = async () => (await scrapeOf(prometheus)).get('resilience_fleet_up')?.samples;
    expect(await samples()).toEqual([]);
    prometheus.gauge('fleet.up', 0);
    expect(await samples()).toMatchObject([{ labels: {}, value: 0 }]);
    prometheus.gauge('fleet.up', 1);
    expect(await samples()).toMatchObject([{ labels: {}, value: 1 }]);
  });

  it('exports every metric of the library under its own name, type and help', async () => {
    const types = new Map(
      [...(await scrapeOf(new PrometheusMetrics()))].map(([name, { type }]) => [name, type]),
    );
    expect(Object.fromEntries(types)).toEqual({
      resilience_chaos_injected_total: 'counter',
      resilience_requests_total: 'counter',
      resilience_request_duration_seconds: 'histogram',
      resilience_errors_total: 'counter',
      resilience_retry_attempts_total: 'counter',
      resilience_retry_suppressed_total: 'counter',
      resilience_rate_limit_limit: 'gauge',
      resilience_rate_limit_paused_total: 'counter',
      resilience_rate_limit_queued: 'gauge',
      resilience_rate_limit_rejected_total: 'counter',
      resilience_hedge_attempts_total: 'counter',
      resilience_shadow_opened_total: 'counter',
      resilience_hedges_won_total: 'counter',
      resilience_shadow_rejected_total: 'counter',
      resilience_reconfigured_total: 'counter',
      resilience_reconfigure_refused_total: 'counter',
      resilience_shadow_timeout_total: 'counter',
      resilience_shedding_event_loop_delay_milliseconds: 'gauge',
      resilience_shedding_in_flight: 'gauge',
      resilience_shedding_limit: 'gauge',
      resilience_shedding_rejected_total: 'counter',
      resilience_timeout_total: 'counter',
      resilience_total_timeout_total: 'counter',
      resilience_coalesce_joined_total: 'counter',
      resilience_circuit_open_total: 'counter',
      resilience_circuit_half_open_total: 'counter',
      resilience_circuit_closed_total: 'counter',
      resilience_circuit_rejected_total: 'counter',
      resilience_circuit_state: 'gauge',
      resilience_bulkhead_running: 'gauge',
      resilience_bulkhead_queued: 'gauge',
      resilience_bulkhead_rejected_total: 'counter',
      resilience_bulkhead_limit: 'gauge',
      resilience_service_error_total: 'counter',
      resilience_service_fallback_success_total: 'counter',
      resilience_service_fallback_failed_total: 'counter',
      resilience_fleet_up: 'gauge',
      resilience_fleet_refused_total: 'counter',
      resilience_fleet_unanswered_total: 'counter',
    });
  });

  it('puts durations into buckets of seconds', async () => {
    const prometheus = new PrometheusMetrics({ buckets: [0.005, 0.1, 2] });
    const tags = { operation: 'a', outcome: 'success' };
    for (const ms of [5, 6, 100, 2_500]) prometheus.observe('request.duration', ms, tags);
    const scraped = await scrapeOf(prometheus);
    const name = 'resilience_request_duration_seconds';
    const buckets = samplesOf(scraped, `${name}_bucket`).map(({ labels, value }) => [
      labels.le,
      value,
    ]);
    expect(buckets).toEqual([
      ['0.005', 1],
      ['0.1', 3],
      ['2', 3],
      ['+Inf', 4],
    ]);
    expect(sum(scraped, `${name}_sum`)).toBeCloseTo(2.611, 9);
  });

  it('has buckets from 1 ms to 30 s by default', async () => {
    const prometheus = new PrometheusMetrics();
    prometheus.observe('request.duration', 1, { operation: 'a', outcome: 'success' });
    const buckets = samplesOf(
      await scrapeOf(prometheus),
      'resilience_request_duration_seconds_bucket',
    );
    expect(buckets.map(({ labels }) => labels.le)).toEqual(
      '0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10 30 +Inf'.split(' '),
    );
  });

  it('keeps two recorders apart unless they are given one registry', async () => {
    const [one, other] = [new PrometheusMetrics(), new PrometheusMetrics()];
    one.increment('timeout.total', { operation: 'a' });
    expect(sum(await scrapeOf(other), 'resilience_timeout_total')).toBe(0);
    expect(register.getSingleMetric('resilience_timeout_total')).toBeUndefined();
    const joined = parsePrometheusText(await Registry.merge([one.registry, register]).metrics());
    expect(sum(joined, 'resilience_timeout_total')).toBe(1);
  });

  it('registers with a registry that is given, which may speak OpenMetrics', async () => {
    const registry = new Registry<OpenMetricsContentType>();
    registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    const prometheus = new PrometheusMetrics({ registry });
    expect(prometheus.registry).toBe(registry);
    prometheus.increment('requests.total', { operation: 'a', outcome: 'success' });
    const text = await registry.metrics();
    expect(text).toContain('# TYPE resilience_requests counter\n');
    expect(text).toContain('resilience_requests_total{operation="a",outcome="success"} 1\n');
    expect(text).toMatch(/# EOF\n$/);
  });

  it('observes a duration whatever becomes of its exemplar', async () => {
    const answers: (Record<string, string> | undefined)[] = [
      { trace_id: 'abc' },
      undefined,
      { text: 'x'.repeat(125) },
    ];
    const exemplars = () => {
      if (answers.length === 0) throw new Error('no trace');
      return answers.shift();
    };
    const prometheus = new PrometheusMetrics({ exemplars });
    const observe = () =>
      prometheus.observe('request.duration', 5, { operation: 'a', outcome: 'success' });
    observe();
    observe();
    expect(observe).toThrow('an exemplar has 129 characters; allowed: 128');
    expect(observe).toThrow('no trace');
    const text = await prometheus.registry.metrics();
    expect(text).toMatch(/le="0.005".* 4 # \{trace_id="abc"\} 0.005 /);
    expect(text.match(/ # \{/g)).toHaveLength(1);
  });

  it('has exemplars only where its registry speaks OpenMetrics', () => {
    const exemplars = () => ({ trace_id: 'abc' });
    expect(error({ exemplars, registry: new Registry() })).toContain(
      'PrometheusMetrics.registry: does not speak OpenMetrics',
    );
    expect(error({ exemplars: true } as never)).toContain('PrometheusMetrics.exemplars: is true');
  });

  it('names the metric that a given registry has already, and what to do; and registers nothing', () => {
    const registry = new Registry();
    new Gauge({ name: 'resilience_bulkhead_queued', help: 'Mine.', registers: [registry] });
    const message = error({ registry });
    expect(message).toContain(
      'PrometheusMetrics.registry: has a metric "resilience_bulkhead_queued"',
    );
    expect(message).toContain('Registry.merge');
    expect(registry.getMetricsAsArray()).toHaveLength(1);
  });

  it('says so when two recorders are given one registry', () => {
    const registry = new Registry();
    new PrometheusMetrics({ registry });
    expect(error({ registry })).toContain('"resilience_requests_total"');
    registry.clear();
    expect(() => new PrometheusMetrics({ registry })).not.toThrow();
  });

  it('minds the names that a histogram is split into', () => {
    const registry = new Registry();
    const name = 'resilience_request_duration_seconds_count';
    new Gauge({ name, help: 'Mine.', registers: [registry] });
    expect(error({ registry })).toContain(`"${name}"`);
  });

  it.each([
    [null, 'PrometheusMetrics: is null'],
    [
      { bucket: [1] },
      'PrometheusMetrics.bucket: there is no such option; known: registry, buckets',
    ],
    [{ registry: {} }, 'PrometheusMetrics.registry: is {}; allowed: a Registry of prom-client'],
    [{ registry: null }, 'PrometheusMetrics.registry: is null'],
    [{ buckets: [] }, 'PrometheusMetrics.buckets: is []'],
    [{ buckets: [0.1, 0.1] }, 'PrometheusMetrics.buckets: is [0.1, 0.1]'],
    [{ buckets: [0, 1] }, 'allowed: one or more numbers of seconds above 0, ascending'],
    [{ buckets: [1, Number.POSITIVE_INFINITY] }, 'is [1, Infinity]'],
    [{ buckets: [Number.NaN] }, 'is [NaN]'],
    [{ buckets: '1' }, 'is "1"'],
    [
      { maxLabelValues: 0 },
      'PrometheusMetrics.maxLabelValues: is 0; allowed: a whole number from 1',
    ],
    [{ maxLabelValues: 1.5 }, 'is 1.5'],
  ])('refuses %j', (options, message) => {
    expect(error(options)).toContain(message);
  });

  it('begins the counters of an operation, a breaker and a bulkhead at 0, so that no rate misses the first failure', async () => {
    const prometheus = new PrometheusMetrics();
    prometheus.increment('requests.total', { operation: 'a', outcome: 'failure' });
    prometheus.gauge('circuit.state', 0, { breaker: 'b' });
    prometheus.gauge('bulkhead.running', 1, { bulkhead: 'c' });
    const scraped = await scrapeOf(prometheus);
    const values = (name: string, label: string) =>
      Object.fromEntries(
        samplesOf(scraped, `resilience_${name}`).map(({ labels, value }) => [labels[label], value]),
      );
    expect(values('requests_total', 'outcome')).toEqual({
      success: 0,
      failure: 1,
      fallback: 0,
      degraded: 0,
    });
    for (const counter of ['open', 'half_open', 'closed', 'rejected']) {
      expect([counter, values(`circuit_${counter}_total`, 'breaker')]).toEqual([counter, { b: 0 }]);
    }
    const reasons = { full: 0, 'queue-timeout': 0, deadline: 0, displaced: 0, shutdown: 0 };
    expect(values('bulkhead_rejected_total', 'reason')).toEqual(reasons);
  });

  it('leaves out metrics that are not the library’s, and tags that are not the metric’s', async () => {
    const prometheus = new PrometheusMetrics();
    prometheus.increment('orders.total', { shop: 'a' });
    prometheus.gauge('requests.total', 7, { operation: 'a' });
    prometheus.increment('timeout.total', { operation: 'a', shop: 'a' });
    prometheus.increment('timeout.total');
    const scraped = await scrapeOf(prometheus);
    expect(samplesOf(scraped, 'resilience_requests_total')).toEqual([]);
    expect(samplesOf(scraped, 'resilience_timeout_total')).toEqual([
      { name: 'resilience_timeout_total', labels: { operation: 'a' }, value: 1 },
      { name: 'resilience_timeout_total', labels: { operation: '' }, value: 1 },
    ]);
  });
});

describe('PrometheusMetrics under 100,000 distinct labels', () => {
  const MANY = 100_000;

  it('counts all errors of 100,000 types and operations, in bounded memory', async () => {
    const prometheus = new PrometheusMetrics();
    for (let i = 0; i < MANY; i++) {
      const tags = { operation: `Service${i % 10}.run`, error_type: `E${i}`, upstream: 'api' };
      prometheus.increment('errors.total', tags);
      prometheus.increment('requests.total', { operation: `pipeline-${i}`, outcome: 'failure' });
      prometheus.observe('request.duration', 1, { operation: `pipeline-${i}`, outcome: 'failure' });
    }
    const scraped = parsePrometheusText(await prometheus.registry.metrics());
    expect(sum(scraped, 'resilience_errors_total')).toBe(MANY);
    expect(sum(scraped, 'resilience_requests_total', { outcome: 'failure' })).toBe(MANY);
    expect(sum(scraped, 'resilience_request_duration_seconds_count')).toBe(MANY);
    expect(samplesOf(scraped, 'resilience_errors_total').length).toBeLessThanOrEqual(1_000 + 10);
    expect(samplesOf(scraped, 'resilience_requests_total').length).toBeLessThanOrEqual(1_001 * 4);
    const other = { operation: '__other__', outcome: 'failure' };
    expect(sum(scraped, 'resilience_requests_total', other)).toBeGreaterThan(MANY - 1_001);
  });

  it('keeps the sums by operation where types and operations multiply', async () => {
    const prometheus = new PrometheusMetrics({ maxLabelValues: 100 });
    for (let i = 0; i < MANY; i++) {
      const tags = { operation: `o${i % 100}`, upstream: `u${i % 97}`, error_type: `E${i % 89}` };
      prometheus.increment('errors.total', tags);
      prometheus.increment('retry.attempt', { ...tags, attempt: i % 83 });
    }
    const scraped = parsePrometheusText(await prometheus.registry.metrics());
    for (const name of ['resilience_errors_total', 'resilience_retry_attempts_total']) {
      for (const operation of ['o0', 'o99']) {
        expect(sum(scraped, name, { operation })).toBe(MANY / 100);
      }
      expect(samplesOf(scraped, name).length).toBeLessThanOrEqual(100 * 5 * 2 + 100);
      expect(samplesOf(scraped, name, { operation: '__other__' })).toEqual([]);
    }
  });

  it('gives up no outcome of as many operations as it keeps', async () => {
    const prometheus = new PrometheusMetrics({ maxLabelValues: 10 });
    for (let i = 0; i < 1_000; i++) {
      for (const outcome of ['success', 'failure', 'fallback', 'degraded']) {
        prometheus.increment('requests.total', { operation: `o${i}`, outcome });
      }
    }
    const scraped = parsePrometheusText(await prometheus.registry.metrics());
    expect(sum(scraped, 'resilience_requests_total', { outcome: 'fallback' })).toBe(1_000);
    expect(samplesOf(scraped, 'resilience_requests_total')).toHaveLength(11 * 4);
  });

  it('leaves out the gauges of what has no place', async () => {
    const prometheus = new PrometheusMetrics({ maxLabelValues: 2 });
    for (const breaker of ['a', 'b', 'c']) {
      prometheus.gauge('circuit.state', 2, { breaker });
      prometheus.increment('circuit.open', { breaker });
    }
    const scraped = parsePrometheusText(await prometheus.registry.metrics());
    const breakers = (name: string) => samplesOf(scraped, name).map(({ labels }) => labels.breaker);
    expect(breakers('resilience_circuit_state')).toEqual(['a', 'b']);
    expect(breakers('resilience_circuit_open_total')).toEqual(['a', 'b', '__other__']);
  });

  it('stays a valid scrape whatever is in a label', async () => {
    const prometheus = new PrometheusMetrics();
    const names = ['\ud83d', '\ude00', 'x'.repeat(1_000), `${'x'.repeat(1_000)}y`, '"\\\n}', '\r'];
    for (const operation of names) prometheus.increment('timeout.total', { operation });
    const wire = Buffer.from(await prometheus.registry.metrics()).toString();
    expect(sum(parsePrometheusText(wire), 'resilience_timeout_total')).toBe(names.length);
  });
});

/** Waits until so many of these are done. */
function first(promises: Promise<unknown>[], many: number): Promise<void> {
  let done = 0;
  return new Promise((resolve, reject) => {
    for (const promise of promises)
      promise.then(() => {
        if (++done === many) resolve();
      }, reject);
  });
}
