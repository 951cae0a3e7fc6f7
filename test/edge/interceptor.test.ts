import { EventEmitter } from 'node:events';
import { Controller, type ExecutionContext, Get, UseInterceptors } from '@nestjs/common';
import { firstValueFrom, type Observable, of, throwError } from 'rxjs';
import {
  CircuitBreakerOpenError,
  outboundHeaders,
  ResilienceInterceptor,
} from '../../lib/index.js';
import { closeAll } from '../binding/support.js';
import { EXPRESS, FASTIFY, listen } from './adapters.support.js';

afterEach(closeAll);

describe('The interceptor, called by hand for a request', () => {
  class Response extends EventEmitter {
    headersSent = false;
    writableEnded = false;
    destroyed = false;
    readonly headers: Record<string, string> = {};
    setHeader(name: string, value: string): void {
      this.headers[name] = value;
    }
  }
  class Shop {
    get() {}
  }
  function call(interceptor: ResilienceInterceptor, handle: () => Observable<unknown>) {
    const response = new Response();
    const request = { method: 'GET', headers: { 'x-request-timeout-ms': '50000' } };
    const context = {
      getType: () => 'http',
      getArgs: () => [request, response],
      getClass: () => Shop,
      getHandler: () => Shop.prototype.get,
    } as unknown as ExecutionContext;
    const answer = firstValueFrom(interceptor.intercept(context, { handle }));
    return { answer, response };
  }

  it('gives what it is around the deadline of the request', async () => {
    const { answer } = call(new ResilienceInterceptor(true), () => of(outboundHeaders()));
    expect(
      Number(((await answer) as Record<string, string>)['x-request-timeout-ms']),
    ).toBeGreaterThan(0);
  });

  it.each([
    [true, { status: 503 }],
    [false, { name: 'CircuitBreakerOpenError' }],
  ])('with mapErrors: %p it throws what %p tells', async (mapErrors, expected) => {
    const open = throwError(() => new CircuitBreakerOpenError('far', 1_000));
    const { answer, response } = call(new ResilienceInterceptor(mapErrors), () => open);
    await expect(answer).rejects.toMatchObject(expected);
    expect(response.headers['Retry-After']).toBe(mapErrors ? '1' : undefined);
  });
});

it.each([EXPRESS, FASTIFY])(
  'Bound to a route on $name, the interceptor leaves all to the edge that is there',
  async (platform) => {
    @Controller()
    @UseInterceptors(ResilienceInterceptor)
    class Shop {
      @Get('fine')
      async fine(): Promise<string> {
        return 'fine';
      }
      @Get('open')
      async open(): Promise<string> {
        throw new CircuitBreakerOpenError('far', 1_000);
      }
    }
    const { call } = await listen(platform, { controllers: [Shop] });
    expect((await call('/fine')).body).toBe('fine');
    expect(await call('/open')).toMatchObject({ status: 503, body: { code: 'CIRCUIT_OPEN' } });
  },
);
