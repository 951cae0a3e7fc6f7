import { afterEach, describe, expect, it } from '@jest/globals';
import { TerminusModule } from '@nestjs/terminus';
import {
  CircuitBreakerRegistry,
  InMemoryMetrics,
  type ResilienceModuleOptions,
  ResilienceService,
} from '../../lib/index.js';
import { PrometheusMetrics } from '../../lib/prometheus/index.js';
import { ResilienceHealthIndicator } from '../../lib/terminus/index.js';
import { boot, closeAll } from '../binding/support.js';
import { DashboardApp } from '../dashboard/support.js';

afterEach(closeAll);

const byTenant = (tenant: string) => tenant;
const answers = async () => 'answer';
const fails = () => Promise.reject(new Error('down'));

const options = (more: object = {}): ResilienceModuleOptions => ({
  breakers: {
    partner: { failureThreshold: 1, timeoutMs: 600_000, key: byTenant, ...more },
  },
  errorTracker: { log: false },
  alerts: { sendCritical: () => undefined },
});

/** Calls of a critical operation: so many tenants, of which the first so many are sick. */
async function callFor(service: ResilienceService, tenants: number, sick: number): Promise<void> {
  const pipeline = service.pipeline({ name: 'charge', critical: true, circuitBreaker: 'partner' });
  for (let tenant = 0; tenant < tenants; tenant++)
    await pipeline
      .execute(tenant < sick ? fails : answers, { args: [`tenant-${tenant}`] })
      .catch(() => undefined);
}

describe('The health of breakers by key', () => {
  const start = async (more: object = {}) => {
    const { app } = await boot(
      {
        imports: [TerminusModule.forRoot({ logger: false })],
        providers: [ResilienceHealthIndicator],
      },
      options(more),
    );
    const isHealthy = async () =>
      (await app.get(ResilienceHealthIndicator).isHealthy('it', { downOnCritical: true })).it;
    return { service: app.get(ResilienceService), isHealthy };
  };

  it('is that of all, and of the worst keys, whoever uses them', async () => {
    const { service, isHealthy } = await start();
    await callFor(service, 30, 2);
    expect(await isHealthy()).toMatchObject({
      degraded: ['breakers.partner[*]', 'breakers.partner[tenant-0]', 'breakers.partner[tenant-1]'],
      breakers: {
        'partner[*]': {
          status: 'degraded',
          keys: 30,
          degradedKeys: 2,
          critical: true,
          operations: ['charge'],
        },
        'partner[tenant-0]': {
          status: 'degraded',
          state: 'OPEN',
          critical: true,
          operations: ['charge'],
        },
      },
    });
  });

  it('takes the instance from nobody, however many keys are open', async () => {
    const { service, isHealthy } = await start();
    await callFor(service, 30, 30);
    const { status, down, breakers } = (await isHealthy()) as Record<string, unknown>;
    expect(status).not.toBe('down');
    expect(down).toBeUndefined();
    expect(Object.keys(breakers as object)).toHaveLength(6);
  });

  it('counts the one that keys without a place share among them', async () => {
    const { service, isHealthy } = await start({ maxKeys: 2 });
    await callFor(service, 5, 5);
    const { breakers } = (await isHealthy()) as Record<string, unknown>;
    expect(breakers).toMatchObject({ 'partner[*]': { keys: 3, degradedKeys: 3 } });
  });

  it('is up where no key is open', async () => {
    const { service, isHealthy } = await start();
    await callFor(service, 3, 0);
    expect(((await isHealthy()) as Record<string, unknown>).breakers).toEqual({
      'partner[*]': { status: 'up', keys: 3, degradedKeys: 0 },
    });
  });
});

