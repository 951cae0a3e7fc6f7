import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  type CanActivate,
  type ExecutionContext,
  Injectable,
  Module,
  UnauthorizedException,
  VersioningType,
} from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { map } from 'rxjs';
import {
  ResilienceDashboardModule,
  type ResilienceDashboardOptions,
} from '../../lib/dashboard/index.js';
import {
  CircuitBreakerRegistry,
  CircuitState,
  ResilienceConfigurationError,
  ResilienceModule,
} from '../../lib/index.js';
import { type Adapter, closeAll, DashboardApp } from './support.js';

afterEach(closeAll);

const BREAKERS = { payments: { failureThreshold: 2, timeoutMs: 60_000 }, 'a/b & c?': {} };
const down = () => Promise.reject(new Error('payments-api answered 503'));

@Injectable()
class Accounts {
  knows = (cookie: string | undefined) => cookie === 'session=admin';
}

@Module({ providers: [Accounts], exports: [Accounts] })
class AccountsModule {}

@Injectable()
class SessionGuard implements CanActivate {
  constructor(private readonly accounts: Accounts) {}

  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: { cookie?: string } }>();
    if (!this.accounts.knows(headers.cookie)) throw new UnauthorizedException();
    return true;
  }
}

function start(adapter: Adapter, dashboard: ResilienceDashboardOptions = { public: true }) {
  return DashboardApp.start(dashboard, { adapter, resilience: { breakers: BREAKERS } });
}

function stateOf({ app }: DashboardApp, name = 'payments'): CircuitState {
  return app.get(CircuitBreakerRegistry).get(name).getState();
}

