import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { HttpResponseError, Retry, resilientFetch, Timeout } from '../../lib/index.js';
import {
  expectCalls,
  ResilienceTestingModule,
  type ScriptedUpstream,
  scriptedUpstream,
} from '../../lib/testing/index.js';
import { failure } from '../support/resilience-app.js';

let upstream: ScriptedUpstream;
beforeEach(async () => {
  upstream = await scriptedUpstream();
});
afterEach(() => upstream.close());

const get = (path: string, init?: RequestInit) => fetch(`${upstream.url}${path}`, init);

describe('scriptedUpstream()', () => {
  it('answers one request after the other, and all that follow by the last answer', async () => {
    upstream.reply('GET /products/1', 503, { status: 429, retryAfter: 7 }, { body: { id: 1 } });
    const answers = [];
    for (let asked = 0; asked < 4; asked++) answers.push(await get('/products/1?full=1'));
    expect(answers.map(({ status }) => status)).toEqual([503, 429, 200, 200]);
    expect(answers[1]?.headers.get('retry-after')).toBe('7');
    expect(await answers[3]?.json()).toEqual({ id: 1 });
  });

  it('finds the most exact route, and the one that was said last', async () => {
    upstream.reply('*', 500);
    upstream.reply('GET /products/*', { body: 'any' });
    upstream.reply('GET /products/1', { body: 'first' });
    expect(await (await get('/products/1')).text()).toBe('first');
    expect(await (await get('/products/2')).text()).toBe('any');
    expect((await get('/orders', { method: 'POST' })).status).toBe(500);
    upstream.reply('GET /products/1', ({ query }) => ({ status: 203, body: query.get('q') }));
    const asked = await get('/products/1?q=x');
    expect([asked.status, await asked.text()]).toEqual([203, 'x']);
  });

  it.each([
    ['a field that there is not', { statis: 503 }, /statis/],
    ['a status that is none', { status: 99 }, /status: is 99; allowed: a status from 200 to 599/],
    ['a delay before now', { delayMs: -1 }, /delayMs: is -1; allowed: ms from 0 to 2147483647/],
    ['a time that is none', { retryAfter: 'soon' }, /retryAfter: .* seconds from 0, or a date/],
    ['a body that nothing can send', { body: 1n }, /body: .* what can become JSON/],
    ['a header that is none', { headers: { 'a b': 'c' } }, /headers: .* as node:http takes them/],
    ['a list', [503], /allowed: an object with status/],
    ['a promise', Promise.resolve(503), /is given a promise/],
  ])('refuses %s in an answer at once', (_what, reply, message) => {
    expect(() => upstream.reply('GET /products/1', reply as never)).toThrow(message);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('no such order');
      },
      'The script failed at GET /orders/1: Error: no such order',
    ],
    ['returns no answer', () => undefined, 'is given undefined; allowed: a status'],
    ['is async', async () => 503, 'is given a promise; allowed: a status'],
  ])('answers by 500 and the reason where a function %s', async (_what, reply, reason) => {
    upstream.reply('GET /orders/1', reply as never);
    const answer = await get('/orders/1');
    expect(answer.status).toBe(500);
    expect(await answer.text()).toContain(reason);
  });

  it('takes a path that begins with two slashes, as a base URL that ends in one makes it', async () => {
    upstream.reply('GET //', 204);
    upstream.reply('GET //orders', 202);
    expect([(await get('//')).status, (await get('//orders')).status]).toEqual([204, 202]);
  });

  it('cuts the connection also where there is no body to cut', async () => {
    upstream.reply('GET /orders/1', { cut: true });
    const answer = await get('/orders/1');
    await expect(answer.text()).rejects.toThrow();
  });

  it('says that it is closed to who asks where it is', async () => {
    await upstream.close();
    expect(() => upstream.url).toThrow(/is asked for after close\(\)/);
  });

  it('answers what nothing is said of by 404, with the known routes', async () => {
    upstream.reply('GET /a', 200);
    const answer = await get('/b');
    expect(answer.status).toBe(404);
    expect(await answer.text()).toBe('Nothing is scripted for GET /b; known routes: GET /a');
  });

  it('hangs, resets the connection, and cuts the body', async () => {
    upstream.reply('GET /a', 'hang', 'reset', { body: 'x'.repeat(1_000), cut: true });
    const controller = new AbortController();
    const hanging = failure(get('/a', { signal: controller.signal }));
    await upstream.received(1, 'GET /a');
    controller.abort();
    expect(await hanging).toMatchObject({ name: 'AbortError' });
    expect(await failure(get('/a'))).toMatchObject({ cause: { code: 'ECONNRESET' } });
    const cut = await get('/a');
    expect(cut.status).toBe(200);
    expect(await failure(cut.text())).toMatchObject({ message: 'terminated' });
    while (!upstream.requests[0]?.aborted) await new Promise(setImmediate);
    expect(upstream.requests.map(({ aborted }) => aborted)).toEqual([true, false, false]);
  });

  it('stops in the middle of the body until the client goes, and says that it has', async () => {
    upstream.reply('GET /a', { body: 'half and half', stall: true }, { stall: true });
    for (const first of ['half a', '']) {
      const controller = new AbortController();
      const answer = await get('/a', { signal: controller.signal });
      const body = (answer.body as ReadableStream<Uint8Array>).getReader();
      if (first !== '')
        expect(Buffer.from((await body.read()).value as never).toString()).toBe(first);
      const rest = failure(body.read());
      controller.abort();
      expect(await rest).toMatchObject({ name: 'AbortError' });
    }
    while (!upstream.requests.every(({ aborted }) => aborted)) await new Promise(setImmediate);
    expect(() => upstream.reply('GET /a', { stall: 1 as never })).toThrow(/stall: is 1; allowed/);
  });

  it('tells what it has received', async () => {
    upstream.reply('POST /orders', { status: 201, delayMs: 1 });
    await get('/orders', { method: 'POST', body: '{"id":1}', headers: { 'x-user': 'ada' } });
    await get('/elsewhere');
    expect(upstream.requestsTo('POST *')).toMatchObject([
      { method: 'POST', path: '/orders', body: '{"id":1}', headers: { 'x-user': 'ada' } },
    ]);
    upstream.reset();
    expect(upstream.requests).toEqual([]);
  });

  it('is what resilient calls meet: attempts by their headers, and one that is cut', async () => {
    @Injectable()
    class Products {
      @Retry({ maxAttempts: 3, delayMs: [0] })
      @Timeout(5_000)
      async find(): Promise<unknown> {
        return (await resilientFetch(`${upstream.url}/products/1`)).json();
      }
    }
    const module = await Test.createTestingModule({
      imports: [ResilienceTestingModule.forRoot()],
      providers: [Products],
    }).compile();
    await module.init();
    upstream.reply('GET /products/1', 503, 'reset', { body: { id: 1 } });
    expect(await module.get(Products).find()).toEqual({ id: 1 });
    expectCalls(Products, 'find').toHave({ calls: 1, attempts: 3, result: { id: 1 } });
    const attempts = upstream.requests.map(({ headers }) => headers['x-request-attempt']);
    expect(attempts).toEqual(['1', '2', '3']);
    upstream.reply('GET /products/1', 404);
    expect(await failure(module.get(Products).find())).toBeInstanceOf(HttpResponseError);
    await module.close();
  });

  it('refuses what is no answer and no route', () => {
    expect(() => upstream.reply('GET /a')).toThrow('allowed: at least one');
    expect(() => upstream.reply('GET /a', 99)).toThrow('a status from 200 to 599');
    expect(() => upstream.reply('/a', 200)).toThrow('is no method and path');
  });
});
