import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Controller, type ExecutionContext, Get, UnauthorizedException } from '@nestjs/common';
import { nameOf } from '../../lib/admin/who.js';
import { Chaos, CircuitBreakerRegistry, ResilienceEvents } from '../../lib/index.js';
import { closeAll } from '../binding/support.js';
import { MemoryFleet, settled } from '../support/memory-fleet.js';
import { type Adapter, AdminApp } from './support.js';

afterEach(closeAll);

const NAMES = ['payments', 'a/b & c?', '100 %', '50%25', 'größe 文', '__proto__', 'constructor'];
const BREAKERS = {
  partner: { key: (tenant: string) => tenant },
  ...Object.fromEntries(NAMES.map((name) => [name, {}])),
};

const start = (adapter: Adapter, admin: object = {}, settings: object = {}) =>
  AdminApp.start(
    { controls: true, ...('guard' in admin ? {} : { public: true }), ...admin },
    { adapter, resilience: { breakers: BREAKERS, chaos: {} }, ...settings },
  );

const breakersOf = ({ app }: AdminApp) => app.get(CircuitBreakerRegistry);
const stateOf = (admin: AdminApp, name = 'payments') => breakersOf(admin).get(name).getState();
const URL = '/resilience/api';
const CONTROL = { 'x-resilience-control': '1' };
const JSON_TYPE = { ...CONTROL, 'content-type': 'application/json' };