describe.each<Adapter>(['express', 'fastify'])('The dashboard on %s', (adapter) => {
  it('serves one page that allows itself nothing but its own script and style', async () => {
    const dashboard = await start(adapter);
    const response = await dashboard.fetch('/resilience');
    const html = await response.text();
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(response.headers.get('cache-control')).toContain('no-store');
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(policy).toMatch(/^default-src 'none'; /);
    expect(policy).not.toContain('unsafe');
    for (const element of ['script', 'style']) {
      const [, text = ''] = new RegExp(`<${element}>([^]*?)</${element}>`).exec(html) ?? [];
      const hash = createHash('sha256').update(text).digest('base64');
      expect(policy).toContain(`${element}-src 'sha256-${hash}'`);
    }
    expect(html).not.toMatch(/(src|href)="(?!data:)/);
    expect(html).toContain('data-controls="false"');
    expect(html).toContain(`data-instance="${hostname()}:${process.pid}"`);
  });

  it('sends everything at first, and then what has changed', async () => {
    const dashboard = await start(adapter);
    const charge = dashboard.resilience.pipeline({
      name: 'Payments.charge',
      upstream: 'payments-api',
      critical: true,
      circuitBreaker: 'payments',
      bulkhead: { maxConcurrent: 3 },
    });
    const search = dashboard.resilience.pipeline({ name: 'Search.query' });
    await search.execute(async () => 'found');
    const watcher = await dashboard.watch();
    expect(watcher.response.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    const full = await watcher.frame(() => true);
    expect(full.operations).toEqual([
      expect.objectContaining({
        name: 'Payments.charge',
        upstream: 'payments-api',
        critical: true,
        shares: ['circuit breaker payments'],
        calls: 0,
      }),
      expect.objectContaining({ name: 'Search.query', calls: 1, p99: expect.any(Number) }),
    ]);
    expect(full.breakers?.map(({ name, state }) => [name, state])).toEqual([
      ['payments', 'CLOSED'],
      ['a/b & c?', 'CLOSED'],
    ]);
    expect(full.bulkheads).toEqual([
      expect.objectContaining({ name: 'Payments.charge', running: 0, maxConcurrent: 3 }),
    ]);
    expect([full.errors, full.transitions]).toEqual([[], []]);

    await watcher.until(() => watcher.frames.length > 1, 'the frame after the first');
    for (let n = 0; n < 3; n++) await charge.execute(down).catch(() => undefined);
    const outage = await watcher.frame(({ transitions }) => transitions?.length === 1);
    expect(outage.breakers).toEqual([
      expect.objectContaining({
        name: 'payments',
        state: 'OPEN',
        failures: 2,
        calls: 2,
        opening: {
          reason: 'failure-threshold',
          calls: 2,
          failures: 2,
          failureRate: 100,
          error: { type: 'Error', message: 'payments-api answered 503' },
        },
        halfOpenInS: expect.any(Number), // it counts down
      }),
    ]);
    const counted = outage.breakers?.[0]?.halfOpenInS;
    expect(counted).toBeGreaterThan(0);
    expect(counted).toBeLessThanOrEqual(60);
    expect(outage.operations?.map(({ name, errorRate }) => [name, errorRate])).toContainEqual([
      'Payments.charge',
      100,
    ]);
    expect(outage.transitions).toEqual([
      expect.objectContaining({ breaker: 'payments', to: 'OPEN', reason: 'failure-threshold' }),
    ]);
    expect(outage.errors?.map(({ type, count, cause }) => [type, count, cause?.message])).toEqual([
      ['CircuitBreakerOpenError', 1, 'payments-api answered 503'],
      ['Error', 2, undefined],
    ]);
  });

  it('opens, closes and disables a breaker, and says so in the log', async () => {
    const dashboard = await start(adapter, { public: true, controls: true });
    for (const [action, state] of [
      ['open', CircuitState.FORCED_OPEN],
      ['disable', CircuitState.DISABLED],
      ['close', CircuitState.CLOSED],
    ]) {
      const { status } = await dashboard.press(`payments/${action}`);
      expect([status, stateOf(dashboard)]).toEqual([204, state]);
    }
    const odd = encodeURIComponent('a/b & c?');
    expect((await dashboard.press(`${odd}/open`)).status).toBe(204);
    expect(stateOf(dashboard, 'a/b & c?')).toBe('FORCED_OPEN');
    expect(dashboard.logger.messages('warn', 'ResilienceAdmin')[0]).toEqual({
      event: 'circuit_breaker_controlled',
      breaker: 'payments',
      action: 'open',
      by: 'unknown',
    });
  });

  it.each([
    ['an unknown breaker', 'nope/open', 404],
    ['no breaker', '/open', 404],
    ['an unknown action', 'payments/explode', 404],
    ['an inherited action', 'payments/constructor', 404],
    ['no action', 'payments', 404],
  ])('refuses %s', async (_what, button, status) => {
    const dashboard = await start(adapter, { public: true, controls: true });
    expect((await dashboard.press(button)).status).toBe(status);
    expect(stateOf(dashboard)).toBe('CLOSED');
  });

  it.each([
    ['without the header of the page', { 'x-resilience-control': undefined }],
    ['of another site', { 'sec-fetch-site': 'cross-site' }],
    ['of a neighbour', { 'sec-fetch-site': 'same-site' }],
    ['of another origin', { origin: 'https://evil.example' }],
    ['of an origin that hides', { origin: 'null' }],
  ])('refuses a request %s', async (_what, headers: Record<string, string | undefined>) => {
    const dashboard = await start(adapter, { public: true, controls: true });
    const sent = Object.entries({ 'x-resilience-control': '1', ...headers });
    const { status } = await fetch(`${dashboard.url}/resilience/api/breakers/payments/open`, {
      method: 'POST',
      headers: sent.filter((each): each is [string, string] => Boolean(each[1])),
    });
    expect([status, stateOf(dashboard)]).toEqual([403, 'CLOSED']);
  });

  it('accepts what comes from the page itself', async () => {
    const dashboard = await start(adapter, { public: true, controls: true });
    const button = 'payments/open';
    expect((await dashboard.press(button, { 'sec-fetch-site': 'same-origin' })).status).toBe(204);
    expect((await dashboard.press(button, { origin: dashboard.url })).status).toBe(204);
  });

  it.each([
    ['a name of its own', 'evil.example'],
    ['a name with a port', 'evil.example:3000'],
    ['a name that ends like ours', 'notlocalhost'],
    ['a name that has an address in it', '127.0.0.1.evil.example'],
    ['something else', 'localhost/@evil'],
  ])('answers nothing to a page elsewhere that leads here by %s', async (_what, host) => {
    const dashboard = await start(adapter, { public: true, controls: true });
    const headers = { host, origin: `http://${host}`, 'x-resilience-control': '1' };
    for (const [method, path] of [
      ['GET', '/resilience'],
      ['GET', '/resilience/events'],
      ['POST', '/resilience/api/breakers/payments/open'],
    ] as const)
      expect(await dashboard.status(method, path, headers)).toBe(403);
    expect(stateOf(dashboard)).toBe('CLOSED');
  });

  it('answers under names that are known, and to addresses', async () => {
    const dashboard = await start(adapter, { public: true, allowedHosts: ['Ops.Internal'] });
    for (const host of [
      'ops.internal:8080',
      'OPS.internal',
      'localhost',
      'app.localhost:3000',
      '10.1.2.3',
      '[::1]:3000',
    ])
      expect([host, await dashboard.status('GET', '/resilience', { host })]).toEqual([host, 200]);
    expect(await dashboard.status('GET', '/resilience', { host: 'internal' })).toBe(403);
  });

  it('leaves names to a guard, unless they are given too', async () => {
    const [open, strict] = [
      await start(adapter, { guard: { canActivate: () => true } }),
      await start(adapter, { guard: { canActivate: () => true }, allowedHosts: [] }),
    ];
    const headers = { host: 'evil.example' };
    expect(await open.status('GET', '/resilience', headers)).toBe(200);
    expect(await strict.status('GET', '/resilience', headers)).toBe(403);
  });

  it('lets a hundred who only watch lock nobody out', async () => {
    const dashboard = await start(adapter);
    const first = await dashboard.watch();
    const stalled = await dashboard.watch();
    stalled.response.pause();
    for (let n = 2; n < 100; n++) await dashboard.watch();
    const late = await dashboard.watch();
    expect(await late.frame(() => true)).toHaveProperty('breakers');
    await first.until(() => first.ended, 'the end of the oldest');
  });

  it('has no buttons, and nothing behind them, without `controls`', async () => {
    const dashboard = await start(adapter, { public: true });
    expect((await dashboard.press('payments/open')).status).toBe(404);
    expect(stateOf(dashboard)).toBe('CLOSED');
  });

  it('asks the guard about everything, with what the guard has injected', async () => {
    const dashboard = await start(adapter, {
      guard: SessionGuard,
      imports: [AccountsModule],
      controls: true,
    });
    const admin = { cookie: 'session=admin' };
    const button = 'payments/open';
    const statuses = async (headers: Record<string, string>) => [
      (await dashboard.fetch('/resilience', { headers })).status,
      (await dashboard.watch('/resilience/events', headers)).response.statusCode,
      (await dashboard.press(button, headers)).status,
    ];
    expect(await statuses({})).toEqual([401, 401, 401]);
    expect(stateOf(dashboard)).toBe('CLOSED');
    expect(await statuses(admin)).toEqual([200, 200, 204]);
  });

  it('is not wrapped by interceptors, and is found under prefix, versions and another path', async () => {
    const dashboard = await DashboardApp.start(
      { public: true, path: 'ops/live' },
      {
        adapter,
        prepare: (app) => {
          app.setGlobalPrefix('api');
          app.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });
          app.useGlobalInterceptors({
            intercept: (_, next) => next.handle().pipe(map((data) => ({ data }))),
          });
        },
      },
    );
    expect(await (await dashboard.fetch('/api/ops/live')).text()).toMatch(/^<!doctype html>/);
    const watcher = await dashboard.watch('/api/ops/live/events');
    expect(await watcher.frame(() => true)).toHaveProperty('breakers');
  });

  it('lets everybody go when the application closes, and does not wait for them', async () => {
    const dashboard = await start(adapter);
    const reading = await dashboard.watch();
    const neverReading = await dashboard.watch();
    neverReading.response.pause();
    await reading.frame(() => true);
    await dashboard.app.close();
    await reading.until(() => reading.ended, 'the end of the stream');
  });
});

