import { afterEach, describe, expect, it } from '@jest/globals';
import { BadGatewayException, type DynamicModule, VersioningType } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { map } from 'rxjs';
import { ResilienceAdminModule, type ResilienceAdminOptions } from '../../lib/admin/index.js';
import { ResilienceDashboardModule } from '../../lib/dashboard/index.js';
import {
  type Advice,
  Chaos,
  ResilienceAdvisor,
  ResilienceConfigurationError,
  ResilienceModule,
} from '../../lib/index.js';
import { closeAll } from '../binding/support.js';
import { type Adapter, AdminApp } from './support.js';

afterEach(closeAll);

const NAMES = [
  'a/b & c?',
  '100 %',
  '50%25',
  'größe 文',
  '__proto__',
  'constructor',
  'x'.repeat(100),
];
const BREAKERS = {
  payments: { failureThreshold: 2, timeoutMs: 60_000 },
  partner: { key: (tenant: string) => tenant },
  ...Object.fromEntries(NAMES.map((name) => [name, {}])),
};
const down = () => Promise.reject(new BadGatewayException('payments-api answered 503'));

const start = (adapter: Adapter, admin = {}, resilience = {}) =>
  AdminApp.start(
    { public: true, controls: true, instance: 'shop-1', ...admin },
    { adapter, resilience: { breakers: BREAKERS, chaos: {}, ...resilience } },
  );

describe('The document of the API', () => {
  it.each([false, true])('is one of OpenAPI 3.1, with `controls: %s`', async (controls) => {
    const admin = await start('express', { controls });
    const document = await (await admin.fetch('/resilience/api/openapi.json')).json();
    const name: string = '@seriousme/openapi-schema-validator';
    const { Validator } = await import(name);
    const validator = new Validator();
    expect(await validator.validate(document)).toEqual({ valid: true });
    expect(validator.version).toBe('3.1');
    const changing = Object.values(document.paths as object).filter((path) => 'post' in path);
    expect(changing.length > 0).toBe(controls);
  });
});

describe('ResilienceAdminModule.forRoot()', () => {
  const problem = async (options: unknown, ...imports: DynamicModule[]): Promise<unknown> => {
    const admin = ResilienceAdminModule.forRoot(options as ResilienceAdminOptions);
    const metadata = { imports: [ResilienceModule.forRoot(), admin, ...imports] };
    const module = Test.createTestingModule(metadata).compile();
    return module
      .then((compiled) => compiled.createNestApplication().init())
      .then(
        (app) => app.close(),
        (error: unknown) => error,
      );
  };

  it.each([
    ['no guard', {}, /ResilienceAdminModule.forRoot\(\): has no guard, so everybody could see it/],
    ['whoIs that is a name', { public: true, whoIs: 'alice' }, /whoIs: is "alice"; allowed: a fun/],
    ['an unknown option', { public: true, page: 1 }, /page: there is no such option; known: path/],
  ])('fails the boot for %s, and not the import', async (_what, options, message) => {
    const error = await problem(options);
    expect(error).toBeInstanceOf(ResilienceConfigurationError);
    expect((error as Error).message).toMatch(message);
  });

  it('fails the boot where the dashboard has its own at the same path, and at no other', async () => {
    const dashboard = ResilienceDashboardModule.forRoot({ public: true });
    expect(String(await problem({ public: true }, dashboard))).toContain(
      'path: is "resilience/api", where another module answers',
    );
    expect(await problem({ public: true, path: '/ops' }, dashboard)).toBeUndefined();
  });
});

