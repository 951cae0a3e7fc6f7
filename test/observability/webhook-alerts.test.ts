import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  CircuitBreakerRegistry,
  ResilienceConfigurationError,
  ResilienceModule,
  ResilienceService,
  WebhookAlerts,
} from '../../lib/index.js';

type Post = Record<string, unknown>;
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  jest.restoreAllMocks();
  for (const close of closing.splice(0).reverse()) await close();
});

/** A receiver over a real socket, that answers as it is told. */
async function receiver(answer: (response: ServerResponse, posts: Post[]) => void) {
  const posts: Post[] = [];
  const server: Server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    posts.push(JSON.parse(body));
    answer(response, posts);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { posts, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook` };
}

async function boot(alerts: WebhookAlerts) {
  const module = await Test.createTestingModule({
    imports: [ResilienceModule.forRoot({ alerts, errorTracker: { log: false } })],
  }).compile();
  await module.init();
  closing.push(() => module.close());
  return module;
}

const ok = (response: ServerResponse) => response.end('ok');
const fails = () => Promise.reject(new Error('card declined'));
const alert = (operation: string) => ({
  operation,
  error: new Error('down'),
  context: { service: 'Shop', operation, metadata: { card: '4242' } },
  suppressed: 0,
});

describe('WebhookAlerts', () => {
  it('posts what failed, with a text for people, and that it has recovered', async () => {
    const { posts, url } = await receiver(ok);
    const alerts = new WebhookAlerts({ url, headers: { authorization: 'Bearer x' } });
    const module = await boot(alerts);
    const pay = module.get(ResilienceService).pipeline({
      name: 'pay',
      critical: true,
      upstream: 'bank',
      circuitBreaker: { failureThreshold: 1 },
    });
    await expect(pay.execute(fails)).rejects.toThrow('card declined');
    module.get(CircuitBreakerRegistry).get('pay').reset();
    await alerts.flush();
    expect(posts).toEqual([
      {
        event: 'critical_failure',
        text: 'Critical operation pay failed: Error: card declined',
        service: 'pay',
        operation: 'pay',
        upstream: 'bank',
        error_type: 'Error',
        error_message: 'card declined',
        suppressed: 0,
        timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
      },
      {
        event: 'recovered',
        text: 'Recovered: circuit breaker "pay" is closed again (pay)',
        breaker: 'pay',
        operations: ['pay'],
        timestamp: expect.any(String),
      },
    ]);
  });

  it('says nothing of a breaker that closes and had not alerted', async () => {
    const { posts, url } = await receiver(ok);
    const alerts = new WebhookAlerts({ url });
    const module = await boot(alerts);
    const breaker = { failureThreshold: 1 };
    const browse = module
      .get(ResilienceService)
      .pipeline({ name: 'browse', circuitBreaker: breaker });
    await expect(browse.execute(fails)).rejects.toThrow();
    module.get(CircuitBreakerRegistry).get('browse').reset();
    await alerts.flush();
    expect(posts).toEqual([]);
  });

  it('never sends metadata, in which anything may be', async () => {
    const { posts, url } = await receiver(ok);
    const alerts = new WebhookAlerts({ url });
    alerts.sendCritical('failed', alert('pay'));
    await alerts.flush();
    expect(JSON.stringify(posts)).not.toContain('4242');
  });

  it('holds no call up where the receiver hangs, and keeps no more than its queue', async () => {
    let held: ServerResponse | undefined;
    const { posts, url } = await receiver((response, all) => {
      if (all.length === 1) held = response;
      else ok(response);
    });
    const alerts = new WebhookAlerts({ url, queueLimit: 3 });
    for (let n = 0; n < 10; n++) alerts.sendCritical(`failed ${n}`, alert(`op ${n}`));
    while (held === undefined) await new Promise((resolve) => setImmediate(resolve));
    ok(held);
    await alerts.flush();
    expect(posts.map(({ text, dropped }) => [text, dropped])).toEqual([
      ['failed 0', undefined],
      ['failed 1', 7],
      ['failed 2', undefined],
    ]);
  });

  it('gives a post up after its timeout', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined);
    const { posts, url } = await receiver((response, all) => {
      if (all.length > 1) ok(response);
    });
    const alerts = new WebhookAlerts({ url, timeoutMs: 50 });
    alerts.sendCritical('hangs', alert('a'));
    alerts.sendCritical('goes through', alert('b'));
    while (posts.length < 2) await alerts.flush();
    expect(warn).toHaveBeenCalledWith(expect.stringMatching(/^An alert was not delivered/));
    expect(posts.map(({ text }) => text)).toEqual(['hangs', 'goes through']);
  });

  it.each([
    ['answers 500', () => receiver((response) => response.writeHead(500).end())],
    ['refuses connections', async () => ({ url: 'http://127.0.0.1:1/hook' })],
  ])('fails no call where the receiver %s, and says so in the log', async (_what, make) => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined);
    const { url } = await make();
    const alerts = new WebhookAlerts({ url });
    const module = await boot(alerts);
    const pay = module
      .get(ResilienceService)
      .pipeline({ critical: true, fallback: () => 'queued' });
    expect(await pay.execute(fails)).toBe('queued');
    await alerts.flush();
    expect(warn).toHaveBeenCalledWith(expect.stringMatching(/^An alert was not delivered/));
  });

  it('delivers what waits before the application has ended', async () => {
    const { posts, url } = await receiver(ok);
    const alerts = new WebhookAlerts({ url });
    const module = await boot(alerts);
    const pay = module.get(ResilienceService).pipeline({ critical: true });
    await pay.execute(fails).catch(() => undefined);
    await module.close();
    expect(posts).toHaveLength(1);
  });

  it.each([
    [{}, 'WebhookAlerts.url'],
    [{ url: 'example.org' }, 'WebhookAlerts.url'],
    [{ url: 'file:///etc' }, 'WebhookAlerts.url'],
    [{ url: 'http://x', timeoutMs: 0 }, 'WebhookAlerts.timeoutMs'],
    [{ url: 'http://x', queueLimit: 1.5 }, 'WebhookAlerts.queueLimit'],
    [{ url: 'http://x', headers: { a: 1 } }, 'WebhookAlerts.headers'],
    [{ url: 'http://x', retries: 1 }, 'WebhookAlerts.retries'],
  ])('refuses %j', (options, place) => {
    const make = () => new WebhookAlerts(options as never);
    expect(make).toThrow(ResilienceConfigurationError);
    expect(make).toThrow(place);
  });
});
