import {
  createServer,
  type IncomingHttpHeaders,
  type Server,
  type ServerResponse,
} from 'node:http';
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
import { freePort } from '../support/free-port.js';

type Post = Record<string, unknown>;
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  jest.restoreAllMocks();
  for (const close of closing.splice(0).reverse()) await close();
});

/** A receiver over a real socket, that answers as it is told. */
async function receiver(answer: (response: ServerResponse, posts: Post[]) => void) {
  const posts: Post[] = [];
  const headers: IncomingHttpHeaders[] = [];
  const server: Server = createServer(async (request, response) => {
    headers.push(request.headers);
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
  return { posts, headers, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook` };
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

  describe('whose URL is a secret', () => {
    const logged = () => {
      const warn = jest.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined);
      return () => JSON.stringify(warn.mock.calls);
    };
    const withUser = (url: string, user: string) => url.replace('//', `//${user}@`);
    const message = (options: unknown) => {
      try {
        new WebhookAlerts(options as never);
        return 'taken';
      } catch (error) {
        return (error as Error).message;
      }
    };

    it('sends the credentials in it as an Authorization header, percent-decoded', async () => {
      const { posts, headers, url } = await receiver(ok);
      const alerts = new WebhookAlerts({ url: withUser(url, 'p%40ger:s%C3%A9cret%3A1') });
      alerts.sendCritical('failed', alert('pay'));
      await alerts.flush();
      expect(posts).toHaveLength(1);
      const [scheme, encoded = ''] = headers[0]?.authorization?.split(' ') ?? [];
      expect([scheme, Buffer.from(encoded, 'base64').toString()]).toEqual([
        'Basic',
        'p@ger:sécret:1',
      ]);
    });

    it.each([
      [
        'answers 500',
        () => receiver((response) => response.writeHead(500).end()),
        /it answered 500/,
      ],
      [
        'refuses connections',
        async () => ({ url: `http://127.0.0.1:${await freePort()}/hook` }),
        /ECONNREFUSED/,
      ],
    ])('names its origin only where it %s', async (_what, make, reason) => {
      const log = logged();
      const { url } = await make();
      const secret = withUser(url.replace('/hook', '/T0/B0/path?key=query'), 'user:word');
      const alerts = new WebhookAlerts({ url: secret });
      alerts.sendCritical('failed', alert('pay'));
      await alerts.flush();
      expect(log()).toContain(`was not delivered to ${new URL(url).origin}: `);
      expect(log()).toMatch(reason);
      expect(log()).not.toMatch(/user|word|T0|path|query/);
    });

    it('names its origin only where fetch puts the URL into its error', async () => {
      const log = logged();
      jest.spyOn(globalThis, 'fetch').mockImplementation(async (url) => {
        const cause = new Error(`no route for POST ${new URL(String(url)).pathname}`);
        throw new TypeError(`request to ${url} failed`, { cause });
      });
      const alerts = new WebhookAlerts({ url: 'https://user:word@hooks.example/T0/B0' });
      alerts.sendCritical('failed', alert('pay'));
      await alerts.flush();
      expect(log()).toContain(
        'to https://hooks.example: request to https://hooks.example failed: no route for POST https://hooks.example',
      );
    });

    it.each([
      [{ url: 'htps://user:word@hooks.example/path' }, 'is one of htps://hooks.example; allowed'],
      [{ url: 'user:word@hooks.example/path' }, 'is a string; allowed: an http: or https: URL'],
      [{ url: 'hooks.example/path/word' }, 'is a string; allowed: an http: or https: URL'],
      [{ url: { href: 'word' } }, 'is an object; allowed: an http: or https: URL'],
      [
        'https://hooks.example/path/word',
        'WebhookAlerts: is a string; allowed: an object with url',
      ],
      [['https://hooks.example/path'], 'WebhookAlerts: is an array; allowed: an object with url'],
      [{ url: 'https://user:wo%zzrd@hooks.example/path' }, 'has credentials in which a %'],
      [
        { url: 'https://user:word@hooks.example', headers: { Authorization: 'Bearer path' } },
        'WebhookAlerts.url: has credentials, and headers has an authorization too',
      ],
      [{ url: 'http://x', headers: { 'x-api-key': 'wo\nrd' } }, 'WebhookAlerts.headers: '],
      [{ url: 'http://x', headers: { 'x api key': 'word' } }, 'WebhookAlerts.headers: '],
      [{ url: 'http://x', headers: 'Bearer word' }, 'WebhookAlerts.headers: is a string; allowed'],
      [
        { url: 'http://x', headers: { key: ['word'] } },
        'WebhookAlerts.headers: is an object; allowed',
      ],
    ])('refuses %j without repeating it', (options, said) => {
      expect(message(options)).toContain(said);
      expect(message(options)).not.toMatch(/user|word|wo.zzrd|path|Bearer/);
    });

    it('is not repeated where the options are given to the module in its place', async () => {
      const alerts = { url: 'https://hooks.example/path', headers: { key: 'word' } };
      for (const given of [alerts, [alerts], alerts.url]) {
        const boot = Test.createTestingModule({
          imports: [ResilienceModule.forRoot({ alerts: given as never })],
        }).compile();
        const error = await boot.catch((reason: Error) => reason);
        expect(String(error)).toMatch(/alerts: is an? \w+; allowed: an AlertChannel/);
        expect(String(error)).not.toMatch(/hooks|path|word/);
      }
    });
  });

  it.each([301, 302, 303, 307, 308])(
    'does not follow a redirect (%i), and says so',
    async (status) => {
      const warn = jest.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined);
      const stranger = await receiver(ok);
      const { posts, url } = await receiver((response) =>
        response.writeHead(status, { location: stranger.url }).end(),
      );
      const alerts = new WebhookAlerts({ url, headers: { 'x-api-key': 'secret' } });
      alerts.sendCritical('failed', alert('pay'));
      await alerts.flush();
      expect(posts).toHaveLength(1);
      expect(stranger.headers).toEqual([]);
      expect(warn).toHaveBeenCalledWith(
        `An alert was not delivered to ${new URL(url).origin}: fetch failed: unexpected redirect`,
      );
    },
  );

  describe('in the text for people', () => {
    const posted = async (send: (alerts: WebhookAlerts) => void) => {
      const { posts, url } = await receiver(ok);
      const alerts = new WebhookAlerts({ url });
      send(alerts);
      await alerts.flush();
      return posts[0] as Post;
    };

    it('escapes the markup of an error and of an operation, and nowhere else', async () => {
      const error = new Error('<!channel> <@U123> <http://evil|click> a && b &lt;');
      const post = await posted((alerts) =>
        alerts.sendCritical(`pay<T> failed: ${error.message}`, { ...alert('pay<T>'), error }),
      );
      expect(post.text).toBe(
        'pay&lt;T&gt; failed: &lt;!channel&gt; &lt;@U123&gt; &lt;http://evil|click&gt; a &amp;&amp; b &amp;lt;',
      );
      expect(post).toMatchObject({ error_message: error.message, operation: 'pay<T>' });
    });

    it('escapes the name of a breaker that has recovered', async () => {
      const recovery = { breaker: '<!here>', operations: ['a&b'] };
      const post = await posted((alerts) =>
        alerts.sendRecovered('Recovered: <!here> (a&b)', recovery),
      );
      expect(post).toMatchObject({ text: 'Recovered: &lt;!here&gt; (a&amp;b)', ...recovery });
    });

    it('rings nobody at receivers with mentions of their own, and leaves addresses alone', async () => {
      const post = await posted((alerts) =>
        alerts.sendCritical('@everyone @Here @channel @all @allan a@b.example', alert('pay')),
      );
      expect(post.text).toBe(
        '@\u200beveryone @\u200bHere @\u200bchannel @\u200ball @allan a@b.example',
      );
    });

    it('has no control characters, keeps its lines, and is cut before it is escaped', async () => {
      const post = await posted((alerts) =>
        alerts.sendCritical(`a\u001b[31mb\u0000\r\n\tc\u202ed${'<'.repeat(10_000)}`, alert('pay')),
      );
      expect(post.text).toMatch(/^a \[31mb {2}\n\tc d(&lt;)+…$/);
      expect((post.text as string).replaceAll('&lt;', '<')).toHaveLength(4_000);
    });
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
