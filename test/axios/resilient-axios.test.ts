import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { jest } from '@jest/globals';
import { HttpModule, HttpService } from '@nestjs/axios';
import { Injectable } from '@nestjs/common';
import axios, { AxiosError, CanceledError } from 'axios';
import LegacyFormData from 'form-data';
import { firstValueFrom, type Observable } from 'rxjs';
import { resilientAxios } from '../../lib/axios/index.js';
import {
  CircuitBreaker,
  currentSignal,
  ResilienceConfigurationError,
  Retry,
  Timeout,
  TimeoutError,
} from '../../lib/index.js';
import { boot, closeAll, track } from '../binding/support.js';
import { soon, until } from '../edge/waiting.js';
import { failure, ResilienceApp } from '../support/resilience-app.js';

afterEach(closeAll);

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

async function serve(answer: Answer = (_, response) => response.end('done')) {
  const requests: IncomingMessage[] = [];
  const bodies: string[] = [];
  const server = createServer(async (request, response) => {
    requests.push(request);
    bodies.push(await text(request).catch(() => 'cut'));
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
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, requests, bodies, server };
}

async function pipeline(options: object = {}) {
  const app = await ResilienceApp.boot();
  jest.useRealTimers();
  return app.pipeline(options);
}

/** A promise that is looked at later. */
function kept<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

const FOUR_TIMES = { retry: { maxAttempts: 4, baseDelayMs: 0 } };

describe('resilientAxios', () => {
  it('leaves a request outside of any call as it is', async () => {
    const { url, requests, bodies } = await serve();
    const client = resilientAxios(axios.create({ baseURL: url, headers: { accept: 'text/x' } }));
    const { data } = await client.post('/path', 'given');
    expect(data).toBe('done');
    expect(bodies).toEqual(['given']);
    expect(requests[0]).toMatchObject({ url: '/path', method: 'POST' });
    expect(requests[0]?.headers).toMatchObject({ accept: 'text/x' });
    expect(Object.keys(requests[0]?.headers ?? {}).join()).not.toContain('x-request');
  });

  it('sends what outboundHeaders() says, unless the request says otherwise', async () => {
    const { url, requests } = await serve();
    const client = resilientAxios(axios.create({ baseURL: url }));
    const calls = await pipeline({ timeoutMs: 50_000, critical: true });
    await calls.execute(() => client.get('/'));
    await calls.execute(() => client.get('/', { headers: { 'X-Request-Attempt': '9' } }));
    await calls.execute(async () => {
      await client.get('/');
      const signal = currentSignal();
      await client.get('/', { signal, headers: { 'X-Request-Attempt': '9' } });
    });
    const attempts = requests.map(({ headers }) => headers['x-request-attempt']);
    expect(attempts).toEqual(['1', '9', '1', '9']);
    for (const { headers } of requests) {
      expect(headers['x-request-criticality']).toBe('critical');
      expect(Number(headers['x-request-timeout-ms'])).toBeGreaterThan(20_000);
      expect(Number(headers['x-request-timeout-ms'])).toBeLessThanOrEqual(50_000);
    }
  });

  it('is installed once, and returns what it was given', async () => {
    const client = axios.create();
    const use = jest.spyOn(client.interceptors.request, 'use');
    expect(resilientAxios(client)).toBe(client);
    const service = new HttpService(client);
    expect(resilientAxios(service)).toBe(service);
    resilientAxios(service.axiosRef);
    expect(use).toHaveBeenCalledTimes(1);
  });

  it.each([undefined, null, {}, { interceptors: {} }, { axiosRef: {} }, 'axios'])(
    'refuses what is no instance of axios (%j)',
    (given) => {
      const install = () => resilientAxios(given as never);
      expect(install).toThrow(ResilienceConfigurationError);
      expect(install).toThrow(/has no interceptors; pass an instance of axios/);
    },
  );

  it.each(['http', 'fetch'] as const)(
    'ends with the attempt that it is made in, by its reason (%s)',
    async (adapter) => {
      const { url } = await serve(() => undefined);
      const client = resilientAxios(axios.create({ baseURL: url, adapter }));
      const calls = await pipeline({ timeoutMs: 30 });
      let sent: Promise<unknown> | undefined;
      const call = calls.execute(() => {
        sent = kept(client.get('/'));
        return sent;
      });
      await expect(call).rejects.toBeInstanceOf(TimeoutError);
      await expect(sent).rejects.toBeInstanceOf(TimeoutError);
    },
  );

  it('ends by a signal and by a token of its own, as ever', async () => {
    const { url, requests } = await serve(() => undefined);
    const client = resilientAxios(axios.create({ baseURL: url }));
    const calls = await pipeline({ timeoutMs: 50_000 });
    const controller = new AbortController();
    const bySignal = kept(calls.execute(() => client.get('/', { signal: controller.signal })));
    class Lookalike {
      readonly listeners: (() => void)[] = [];
      constructor(readonly aborted: boolean) {}
      addEventListener(_event: string, listener: () => void): void {
        this.listeners.push(listener);
      }
      removeEventListener(): void {}
    }
    const lookalike = new Lookalike(false);
    const byLookalikes = [1, 2].map(() =>
      kept(calls.execute(() => client.get('/looks', { signal: lookalike as never }))),
    );
    const source = axios.CancelToken.source();
    const byToken = kept(calls.execute(() => client.get('/', { cancelToken: source.token })));
    await Promise.resolve();
    controller.abort(new Error('changed my mind'));
    source.cancel('changed my mind');
    await until(() => requests.filter(({ url }) => url === '/looks').length === 2, 'the requests');
    expect(lookalike.listeners).toHaveLength(1);
    lookalike.listeners[0]?.();
    for (const call of [bySignal, ...byLookalikes, byToken])
      await expect(call).rejects.toBeInstanceOf(CanceledError);
    const gone = client.get('/', { signal: new Lookalike(true) as never });
    await expect(gone).rejects.toBeInstanceOf(CanceledError);
  });

  it('fails by the AxiosError, which is judged and retried as the answer says', async () => {
    const answers = [
      [503, {}],
      [500, { 'x-should-retry': 'false' }],
      [404, {}],
      [503, { 'retry-after': '3600' }],
    ] as const;
    const { url, requests } = await serve((request, response) => {
      const [status, headers] = answers[Number(request.url?.slice(1))] as (typeof answers)[number];
      response.writeHead(status, headers).end('why');
    });
    const client = resilientAxios(axios.create({ baseURL: url }));
    const calls = await pipeline({ retry: { maxAttempts: 3, baseDelayMs: 0 } });
    for (const index of [0, 1, 2, 3]) {
      const error = await failure(calls.execute(() => client.get(`/${index}`)));
      expect(error).toBeInstanceOf(AxiosError);
      expect((error as AxiosError).response).toMatchObject({ data: 'why' });
    }
    expect(requests.map((request) => request.url)).toEqual(['/0', '/0', '/0', '/1', '/2', '/3']);
    expect(requests[2]?.headers['x-request-attempt']).toBe('3');
  });

  it('leaves to validateStatus what a failure is', async () => {
    const { url, requests } = await serve((_, response) => response.writeHead(503).end());
    const client = resilientAxios(axios.create({ baseURL: url, validateStatus: () => true }));
    const calls = await pipeline(FOUR_TIMES);
    expect((await calls.execute(() => client.get('/'))).status).toBe(503);
    expect(requests).toHaveLength(1);
  });

  it('leaves other interceptors what they see and change', async () => {
    const { url, requests } = await serve((_, response) => response.writeHead(404).end());
    const client = axios.create({ baseURL: url });
    client.interceptors.request.use((config) => {
      config.headers.set('authorization', 'given');
      return config;
    });
    resilientAxios(client);
    client.interceptors.response.use(undefined, (error: AxiosError) => {
      throw new Error(`seen ${error.response?.status}`);
    });
    await expect(client.get('/')).rejects.toThrow('seen 404');
    expect(requests[0]?.headers.authorization).toBe('given');
  });

  it('tells what is left at the time where an interceptor sends the same request again', async () => {
    const { url, requests } = await serve((_, response) => response.writeHead(503).end());
    const client = resilientAxios(axios.create({ baseURL: url }));
    client.interceptors.response.use(undefined, async (error: AxiosError) => {
      if (requests.length > 1 || error.config === undefined) throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
      return client.request(error.config);
    });
    const calls = await pipeline({ timeoutMs: 50_000 });
    await failure(calls.execute(() => client.get('/')));
    const left = requests.map(({ headers }) => Number(headers['x-request-timeout-ms']));
    expect(left).toHaveLength(2);
    expect(left[1]).toBeLessThan(left[0] as number);
  });

  it('follows redirects', async () => {
    const { url } = await serve((request, response) => {
      if (request.url === '/new') response.end('moved');
      else response.writeHead(302, { location: '/new' }).end();
    });
    const client = resilientAxios(axios.create({ baseURL: url }));
    const calls = await pipeline({ timeoutMs: 50_000 });
    expect((await calls.execute(() => client.get('/old'))).data).toBe('moved');
  });
});

describe('A streamed answer through resilientAxios', () => {
  it('flows on after the attempt has ended', async () => {
    let end: () => void = () => undefined;
    const { url } = await serve((_, response) => {
      response.write('begun, ');
      end = () => response.end('and done');
    });
    const client = resilientAxios(axios.create({ baseURL: url }));
    const calls = await pipeline({ timeoutMs: 50_000 });
    const { data } = await calls.execute(() =>
      client.get<Readable>('/', { responseType: 'stream' }),
    );
    end();
    expect(await text(data)).toBe('begun, and done');
  });

  it.each(['http', 'fetch'] as const)(
    'is kept in part where it is that of a failure, whose connection is freed (%s)',
    async (adapter) => {
      const { url, server } = await serve((_, response) => {
        response.writeHead(500);
        response.write('é'.repeat(100_000)); // and never ends
      });
      let isFreed = false;
      server.once('connection', (socket) => {
        socket.once('close', () => {
          isFreed = true;
        });
      });
      const client = resilientAxios(axios.create({ baseURL: url, adapter }));
      const call = client.get('/', { responseType: 'stream' });
      const error = (await soon(failure(call), 'the error')) as AxiosError<Readable>;
      expect(error.response?.status).toBe(500);
      expect(await text(error.response?.data as Readable)).toBe('é'.repeat(32 * 1_024));
      await until(() => isFreed, 'the end of the connection');
    },
  );

  it.each(['http', 'fetch'] as const)(
    'ends with the attempt while it is read (%s)',
    async (adapter) => {
      const { url } = await serve((_, response) => {
        response.writeHead(500);
        response.write('and so on'); // and never ends
      });
      const client = resilientAxios(axios.create({ baseURL: url, adapter }));
      const calls = await pipeline({ timeoutMs: 50 });
      let sent: Promise<unknown> | undefined;
      const call = calls.execute(() => {
        sent = kept(client.get('/', { responseType: 'stream' }));
        return sent;
      });
      await expect(call).rejects.toBeInstanceOf(TimeoutError);
      await expect(soon(sent as Promise<unknown>, 'its end')).rejects.toBeInstanceOf(TimeoutError);
    },
  );
});

describe('A body through resilientAxios', () => {
  const down: Answer = (_, response) => response.writeHead(503).end();

  it('is sent again by each attempt where it is data, or a form', async () => {
    const { url, bodies } = await serve(down);
    const client = resilientAxios(axios.create({ baseURL: url }));
    const calls = await pipeline({ retry: { maxAttempts: 2, baseDelayMs: 0 } });
    const form = new FormData();
    form.append('name', 'value');
    await failure(calls.execute(() => client.post('/', { given: 1 })));
    await failure(calls.execute(() => client.post('/', form)));
    expect(bodies.slice(0, 2)).toEqual(['{"given":1}', '{"given":1}']);
    expect(bodies).toHaveLength(4);
    for (const body of bodies.slice(2)) expect(body).toContain('value');
  });

  it.each([
    ['a stream', () => Readable.from(['given'])],
    [
      'a form of form-data',
      () => {
        const form = new LegacyFormData();
        form.append('name', 'given');
        return form;
      },
    ],
  ])('is sent once where it is %s, which no other attempt could repeat', async (_what, make) => {
    const { url, bodies } = await serve(down);
    const client = resilientAxios(axios.create({ baseURL: url }));
    const calls = await pipeline(FOUR_TIMES);
    const body = make();
    const error = await soon(failure(calls.execute(() => client.post('/', body))), 'the error');
    expect(error).toBeInstanceOf(ResilienceConfigurationError);
    expect(String(error)).toMatch(/sent already; make it inside the method that is retried/);
    expect(bodies).toHaveLength(1);
    expect(bodies[0]).toContain('given');
  });

  it('is sent by every attempt that makes its own stream', async () => {
    const { url, bodies } = await serve(down);
    const client = resilientAxios(axios.create({ baseURL: url }));
    const calls = await pipeline(FOUR_TIMES);
    await failure(calls.execute(() => client.post('/', Readable.from(['given']))));
    expect(bodies).toEqual(['given', 'given', 'given', 'given']);
  });

  it('is cut off with the attempt while it is sent', async () => {
    const { url, bodies, requests } = await serve();
    const client = resilientAxios(axios.create({ baseURL: url }));
    const calls = await pipeline();
    const caller = new AbortController();
    const body = new PassThrough();
    body.write('begun'); // and never ends
    const { signal } = caller;
    const call = failure(calls.execute(() => client.post('/', body), { signal }));
    await until(() => requests.length > 0, 'the beginning of the request');
    caller.abort(new Error('enough'));
    expect(await call).toMatchObject({ message: 'enough' });
    await until(() => bodies.length > 0, 'the end of the request');
    expect(bodies).toEqual(['cut']);
  });
});

describe("Nest's HttpService through resilientAxios", () => {
  async function partner(answer: Answer) {
    const { url, requests } = await serve(answer);
    @Injectable()
    class Partner {
      private readonly http: HttpService;
      constructor(http: HttpService) {
        this.http = resilientAxios(http);
      }
      @Retry({ maxAttempts: 4, baseDelayMs: 0 })
      @CircuitBreaker({ failureThreshold: 100 })
      @Timeout(50_000)
      async promised(path = '/'): Promise<string> {
        return (await firstValueFrom(this.http.get<string>(path))).data;
      }
      @Retry({ maxAttempts: 4, baseDelayMs: 0 })
      @Timeout(50_000)
      observed(path = '/'): Observable<{ data: string }> {
        return this.http.get<string>(path);
      }
      @Timeout(30)
      impatient(): Observable<unknown> {
        return this.http.get('/');
      }
    }
    const { app } = await boot({
      imports: [HttpModule.register({ baseURL: url })],
      providers: [Partner],
    });
    return { partner: app.get(Partner), requests };
  }

  it('is retried, by promises and by Observables', async () => {
    const service = await partner((_, response) => response.writeHead(503).end());
    await failure(service.partner.promised());
    await failure(firstValueFrom(service.partner.observed()));
    const attempts = ['1', '2', '3', '4'];
    expect(service.requests.map(({ headers }) => headers['x-request-attempt'])).toEqual([
      ...attempts,
      ...attempts,
    ]);
  });

  it('ends its request at the deadline, and where nobody waits for an Observable any more', async () => {
    let gone = 0;
    const service = await partner((_, response) => response.once('close', () => gone++));
    const ended = (count: number) => until(() => gone >= count, `the end of request ${count}`);
    await expect(firstValueFrom(service.partner.impatient())).rejects.toBeInstanceOf(TimeoutError);
    await ended(service.requests.length);
    const before = service.requests.length;
    const subscription = service.partner.observed().subscribe();
    await until(() => service.requests.length > before, 'the request');
    subscription.unsubscribe();
    await ended(before + 1);
  });
});
