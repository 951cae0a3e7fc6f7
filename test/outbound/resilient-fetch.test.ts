import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { jest } from '@jest/globals';
import { HttpResponseError, resilientFetch, TimeoutError } from '../../lib/index.js';
import { closeAll, track } from '../binding/support.js';
import { soon } from '../edge/waiting.js';
import { ResilienceApp } from '../support/resilience-app.js';

afterEach(closeAll);

/** A server without any framework, and what it was asked. */
async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  track({
    async close() {
      server.closeAllConnections();
      server.close();
    },
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, server };
}

async function errorOf(call: Promise<unknown>): Promise<HttpResponseError> {
  const error = await call.then(
    () => new Error('It was expected to fail'),
    (thrown: unknown) => thrown,
  );
  if (error instanceof HttpResponseError) return error;
  throw error;
}

async function pipeline(options: object = {}) {
  const app = await ResilienceApp.boot();
  jest.useRealTimers();
  return app.pipeline(options);
}

describe('resilientFetch', () => {
  it('is fetch, outside any call', async () => {
    const { url, requests } = await serve((_, response) => response.end('done'));
    const response = await resilientFetch(`${url}/path`, { method: 'POST', body: 'given' });
    expect(await response.text()).toBe('done');
    expect(requests[0]).toMatchObject({ url: '/path', method: 'POST' });
    expect(Object.keys(requests[0]?.headers ?? {}).join()).not.toContain('x-request');
  });

  it('sends what outboundHeaders() says, unless the caller says otherwise', async () => {
    const { url, requests } = await serve((_, response) => response.end());
    const calls = await pipeline({ timeoutMs: 50_000, critical: true });
    const headers = { 'X-Request-Attempt': '9', accept: 'text/plain' };
    await calls.execute(() => resilientFetch(url));
    await calls.execute(() => resilientFetch(new URL(url), { headers }));
    await calls.execute(() => resilientFetch(new Request(url, { headers })));
    const sent = requests.map(({ headers }) => headers);
    expect(sent.map((each) => each['x-request-attempt'])).toEqual(['1', '9', '9']);
    expect(sent.map(({ accept }) => accept)).toEqual(['*/*', 'text/plain', 'text/plain']);
    for (const each of sent) {
      expect(each['x-request-criticality']).toBe('critical');
      expect(Number(each['x-request-timeout-ms'])).toBeGreaterThan(20_000);
      expect(Number(each['x-request-timeout-ms'])).toBeLessThanOrEqual(50_000);
    }
  });

  it.each([400, 404, 429, 500, 503])('throws an answer of %d', async (status) => {
    const { url } = await serve((_, response) => {
      response.writeHead(status, { 'retry-after': '7' }).end('{"reason":"none left"}');
    });
    const error = await errorOf(resilientFetch(`${url}/secret?token=hunter2`));
    expect(error).toMatchObject({ name: 'HttpResponseError', status });
    expect(error.body).toBe('{"reason":"none left"}');
    expect(error.response.headers.get('retry-after')).toBe('7');
    expect(error.message).toContain(`${new URL(url).host} answered ${status} `);
    expect(inspect(error)).not.toMatch(/hunter2|none left/);
    expect(JSON.stringify(error)).not.toMatch(/hunter2|none left/);
    expect(error).not.toHaveProperty('statusCode'); // Nest would answer with it
  });

  it('throws an answer without a body', async () => {
    const { url } = await serve((_, response) => response.writeHead(404).end());
    expect((await errorOf(resilientFetch(url, { method: 'HEAD' }))).body).toBe('');
  });

  it('names the host and the status where the answer has no reason phrase', async () => {
    const { url } = await serve((_, response) => {
      response.writeHead(500, '').end();
    });
    const { message } = await errorOf(resilientFetch(url));
    expect(message).toBe(`${new URL(url).host} answered 500`);
  });

  it('names no host where something stands in for fetch, whose answers have no address', async () => {
    const fetch = jest.spyOn(globalThis, 'fetch');
    fetch.mockImplementation(async () => new Response('down', { status: 503 }));
    const error = await errorOf(resilientFetch('http://inventory/'));
    fetch.mockRestore();
    expect(error.message).toBe('The service answered 503');
    expect(error.body).toBe('down');
  });

  it.each([
    [200, {}],
    [204, {}],
    [302, { redirect: 'manual' }],
    [304, { headers: { 'if-none-match': 'x' } }],
  ] as const)('returns an answer of %d', async (status, init) => {
    const { url } = await serve((_, response) => {
      response.writeHead(status, { location: '/elsewhere' }).end();
    });
    expect((await resilientFetch(url, init as RequestInit)).status).toBe(status);
  });

  it('keeps the first 64 KiB of a failure, and does not wait for the rest', async () => {
    const { url } = await serve((_, response) => {
      response.writeHead(500);
      response.write('é'.repeat(100_000)); // and never ends
    });
    const error = await soon(errorOf(resilientFetch(url)), 'the error');
    expect(Buffer.byteLength(error.body)).toBe(64 * 1_024);
    expect(error.body).toBe('é'.repeat(32 * 1_024));
  });

  it('keeps what came of a failure that breaks off', async () => {
    const { url } = await serve((_, response) => {
      response.writeHead(500, { 'content-length': '100' });
      response.write('half', () => response.destroy());
    });
    const error = await errorOf(resilientFetch(url));
    expect(error.status).toBe(500);
    expect('half').toContain(error.body);
  });

  it('frees the connection of a failure for the next call', async () => {
    const { url, server } = await serve((_, response) => response.writeHead(500).end('down'));
    let connections = 0;
    server.on('connection', () => connections++);
    for (let call = 0; call < 20; call++) await errorOf(resilientFetch(url));
    expect(connections).toBeLessThan(10);
  });

  it('ends with the attempt that it is made in', async () => {
    const { url, requests } = await serve(() => undefined);
    const calls = await pipeline({ timeoutMs: 30 });
    let fetched: Promise<unknown> | undefined;
    const call = calls.execute(() => {
      fetched = resilientFetch(url);
      fetched.catch(() => undefined);
      return fetched;
    });
    await expect(call).rejects.toBeInstanceOf(TimeoutError);
    await expect(fetched).rejects.toBeInstanceOf(TimeoutError);
    expect(requests.length).toBeLessThanOrEqual(1);
  });

  it('ends with the attempt while it reads what a failure says', async () => {
    const { url } = await serve((_, response) => {
      response.writeHead(500);
      response.write('and so on'); // and never ends
    });
    const calls = await pipeline({ timeoutMs: 50 });
    let fetched: Promise<unknown> | undefined;
    const call = calls.execute(() => {
      fetched = resilientFetch(url);
      fetched.catch(() => undefined);
      return fetched;
    });
    await expect(call).rejects.toBeInstanceOf(TimeoutError);
    await expect(soon(fetched as Promise<unknown>, 'its end')).rejects.toBeInstanceOf(TimeoutError);
  });

  it.each([
    ['init', (url: string, signal: AbortSignal) => resilientFetch(url, { signal })],
    [
      'a Request',
      (url: string, signal: AbortSignal) => resilientFetch(new Request(url, { signal })),
    ],
  ])('ends by a signal of the caller too (%s)', async (_what, call) => {
    const { url } = await serve(() => undefined);
    const calls = await pipeline({ timeoutMs: 50_000 });
    const controller = new AbortController();
    const fetched = calls.execute(() => call(url, controller.signal));
    const reason = new Error('changed my mind');
    controller.abort(reason);
    await expect(fetched).rejects.toBe(reason);
  });

  it('is retried as the answer says', async () => {
    const answers = [
      [503, {}],
      [500, { 'x-should-retry': 'false' }],
      [404, {}],
    ] as const;
    const { url, requests } = await serve((request, response) => {
      const [status, headers] = answers[Number(request.url?.slice(1))] as (typeof answers)[number];
      response.writeHead(status, headers).end();
    });
    const calls = await pipeline({ retry: { maxAttempts: 3, baseDelayMs: 0 } });
    for (const index of [0, 1, 2])
      await errorOf(calls.execute(() => resilientFetch(`${url}/${index}`)));
    expect(requests.map((request) => request.url)).toEqual(['/0', '/0', '/0', '/1', '/2']);
  });
});