describe('Prometheus', () => {
  const start = async (more: object, maxLabelValues = 1_000) => {
    const prometheus = new PrometheusMetrics({ maxLabelValues });
    const { app } = await boot(
      {},
      { ...options(more), metrics: [prometheus, new InMemoryMetrics()] },
    );
    const lines = async () =>
      (await prometheus.registry.metrics())
        .split('\n')
        .filter((line) => line.includes('{breaker="partner'));
    return { app, service: app.get(ResilienceService), lines };
  };

  it('has one series of all keys, whose state is that of the worst', async () => {
    const { service, lines } = await start({});
    await callFor(service, 10, 2);
    expect(await lines()).toEqual([
      'resilience_circuit_open_total{breaker="partner"} 2',
      'resilience_circuit_half_open_total{breaker="partner"} 0',
      'resilience_circuit_closed_total{breaker="partner"} 0',
      'resilience_circuit_rejected_total{breaker="partner"} 0',
      'resilience_circuit_state{breaker="partner"} 2',
    ]);
  });

  it('has series of each key where that is asked for, and forgets those of keys that are forgotten', async () => {
    const { app, service, lines } = await start({ keyLabel: true, maxKeys: 3 }, 5);
    await callFor(service, 100, 2);
    const names = (await lines()).map((line) => /breaker="([^"]*)"/.exec(line)?.[1]);
    expect([...new Set(names)]).toEqual([
      'partner[tenant-0]',
      'partner[tenant-1]',
      'partner[tenant-99]',
    ]);
    expect(await lines()).toContain('resilience_circuit_state{breaker="partner[tenant-0]"} 2');
    app.get(CircuitBreakerRegistry).keyed('partner').forget('tenant-0');
    expect((await lines()).join()).not.toContain('tenant-0');
  });
});

describe('The dashboard', () => {
  const start = (more: object = {}) =>
    DashboardApp.start({ public: true, controls: true }, { resilience: options(more) });

  it('has a row of all keys, and one of each of the worst, which goes when it is well', async () => {
    const dashboard = await start();
    await callFor(dashboard.resilience, 20, 2);
    const watcher = await dashboard.watch();
    const first = await watcher.frame(({ breakers }) => (breakers?.length ?? 0) > 0);
    expect(first.whole).toBe(true);
    expect(first.breakers).toMatchObject([
      { name: 'partner[*]', state: 'OPEN', keys: 20, openKeys: 2, calls: 20, failures: 2 },
      { name: 'partner[tenant-0]', oneOf: 'partner[*]', state: 'OPEN' },
      { name: 'partner[tenant-1]', oneOf: 'partner[*]', state: 'OPEN' },
    ]);
    const name = encodeURIComponent('partner[tenant-0]');
    expect((await dashboard.press(`close?name=${name}`)).status).toBe(204);
    const next = await watcher.frame(({ gone }) => gone !== undefined, 'a row that goes');
    expect(next.gone).toEqual({ breakers: ['partner[tenant-0]'] });
    expect(next.breakers?.[0]).toMatchObject({ name: 'partner[*]', openKeys: 1 });
  });

  it('controls all keys by the pattern, also those that come later', async () => {
    const dashboard = await start();
    await callFor(dashboard.resilience, 2, 0);
    const press = (action: string) =>
      dashboard.press(`${encodeURIComponent('partner[*]')}/${action}`);
    const keyed = dashboard.app.get(CircuitBreakerRegistry).keyed('partner');
    const states = () => keyed.list().map((breaker) => breaker.getState());
    expect((await press('open')).status).toBe(204);
    keyed.forKey('later');
    expect(states()).toEqual(['FORCED_OPEN', 'FORCED_OPEN', 'FORCED_OPEN']);
    expect((await press('close')).status).toBe(204);
    keyed.forKey('latest');
    expect(states()).toEqual(['CLOSED', 'CLOSED', 'CLOSED', 'CLOSED']);
  });

  it('is not led astray by a key that looks like the pattern', async () => {
    const dashboard = await start();
    const keyed = dashboard.app.get(CircuitBreakerRegistry).keyed('partner');
    expect(keyed.forKey('*').name).toMatch(/^partner\[\*….{43}\]$/);
  });
});
