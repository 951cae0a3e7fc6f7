import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { jest } from '@jest/globals';
import { Controller, Get, Injectable, Res, Sse, StreamableFile, type Type } from '@nestjs/common';
import { concat, map, NEVER, Observable, of, timer } from 'rxjs';
import {
  Bulkhead,
  CircuitBreaker,
  CircuitBreakerRegistry,
  Critical,
  currentSignal,
  ErrorTracker,
  HttpResponseError,
  outboundHeaders,
  type ResilienceModuleOptions,
  Retry,
  TimeoutError,
} from '../../lib/index.js';
import { closeAll, TWICE, track } from '../binding/support.js';
import { EXPRESS, FASTIFY, listen } from './adapters.support.js';
import { latch, never, soon } from './waiting.js';

afterEach(closeAll);

const TIMEOUT = {
  statusCode: 504,
  error: 'Gateway Timeout',
  message: 'The request took too long',
  code: 'TIMEOUT',
};

type Headers = Record<string, string>;

/** What calls made in a handler would send on. */
@Controller()
class Mirror {
  @Get('plain')
  plain(): Headers {
    return outboundHeaders();
  }
  @Get('decorated')
  @Bulkhead({ maxConcurrent: 9 })
  async decorated(): Promise<Headers> {
    return outboundHeaders();
  }
  @Get('critical')
  @Critical()
  async critical(): Promise<Headers> {
    return outboundHeaders();
  }
}

