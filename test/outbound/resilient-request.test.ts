import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { jest } from '@jest/globals';
import * as undici from 'undici';
import { HttpResponseError, resilientRequest, TimeoutError } from '../../lib/index.js';
import { closeAll, track } from '../binding/support.js';
import { soon, until } from '../edge/waiting.js';
import { failure, ResilienceApp } from '../support/resilience-app.js';

afterEach(closeAll);

const request = resilientRequest(undici.request);

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    answer(request, response);
  });
  let connections = 0;
  server.on('connection', () => connections++);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  track({
    async close() {
      server.closeAllConnections();
      server.close();
    },
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, requests, server, connections: () => connections };
}

async function pipeline(options: object = {}) {
  const app = await ResilienceApp.boot();
  jest.useRealTimers();
  return app.pipeline(options);
}

describe('resilientRequest', () => {
  it("is undici's request, outside any call", async () => {
    const { url, requests } = await serve((_, response) => response.end('done'));
    const { statusCode, body } = await request(`${url}/path`, { method: 'POST', body: 'given' });
    expect(statusCode).toBe(200);
    expect(await body.text()).toBe('done');
    expect(requests[0]).toMatchObject({ url: '/path', method: 'POST' });
    expect(Object.keys(requests[0]?.headers ?? {}).join()).not.toContain('x-request');
  });

  it.each([
    ['an object', { 'X-Request-Attempt': '9', accept: 'a/b' }],
    ['a list', ['X-Request-Attempt', '9', 'accept', 'a/b']],
    ['Headers', new Headers({ 'X-Request-Attempt': '9', accept: 'a/b' })],
    ['nothing', null],
  ])('sends what outboundHeaders() says, unless its headers do (%s)', async (_what, headers) => {
    const { url, requests } = await serve((_, response) => response.end());
    const calls = await pipeline({ timeoutMs: 50_000, critical: true });
    await calls.execute(async () => (await request(new URL(url), { headers })).body.dump());
    const sent = requests[0]?.headers ?? {};
    expect(sent).toMatchObject({ 'x-request-criticality': 'critical' });
    expect(sent['x-request-attempt']).toBe(headers === null ? '1' : '9');
    expect(sent.accept).toBe(headers === null ? undefined : 'a/b');
    expect(Number(sent['x-request-timeout-ms'])).toBeGreaterThan(20_000);
  });

  it.each([400, 404, 429, 503])('throws an answer of %d', async (status) => {
    const { url } = await serve((_, response) => {
      response.setHeader('set-cookie', ['a=1', 'b=2']);
      response.writeHead(status, { 'retry-after': '7' }).end('{"reason":"none left"}');
    });
    const error = (await failure(request(`${url}/secret?token=hunter2`))) as HttpResponseError;
    expect(error).toBeInstanceOf(HttpResponseError);
    expect(error).toMatchObject({ status, body: '{"reason":"none left"}' });
    expect(error.response.headers.get('retry-after')).toBe('7');
    expect(error.response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    expect(error.message).toBe(`${new URL(url).host} answered ${status}`);
    expect(inspect(error)).not.toMatch(/hunter2|none left/);
  });

  it('tells the headers also of an answer that has them raw', async () => {
    const { url } = await serve((_, response) => {
      response.setHeader('set-cookie', ['a=1', 'b=2']);
      response.writeHead(503, { 'retry-after': '7' }).end();
    });
    const error = await failure(request(url, { responseHeaders: 'raw' }));
    const { headers } = (error as HttpResponseError).response;
    expect(headers.get('retry-after')).toBe('7');
    expect(headers.getSetCookie()).toEqual(['a=1', 'b=2']);
  });

  it('names no host where the address is in parts', async () => {
    const { url } = await serve((_, response) => response.writeHead(503).end());
    const error = await failure(request({ origin: url, path: '/' } as never));
    expect((error as Error).message).toBe('The service answered 503');
  });

  it('frees the connection of a failure for the next call', async () => {
    const { url, connections } = await serve((_, response) => response.writeHead(500).end('down'));
    for (let call = 0; call < 20; call++) await failure(request(url));
    expect(connections()).toBeLessThan(10);
  });

  it('keeps the first 64 KiB of a failure, and does not wait for the rest', async () => {
    let ended = false;
    const { url } = await serve((_, response) => {
      response.once('close', () => {
        ended = true;
      });
      response.writeHead(500);
      response.write('é'.repeat(100_000)); // and never ends
    });
    const error = (await soon(failure(request(url)), 'the error')) as HttpResponseError;
    expect(error.body).toBe('é'.repeat(32 * 1_024));
    await until(() => ended, 'the end of the answer');
  });

  it.each([
    ['while it waits', () => undefined],
    [
      'while it reads what a failure says',
      (response: ServerResponse) => {
        response.writeHead(500);
        response.write('and so on'); // and never ends
      },
    ],
  ])('ends with the attempt that it is made in, %s', async (_when, answer) => {
    const { url } = await serve((_, response) => answer(response));
    const calls = await pipeline({ timeoutMs: 50 });
    let sent: Promise<unknown> | undefined;
    const call = calls.execute(() => {
      sent = request(url);
      sent.catch(() => undefined);
      return sent;
    });
    await expect(call).rejects.toBeInstanceOf(TimeoutError);
    await expect(soon(sent as Promise<unknown>, 'its end')).rejects.toBeInstanceOf(TimeoutError);
  });

  it('ends by a signal of its own too', async () => {
    const { url } = await serve(() => undefined);
    const calls = await pipeline({ timeoutMs: 50_000 });
    const controller = new AbortController();
    const call = calls.execute(() => request(url, { signal: controller.signal }));
    const reason = new Error('changed my mind');
    controller.abort(reason);
    await expect(call).rejects.toBe(reason);
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
    for (const index of [0, 1, 2]) await failure(calls.execute(() => request(`${url}/${index}`)));
    expect(requests.map((request) => request.url)).toEqual(['/0', '/0', '/0', '/1', '/2']);
  });

  it('goes by the dispatcher that it is given', async () => {
    const { url } = await serve((_, response) => response.writeHead(404).end());
    const agent = new undici.Agent().compose(undici.interceptors.responseError());
    const error = await failure(request(url, { dispatcher: agent }));
    expect(error).toBeInstanceOf(undici.errors.ResponseError);
    await agent.close();
  });
});