describe.each<Adapter>(['express', 'fastify'])('What the API on %s is told', (adapter) => {
  it('forces a breaker open, disables and closes it, whatever its name is', async () => {
    const admin = await start(adapter);
    const { keyed } = breakersOf(admin);
    const partner = keyed.call(breakersOf(admin), 'partner');
    const long = `partner[${'k'.repeat(190)}]`;
    for (const key of ['acme', 'a/b', 'k'.repeat(190)]) partner.forKey(key);
    for (const name of [...NAMES, 'partner[acme]', 'partner[a/b]']) {
      const path = `/breakers/${encodeURIComponent(name)}`;
      for (const [action, state] of [
        ['open', 'FORCED_OPEN'],
        ['disable', 'DISABLED'],
        ['close', 'CLOSED'],
      ]) {
        const { status } = await admin.tell('POST', `${path}/${action}`);
        expect([name, status, stateOf(admin, name)]).toEqual([name, 204, state]);
      }
    }
    for (const name of ['50%25', long]) {
      const query = new URLSearchParams({ name });
      expect((await admin.tell('POST', `/breakers/open?${query}`)).status).toBe(204);
      expect(stateOf(admin, name)).toBe('FORCED_OPEN');
    }
    expect((await admin.tell('POST', '/breakers/partner[*]/disable')).status).toBe(204);
    expect(partner.list().map((breaker) => breaker.getState())).toEqual(
      Array.from({ length: 3 }, () => 'DISABLED'),
    );
  });

  it('sets other options, or none where one is wrong', async () => {
    const admin = await start(adapter, { whoIs: () => 'alice' });
    const call = { name: 'pay', circuitBreaker: 'payments', timeoutMs: 1_000 };
    admin.resilience.pipeline(call);
    const by: unknown[] = [];
    admin.app.get(ResilienceEvents).events$.subscribe((event) => {
      if (event.type === 'reconfigured') by.push(event.by);
    });
    const operations = { pay: { timeout: 800 } };
    const breakers = { payments: { timeoutMs: 5_000 } };
    const mistake = await admin.tell('POST', '/reconfigure', {
      operations,
      breakers: { payments: { timeoutMs: -1 } },
    });
    expect(mistake).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining('breakers.payments.timeoutMs: is -1; allowed') },
    });
    const optionsOf = async () => {
      const { body } = await admin.get('/configuration');
      const { stages } = body.operations[0];
      return [stages.timeout.timeoutMs, stages.circuitBreaker.timeoutMs, body.overrides];
    };
    expect(await optionsOf()).toEqual([1_000, 60_000, []]);
    const told = await admin.tell('POST', '/reconfigure', { operations, breakers });
    expect(told.status).toBe(204);
    expect(await optionsOf()).toEqual([
      800,
      5_000,
      [
        {
          place: 'ResilienceService.reconfigure()',
          overrides: expect.objectContaining({ breakers }),
        },
      ],
    ]);
    expect(by).toEqual(['alice']);
    expect((await admin.tell('POST', '/reconfigure', { breaker: {} })).status).toBe(400);
  });

  it('adds chaos and ends it, and says what is wrong with a rule', async () => {
    const admin = await start(adapter);
    const chaos = admin.app.get(Chaos);
    const until = new Date(Date.now() + 60_000).toISOString();
    const rule = { operations: 'Bank.*', rate: 0.5, error: true, until };
    const { status, body } = await admin.tell('POST', '/chaos', { id: 'odd/rule %', ...rule });
    expect([status, body.id]).toEqual([200, 'odd/rule %']);
    expect(chaos.list()).toEqual([expect.objectContaining({ id: 'odd/rule %', endsAt: until })]);
    const mistake = await admin.tell('POST', '/chaos', { ...rule, rate: 2 });
    expect(mistake).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining('Chaos.add().rate: is 2; allowed: a share') },
    });
    expect((await admin.tell('POST', '/chaos?scope=fleet', rule)).status).toBe(400);
    expect((await admin.tell('DELETE', '/chaos/nope')).status).toBe(404);
    expect((await admin.tell('DELETE', '/chaos/odd%2Frule%20%25')).status).toBe(204);
    expect(chaos.isOn).toBe(false);
    await admin.tell('POST', '/chaos', rule);
    expect((await admin.tell('POST', '/chaos/stop')).status).toBe(204);
    expect(chaos.isOn).toBe(false);
  });

  it('shows no secret in what is wrong, and is not nested at any depth', async () => {
    const admin = await start(adapter, {}, { options: { bodyParser: false } });
    const wrong = await admin.tell('POST', '/reconfigure', {
      breakers: { payments: { timeoutMs: 'https://user:hunter22@host/' } },
    });
    expect([wrong.status, wrong.body.message]).toEqual([
      400,
      expect.not.stringContaining('hunter22'),
    ]);
    const post = (body: BodyInit) =>
      admin
        .fetch(`${URL}/chaos`, {
          method: 'POST',
          headers: JSON_TYPE,
          body,
          duplex: 'half',
        } as RequestInit)
        .then(({ status }) => status);
    expect(await post(`${'[{"a":'.repeat(4_500)}1${'}]'.repeat(4_500)}`)).toBe(400);
    expect(await post(new Blob([`{"a":"${'x'.repeat(300_000)}"}`]).stream())).toBe(413);
  });

  it('is not done once it is answered that it is too late', async () => {
    const admin = await start(adapter, {
      whoIs: async (request: { socket: { _httpMessage: ServerResponse } }) => {
        request.socket._httpMessage.writeHead(504).end(); // as the deadline of who asks does
        return 'alice';
      },
    });
    const init = { method: 'POST', headers: CONTROL };
    expect((await admin.fetch(`${URL}/breakers/payments/open`, init)).status).toBe(504);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect([stateOf(admin), admin.logger.messages('error', 'ResilienceAdmin')]).toEqual([
      'CLOSED',
      [],
    ]);
  });

  it('has to be JSON of a size', async () => {
    const admin = await start(adapter);
    const post = async (init: RequestInit) =>
      (await admin.fetch(`${URL}/chaos`, { method: 'POST', ...init })).status;
    const body = JSON.stringify({ operations: '*', latencyMs: 1 });
    expect(await post({ headers: CONTROL, body })).toBe(415); // as text/plain
    const form = 'application/x-www-form-urlencoded';
    expect(await post({ headers: { ...CONTROL, 'content-type': form }, body })).toBe(415);
    expect(await post({ headers: JSON_TYPE, body: '{"operations":' })).toBe(400);
    expect(await post({ headers: JSON_TYPE, body: 'null' })).toBe(400);
    expect(await post({ headers: JSON_TYPE })).toBe(400);
    const large = JSON.stringify({ operations: 'x'.repeat(70_000), latencyMs: 1 });
    expect(await post({ headers: JSON_TYPE, body: large })).toBe(413);
    const chunks = new Blob([large]).stream();
    expect(await post({ headers: JSON_TYPE, body: chunks, duplex: 'half' } as RequestInit)).toBe(
      413,
    );
    expect(admin.app.get(Chaos).isOn).toBe(false);
    expect(await post({ headers: JSON_TYPE, body })).toBe(200);
  });

  it('is not what another site has somebody’s browser send, or ask for', async () => {
    const admin = await start(adapter);
    const post = async (headers: Record<string, string>) =>
      (await admin.fetch(`${URL}/chaos`, { method: 'POST', headers, body: '{}' })).status;
    expect(await post({ 'content-type': 'application/json' })).toBe(403);
    expect(await post({ ...JSON_TYPE, 'sec-fetch-site': 'cross-site' })).toBe(403);
    expect(await post({ ...JSON_TYPE, origin: 'https://evil.example' })).toBe(403);
    const read = async (headers: Record<string, string>) =>
      (await admin.fetch(`${URL}/configuration`, { headers })).status;
    expect(await read({ 'sec-fetch-site': 'cross-site' })).toBe(403);
    expect(await read({ origin: 'https://evil.example' })).toBe(403);
    expect(await read({ 'sec-fetch-site': 'none' })).toBe(200);
    expect(await admin.status('GET', `${URL}/configuration`, { host: 'evil.example' })).toBe(403);
  });

  it('is asked for by nobody whom the guard keeps out, before anything else is looked at', async () => {
    const whoIs = jest.fn(() => 'somebody');
    const canActivate = (context: ExecutionContext) => {
      const { headers } = context.switchToHttp().getRequest<{ headers: { cookie?: string } }>();
      if (headers.cookie !== 'session=admin') throw new UnauthorizedException();
      return true;
    };
    const admin = await start(adapter, { guard: { canActivate }, whoIs });
    const ask = (path: string, init: RequestInit = {}) =>
      admin.fetch(URL + path, init).then(({ status }) => status);
    const open = { method: 'POST', headers: CONTROL };
    for (const path of ['/openapi.json', '/configuration', '/nothing'])
      expect(await ask(path)).toBe(401);
    expect(await ask('/breakers/payments/open', open)).toBe(401);
    expect(await ask('/chaos', { method: 'POST', body: 'text' })).toBe(401);
    expect([stateOf(admin), whoIs.mock.calls.length]).toEqual(['CLOSED', 0]);
    const cookie = 'session=admin';
    expect(await ask('/breakers/payments/open', { ...open, headers: { ...CONTROL, cookie } })).toBe(
      204,
    );
    expect(stateOf(admin)).toBe('FORCED_OPEN');
  });

  it('is done without `controls` by nobody', async () => {
    const admin = await start(adapter, { controls: false });
    const body = { operations: '*', latencyMs: 1 };
    const send = (method: string, path: string) =>
      admin
        .fetch(URL + path, { method, headers: JSON_TYPE, body: JSON.stringify(body) })
        .then(({ status }) => status);
    expect(await send('POST', '/breakers/payments/open')).toBe(404);
    expect(await send('POST', '/chaos')).toBe(405);
    expect(await send('POST', '/chaos/stop')).toBe(404);
    expect([stateOf(admin), admin.app.get(Chaos).isOn]).toEqual(['CLOSED', false]);
  });

  it('is logged, and told to events, with who said so', async () => {
    const whoIs = async (request: { headers: { 'x-user'?: string } }) => {
      const name = request.headers['x-user'];
      if (name === 'nobody') throw new Error('no such user');
      return name;
    };
    const admin = await start(adapter, { whoIs });
    const by: unknown[] = [];
    admin.app.get(ResilienceEvents).events$.subscribe((event) => {
      if (event.type === 'circuit-state') by.push(event.by);
    });
    const open = (headers: Record<string, string>) =>
      admin.send('POST', '/breakers/payments/open', { headers: { ...CONTROL, ...headers } });
    expect((await open({ 'x-user': 'alice@shop.example' })).status).toBe(204);
    breakersOf(admin).get('payments').reset();
    expect((await open({ 'x-user': 'nobody' })).status).toBe(204);
    expect(by).toEqual(['alice@shop.example', undefined, 'unknown']);
    expect(admin.logger.messages('warn', 'ResilienceAdmin')).toEqual([
      {
        event: 'circuit_breaker_controlled',
        breaker: 'payments',
        action: 'open',
        by: 'alice@shop.example',
      },
      { event: 'who_is_failed', message: 'whoIs failed: Error: no such user' },
      {
        event: 'circuit_breaker_controlled',
        breaker: 'payments',
        action: 'open',
        by: 'unknown',
      },
    ]);
  });

  it('is read also where the application parses no bodies', async () => {
    const admin = await start(adapter, {}, { options: { bodyParser: false } });
    const { status } = await admin.tell('POST', '/chaos', { operations: '*', latencyMs: 1 });
    expect([status, admin.app.get(Chaos).isOn]).toEqual([200, true]);
  });

  it('is answered however overloaded the server is', async () => {
    let end = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    @Controller('slow')
    class SlowController {
      @Get()
      async wait() {
        await ended;
      }
    }
    const resilience = { breakers: BREAKERS, inbound: { shedding: { maxInFlight: 1 } } };
    const settings = { resilience, controllers: [SlowController] };
    const admin = await start(adapter, {}, settings);
    const asked = Array.from({ length: 3 }, () => admin.fetch('/slow'));
    expect((await Promise.race(asked)).status).toBe(503);
    expect((await admin.get('/policies')).status).toBe(200);
    expect((await admin.tell('POST', '/breakers/payments/open')).status).toBe(204);
    end();
    await Promise.all(asked);
  });

  it('fails without telling why to who asks', async () => {
    const admin = await start(adapter);
    admin.app.get(Chaos).list = () => {
      throw new Error('connect postgres://root:hunter2@db');
    };
    const { status, body } = await admin.get('/chaos');
    expect([status, body]).toEqual([500, { statusCode: 500, message: 'Internal Server Error' }]);
    expect(JSON.stringify(admin.logger.messages('error', 'ResilienceAdmin'))).toContain('connect');
  });
});