describe('ResilienceDashboardModule.forRoot()', () => {
  const problem = async (options: unknown): Promise<unknown> => {
    const dashboard = ResilienceDashboardModule.forRoot(options as ResilienceDashboardOptions);
    return Test.createTestingModule({ imports: [ResilienceModule.forRoot(), dashboard] })
      .compile()
      .then(
        () => undefined,
        (error: unknown) => error,
      );
  };

  it.each([
    ['nothing', undefined, /guard, or public: true/],
    ['no guard', {}, /has no guard, so everybody could see it/],
    ['public: false', { public: false }, /has no guard/],
    ['both', { public: true, guard: SessionGuard }, /contradict/],
    [
      'a guard that is none',
      { guard: class Doorman {} },
      /guard: is function Doorman; allowed: a guard/,
    ],
    ['public by a word', { public: 'yes' }, /public: is "yes"; allowed: true or false/],
    [
      'an unknown option',
      { public: true, control: true },
      /control: there is no such option; known: path/,
    ],
    [
      'a path with a wildcard',
      { public: true, path: '/ops/*all' },
      /path: is "\/ops\/\*all"; allowed: a path/,
    ],
    ['an empty path', { public: true, path: '' }, /path: is ""/],
    ['controls by a number', { public: true, controls: 1 }, /controls: is 1/],
    [
      'hosts with a scheme',
      { public: true, allowedHosts: ['http://a'] },
      /an array of host names without ports/,
    ],
    ['hosts with a port', { public: true, allowedHosts: ['a:80'] }, /an array of host names/],
    [
      'hosts that have a scheme',
      { public: true, allowedHosts: ['http://a', 1] },
      /is \["http:\/\/a", .*\]; allowed/,
    ],
    [
      'hosts by a part',
      { public: true, allowedHosts: ['*.internal'] },
      /is \["\*\.internal"\]; allowed: .* without ports and wildcards/,
    ],
    ['hosts by a wildcard', { public: true, allowedHosts: '*' }, /allowedHosts: is "\*"; allowed/],
    ['an instance without a name', { public: true, instance: ' ' }, /instance: is " "; allowed/],
    ['imports that are no list', { public: true, imports: AccountsModule }, /imports: is function/],
  ])('fails the boot for %s, and not the import', async (_what, options, message) => {
    const error = await problem(options);
    expect(error).toBeInstanceOf(ResilienceConfigurationError);
    expect((error as Error).message).toMatch(message);
  });

  it('takes a guard that is an object', async () => {
    expect(await problem({ guard: { canActivate: () => true } })).toBeUndefined();
  });

  it('fails the boot where there is no ResilienceModule', async () => {
    const module = await Test.createTestingModule({
      imports: [ResilienceDashboardModule.forRoot({ public: true })],
    }).compile();
    await expect(module.createNestApplication().init()).rejects.toThrow(
      /no ResilienceModule.forRoot\(\) in this application/,
    );
  });

  it('finds a ResilienceModule that is not global', async () => {
    const dashboard = await DashboardApp.start(
      { public: true },
      { resilience: { isGlobal: false } },
    );
    expect((await dashboard.fetch('/resilience')).status).toBe(200);
  });
});