describe.each([EXPRESS, FASTIFY])('On $name', (platform) => {
  async function serve(
    controller: Type,
    options: ResilienceModuleOptions = {},
    providers: Type[] = [],
  ) {
    const { app } = await listen(platform, { controllers: [controller], providers }, options);
    // A connection that a client has opened and not used would keep the server for seconds.
    track({ close: async () => app.getHttpServer().closeAllConnections() });
    const url = await app.getUrl();
    return {
      app,
      get: (path: string, headers: Headers = {}, signal?: AbortSignal) =>
        fetch(url + path, { headers, signal: signal ?? null }),
    };
  }

  describe('the deadline of a request', () => {
    const within = (ms: number | string) => ({ 'x-request-timeout-ms': String(ms) });

    it.each(['/plain', '/decorated'])('is that of the calls made inside (%s)', async (path) => {
      const { get } = await serve(Mirror);
      const seen = (await (await get(path, within(20_000))).json()) as Headers;
      expect(Number(seen['x-request-timeout-ms'])).toBeGreaterThan(10_000);
      expect(Number(seen['x-request-timeout-ms'])).toBeLessThanOrEqual(20_000);
    });

    it('is none where the request brings none', async () => {
      const { get } = await serve(Mirror);
      expect(await (await get('/plain')).json()).toEqual({ 'x-request-attempt': '1' });
    });

    it.each(['-1', 'abc', '1e9', '', '5s', 'NaN', 'Infinity', '1.5', '0x10', '5, 5', '+5'])(
      'is none where it is no whole number: %p',
      async (value) => {
        const { get } = await serve(Mirror);
        expect(await (await get('/plain', within(value))).json()).toEqual({
          'x-request-attempt': '1',
        });
      },
    );

    it.each([
      [{}, 60_000],
      [{ inbound: {} }, 60_000],
      [{ inbound: { maxTimeoutMs: 5_000 } }, 5_000],
    ])('is cut to the upper limit: %p', async (options, maxTimeoutMs) => {
      const { get } = await serve(Mirror, options);
      for (const given of [maxTimeoutMs + 100_000, '9'.repeat(400)]) {
        const seen = (await (await get('/plain', within(given))).json()) as Headers;
        expect(Number(seen['x-request-timeout-ms'])).toBeGreaterThan(maxTimeoutMs - 4_000);
        expect(Number(seen['x-request-timeout-ms'])).toBeLessThanOrEqual(maxTimeoutMs);
      }
    });

    it('answers 504 at its end, whatever the handler does, and ends what runs inside', async () => {
      const ends: Record<string, unknown> = {};
      @Injectable()
      class Gateway {
        @CircuitBreaker('remote')
        async load(): Promise<string> {
          return never();
        }
      }
      @Controller()
      class Hanging {
        constructor(private readonly gateway: Gateway) {}
        private listen(where: string): void {
          const signal = currentSignal();
          signal.addEventListener('abort', () => {
            ends[where] = signal.reason;
          });
        }
        @Get('plain')
        async plain(): Promise<string> {
          this.listen('plain');
          return never();
        }
        @Get('decorated')
        @Retry(TWICE)
        async decorated(): Promise<string> {
          this.listen('decorated');
          return never();
        }
        @Get('observable')
        observable(): Observable<string> {
          return new Observable(() => {
            this.listen('observable');
            return () => {
              ends.unsubscribed = true;
            };
          });
        }
        @Get('calling')
        async calling(): Promise<string> {
          return this.gateway.load().catch((error: unknown) => {
            ends.calling = error;
            return 'too late';
          });
        }
      }
      const options = {
        breakers: { remote: { failureThreshold: 9 } },
        inbound: { trustDeadline: true },
      };
      const { get, app } = await serve(Hanging, options, [Gateway]);
      for (const path of ['plain', 'decorated', 'observable', 'calling']) {
        const response = await get(`/${path}`, within(150));
        expect(response.status).toBe(504);
        expect(await response.json()).toEqual(TIMEOUT);
        expect(ends[path]).toBeInstanceOf(TimeoutError);
        expect(ends[path]).toHaveProperty('timeoutMs', 150);
      }
      expect(ends.unsubscribed).toBe(true);
      const { failures } = app.get(CircuitBreakerRegistry).get('remote').getSnapshot();
      expect(failures).toBe(1); // a deadline is one, unlike a client that has gone
      expect(app.get(ErrorTracker).getMetrics().byType).toEqual(new Map([['TimeoutError', 2]]));
    });

    it('answers 504 without running the handler where nothing is left', async () => {
      let runs = 0;
      @Controller()
      class Counting {
        @Get('plain')
        plain(): string {
          runs++;
          return 'done';
        }
        @Get('decorated')
        @Retry(TWICE)
        async decorated(): Promise<string> {
          runs++;
          return 'done';
        }
        @Sse('events')
        events(): Observable<string> {
          runs++;
          return of('done');
        }
      }
      const { get } = await serve(Counting);
      for (const path of ['/plain', '/decorated']) {
        const response = await get(path, within(0));
        expect(response.status).toBe(504);
        expect(await response.json()).toEqual(TIMEOUT);
      }
      await (await get('/events', within(0))).text();
      expect(runs).toBe(0);
      expect(await (await get('/plain', within(5_000))).text()).toBe('done');
      expect(runs).toBe(1);
    });

    it('surfaces as it is with mapErrors: false', async () => {
      const { get } = await serve(Mirror, { mapErrors: false });
      const response = await get('/plain', within(0));
      expect(response.status).toBe(500);
      expect(await response.json()).toEqual({ statusCode: 500, message: 'Internal server error' });
    });

    it('does not cut events that have begun, but is for the first of them', async () => {
      @Controller()
      class Events {
        @Sse('talking')
        talking(): Observable<string> {
          return concat(of('first'), timer(60).pipe(map(() => 'second')));
        }
        @Sse('silent')
        silent(): Observable<string> {
          return NEVER;
        }
      }
      const { get } = await serve(Events);
      const silent = await get('/silent', within(30));
      expect(silent.status === 504 || (await silent.text()).includes('too long')).toBe(true);
      const events = await (await get('/talking', within(30))).text();
      expect(events).toContain('first');
      expect(events).toContain('second');
    });

    it('does not cut an answer that has begun, nor what it still needs', async () => {
      const expired = latch();
      @Injectable()
      class Gateway {
        @Retry(TWICE)
        async rest(): Promise<string> {
          return ', and done';
        }
      }
      @Controller()
      class Streaming {
        constructor(private readonly gateway: Gateway) {}
        @Get('res')
        async res(@Res() reply: { raw?: ServerResponse }): Promise<void> {
          const response = reply.raw ?? (reply as unknown as ServerResponse);
          response.setHeader('content-type', 'text/plain');
          response.write('begun');
          while ('x-request-timeout-ms' in outboundHeaders())
            await new Promise((resolve) => setTimeout(resolve, 5));
          expired.open();
          response.end(await this.gateway.rest());
        }
      }
      const { get } = await serve(Streaming, {}, [Gateway]);
      const response = await get('/res', within(30));
      await soon(expired.opened, 'the deadline');
      expect(response.status).toBe(200);
      expect(await response.text()).toBe('begun, and done');
    });

    it('is over with the answer, for a file that is sent and for work in the background', async () => {
      const background = latch<Headers>();
      const answered = latch();
      @Controller()
      class Answering {
        @Get('file')
        file(): StreamableFile {
          void answered.opened.then(() => background.open(outboundHeaders()));
          return new StreamableFile(Buffer.from('content'));
        }
      }
      const { get } = await serve(Answering);
      expect(await (await get('/file', within(5_000))).text()).toBe('content');
      answered.open();
      expect(await background.opened).toEqual({});
    });

    it('passes for what its client leaves at when it is all but over', async () => {
      const reasons: unknown[] = [];
      const begun = [latch(), latch()];
      const ended = [latch(), latch()];
      @Controller()
      class Hanging {
        @Get()
        async get(): Promise<string> {
          const signal = currentSignal();
          const call = reasons.push(undefined) - 1;
          begun[call]?.open();
          await once(signal, 'abort');
          reasons[call] = signal.reason;
          ended[call]?.open();
          throw signal.reason;
        }
      }
      const { get } = await serve(Hanging);
      const call = async (index: number, passed: number) => {
        const leaving = new AbortController();
        const answer = get('/', within(50_000), leaving.signal).catch(() => undefined);
        await soon(begun[index]?.opened as Promise<void>, 'the call');
        const at = performance.now();
        const clock = jest.spyOn(performance, 'now').mockImplementation(() => at + passed);
        leaving.abort();
        await soon(ended[index]?.opened as Promise<void>, 'the end');
        clock.mockRestore();
        await answer;
      };
      await call(0, 1_000);
      await call(1, 48_000);
      expect(reasons).toEqual([expect.any(DOMException), expect.any(TimeoutError)]);
    });
  });

  describe('the criticality of a request', () => {
    const TRUSTING = { inbound: { trustCriticality: true } };
    const asked = async (options: ResilienceModuleOptions, value: string, path = '/plain') => {
      const { get } = await serve(Mirror, options);
      const seen = (await (await get(path, { 'x-request-criticality': value })).json()) as Headers;
      return seen['x-request-criticality'];
    };

    it('is that of the calls made inside, where callers are trusted', async () => {
      expect(await asked(TRUSTING, 'critical')).toBe('critical');
      expect(await asked(TRUSTING, 'sheddable')).toBe('sheddable');
      expect(await asked(TRUSTING, 'sheddable', '/decorated')).toBe('sheddable');
    });

    it("gives way to the handler's own", async () => {
      expect(await asked(TRUSTING, 'sheddable', '/critical')).toBe('critical');
    });

    it('is nothing where callers are not trusted, which is the default', async () => {
      expect(await asked({}, 'critical')).toBeUndefined();
      expect(await asked({ inbound: { trustCriticality: false } }, 'sheddable')).toBeUndefined();
    });

    it.each(['true', 'CRITICAL', 'very', '', 'critical, critical'])(
      'is nothing where it is %p',
      async (value) => {
        expect(await asked(TRUSTING, value)).toBeUndefined();
      },
    );
  });

  describe('an answer whose failure was retried to the end', () => {
    @Injectable()
    class Gateway {
      @Retry(TWICE)
      async retried(): Promise<string> {
        throw new Error('down');
      }
      @Retry(1)
      async once(): Promise<string> {
        throw new Error('down');
      }
    }
    @Controller()
    class Shop {
      constructor(private readonly gateway: Gateway) {}
      @Get('retried')
      retried(): Promise<string> {
        return this.gateway.retried();
      }
      @Get('wrapped')
      async wrapped(): Promise<string> {
        try {
          return await this.gateway.retried();
        } catch (error) {
          throw new HttpResponseError(new Response('', { status: 502 }), String(error));
        }
      }
      @Get('caused')
      async caused(): Promise<string> {
        return this.gateway.retried().catch((cause) => {
          throw new Error('no stock', { cause });
        });
      }
      @Get('decorated')
      @Retry(TWICE)
      async decorated(): Promise<string> {
        throw new Error('down');
      }
      @Get('once')
      once(): Promise<string> {
        return this.gateway.once();
      }
      @Get('other')
      async other(): Promise<string> {
        return this.gateway.retried().catch(() => {
          throw new Error('another');
        });
      }
      @Get('forwarded')
      async forwarded(): Promise<string> {
        const headers = { 'x-should-retry': 'false' };
        throw new HttpResponseError(new Response('', { status: 503, headers }), '');
      }
      @Get('fine')
      async fine(): Promise<string> {
        return this.gateway.retried().catch(() => 'fine');
      }
    }

    it.each([
      ['/retried', true],
      ['/caused', true],
      ['/decorated', true],
      ['/forwarded', true],
      ['/once', false],
      ['/other', false],
      ['/wrapped', false],
      ['/fine', false],
    ])('says so: %s %p', async (path, says) => {
      for (const mapErrors of [true, false]) {
        const { get } = await serve(Shop, { mapErrors }, [Gateway]);
        const { headers } = await get(path);
        expect(headers.get('x-should-retry')).toBe(says ? 'false' : null);
      }
    });
  });
});