describe('What the API is told for a fleet', () => {
  it('is done in all instances, with who said so', async () => {
    const hub = new MemoryFleet();
    const resilience = () => ({ breakers: { payments: {} }, fleet: hub.fleet() });
    const whoIs = () => 'alice';
    const one = await start('express', { whoIs }, { resilience: resilience() });
    const other = await start('fastify', { whoIs }, { resilience: resilience() });
    const by: unknown[] = [];
    other.app.get(ResilienceEvents).events$.subscribe((event) => {
      if (event.type === 'circuit-state') by.push(event.by);
    });
    expect((await one.tell('POST', '/breakers/payments/open?scope=fleet')).status).toBe(204);
    await settled();
    expect([stateOf(one), stateOf(other)]).toEqual(['FORCED_OPEN', 'FORCED_OPEN']);
    expect(by).toEqual([`alice at ${hub.links[0]?.instance}`]);
    await one.get('/fleet');
    const { body } = await one.get('/fleet');
    expect(body).toMatchObject({ here: hub.links[0]?.instance, up: true, size: 2 });
    expect((await one.tell('POST', '/breakers/payments/open?scope=all')).status).toBe(400);
    const alone = await start('express');
    expect((await alone.tell('POST', '/breakers/payments/open?scope=fleet')).status).toBe(400);
  });
});

describe('Who sends a request', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  it.each([
    ['nobody', undefined],
    ['no text', 4711 as unknown as string],
    ['an empty name', '  '],
  ])('is unknown where whoIs says %s', async (_what, name) => {
    expect(await nameOf(() => name, {})).toBe('unknown');
  });

  it('is told on one line, and not at any length', async () => {
    expect(await nameOf(() => `al\u202eice\u2028\n\u001b[31m${'x'.repeat(200)}`, {})).toMatch(
      /^alice \[31mx{90}$/,
    );
  });

  it('is unknown where whoIs does not answer', async () => {
    jest.useFakeTimers();
    const name = nameOf(() => new Promise(() => undefined), {});
    await jest.advanceTimersByTimeAsync(1_000);
    expect(await name).toBe('unknown');
  });
});