describe.each<Adapter>(['express', 'fastify'])('The API on %s', (adapter) => {
  it('shows operations, policies, events, errors, chaos and configuration, each as it is described', async () => {
    const admin = await start(adapter);
    const charge = admin.resilience.pipeline({
      name: 'Payments.charge',
      upstream: 'payments-api',
      critical: true,
      circuitBreaker: 'payments',
      bulkhead: { maxConcurrent: 3 },
      retry: { maxAttempts: 2, baseDelayMs: 0, retryableErrors: [BadGatewayException] },
    });
    admin.app.get(Chaos).add({ operations: 'Other.*', rate: 0.5, latencyMs: [1, 2], id: 'slow' });
    for (let n = 0; n < 2; n++) await charge.execute(down).catch(() => undefined);

    const { body: shown } = await admin.get('/operations');
    expect(shown.instance).toBe('shop-1');
    expect(shown.operations).toEqual([
      expect.objectContaining({
        operation: 'Payments.charge',
        kind: 'service',
        critical: true,
        upstream: 'payments-api',
        stages: expect.objectContaining({
          circuitBreaker: expect.objectContaining({ name: 'payments', failureThreshold: 2 }),
        }),
        stats: expect.objectContaining({ calls: 2, errorRate: 100, retries: 1 }),
      }),
    ]);
    const { body: configuration } = await admin.get('/configuration');
    expect(configuration.operations[0].stages).toEqual(shown.operations[0].stages);
    const { body: policies } = await admin.get('/policies');
    expect(policies.policies).toContainEqual(
      expect.objectContaining({
        section: 'breakers',
        name: 'payments',
        status: 'degraded',
        snapshot: expect.objectContaining({ state: 'OPEN', failures: 2 }),
      }),
    );
    expect(policies.policies.map(({ name }: { name: string }) => name)).toEqual(
      expect.arrayContaining([...NAMES, 'partner[*]', 'Payments.charge']),
    );
    const { body: errors } = await admin.get('/errors');
    expect(errors.errors[0]).toMatchObject({
      type: 'CircuitBreakerOpenError',
      cause: { message: 'payments-api answered 503' },
      context: { operation: 'Payments.charge' },
    });
    const { body: chaos } = await admin.get('/chaos');
    expect(chaos.rules).toEqual([
      expect.objectContaining({ id: 'slow', effect: 'latency', latencyMs: [1, 2] }),
    ]);
  });

  it('tells events since a cursor, with errors as the tracker tells them', async () => {
    const admin = await start(
      adapter,
      {},
      {
        errorTracker: { log: false, redactMessage: (text: string) => text.replace('4711', '…') },
      },
    );
    const { body: before } = await admin.get('/events');
    expect(before).toEqual({ instance: 'shop-1', events: [], next: before.next, missed: false });
    const call = admin.resilience.pipeline({ name: 'pay', circuitBreaker: 'payments' });
    const fails = () => Promise.reject(new Error('card 4711 with password=hunter2'));
    for (let n = 0; n < 2; n++) await call.execute(fails).catch(() => undefined);
    const { body: after } = await admin.get(`/events?since=${before.next}`);
    expect(after.missed).toBe(false);
    const opened = after.events.find(({ type }: { type: string }) => type === 'circuit-state');
    expect(opened).toMatchObject({ breaker: 'payments', to: 'OPEN', error: { type: 'Error' } });
    expect(JSON.stringify(after)).not.toMatch(/4711|hunter2/);
    const { body: again } = await admin.get(`/events?since=${after.next}`);
    expect(again).toEqual({ ...before, next: after.next });
    expect((await admin.get('/events?since=0badbeef-3')).body.missed).toBe(true);
    expect((await admin.get('/events?since=yesterday')).status).toBe(400);
  });

  it('shows what the advisor has to say', async () => {
    const admin = await start(adapter);
    const { body } = await admin.get('/advice');
    expect(body).toMatchObject({ operations: [], overrides: {} });
    const overrides = { operations: { pay: { timeout: { attemptMs: 250 } } } };
    const advice: Advice = {
      kind: 'timeout',
      option: 'operations.pay.timeout.attemptMs',
      current: undefined,
      proposed: 250,
      because: '99.5 % of the attempts that succeed take less.',
      figures: { p995: 240 },
      overrides,
    };
    const operations = [{ operation: 'pay', calls: 4_000, advice: [advice] }];
    admin.app.get(ResilienceAdvisor).report = () => ({ observedMs: 1, operations, overrides });
    expect((await admin.get('/advice')).body.operations).toMatchObject([
      { advice: [{ overrides }] },
    ]);
  });

  it('has no fleet to show where there is none', async () => {
    const admin = await start(adapter);
    expect(await admin.get('/fleet')).toMatchObject({
      status: 404,
      body: { statusCode: 404, message: 'There is no fleet' },
    });
  });

  it('is found under prefix and versions, and is not wrapped by interceptors', async () => {
    const admin = await AdminApp.start(
      { public: true, path: 'ops/' },
      {
        adapter,
        prepare: (app) => {
          app.setGlobalPrefix('api/v0');
          app.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });
          app.useGlobalInterceptors({
            intercept: (_, next) => next.handle().pipe(map((data) => ({ data }))),
          });
        },
      },
    );
    const response = await admin.fetch('/api/v0/ops/policies');
    expect(response.headers.get('cache-control')).toContain('no-store');
    expect(response.headers.get('content-type')).toContain('application/json');
    expect(await response.json()).toMatchObject({ policies: [] });
  });

  it('answers other methods by what there is', async () => {
    const admin = await start(adapter);
    const head = await admin.fetch('/resilience/api/policies', { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
    const wrong = await admin.fetch('/resilience/api/policies', { method: 'PUT' });
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'GET, OPTIONS']);
    const options = await admin.fetch('/resilience/api/chaos', { method: 'OPTIONS' });
    expect(options.status).toBeLessThan(300);
    expect((await admin.fetch('/resilience/api/nothing')).status).toBe(404);
    expect((await admin.fetch('/resilience/api/breakers/%E0%A4%A/open')).status).toBe(400);
  });
});
