import { request as httpRequest, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { jest } from '@jest/globals';
import {
  type CanActivate,
  Controller,
  Get,
  type INestMicroservice,
  Post,
  Res,
  Sse,
  StreamableFile,
  UseGuards,
} from '@nestjs/common';
import {
  ClientProxyFactory,
  EventPattern,
  MessagePattern,
  type MicroserviceOptions,
  Transport,
} from '@nestjs/microservices';
import { HealthCheckService } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import { firstValueFrom, NEVER, type Observable, startWith } from 'rxjs';
import {
  Critical,
  type InboundOptions,
  InMemoryMetrics,
  NeverShed,
  type ResilienceEvent,
  ResilienceEvents,
  type ResilienceModuleOptions,
  ResilienceService,
  type SheddingOptions,
} from '../../lib/index.js';
import { closeAll, resilienceModule, track } from '../binding/support.js';
import { freePort } from '../support/free-port.js';
import { EXPRESS, FASTIFY, listen, type Platform } from './adapters.support.js';
import { latch, soon, until } from './waiting.js';

afterEach(closeAll);
afterEach(() => jest.restoreAllMocks());

const guard = { asked: 0 };

class CountingGuard implements CanActivate {
  canActivate(): boolean {
    guard.asked++;
    return true;
  }
}

let held = latch();
/** Handlers that have begun. */
let begun = 0;

@Controller()
@UseGuards(CountingGuard)
class Shop {
  @Get('hold')
  async hold(): Promise<string> {
    begun++;
    await held.opened;
    return 'held';
  }

  @Get('items/:id')
  item(): string {
    return 'an item';
  }

  @Post('orders')
  order(): string {
    return 'ordered';
  }

  @Critical()
  @Get('payments/:id')
  async payment(): Promise<string> {
    return 'paid';
  }

  @Critical(false)
  @Get('hints')
  async hints(): Promise<string> {
    return 'hints';
  }

  @NeverShed()
  @Get('state')
  state(): string {
    return 'state';
  }

  @Sse('events')
  events(): Observable<{ data: string }> {
    return NEVER.pipe(startWith({ data: 'first' }));
  }

  @Get('raw')
  raw(@Res() given: ServerResponse | { raw: ServerResponse; hijack(): void }): void {
    guard.asked++;
    if ('hijack' in given) given.hijack();
    const response = 'raw' in given ? given.raw : given;
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: first\n\n');
  }

  @Get('file')
  file(): StreamableFile {
    return new StreamableFile(new Readable({ read: () => undefined }));
  }
}

@Critical()
@Controller('admin')
class Admin {
  @Get()
  async all(): Promise<string> {
    return 'all';
  }
}

@Controller('health')
class Health {
  @Get('deep')
  deep(): string {
    return 'healthy';
  }
}

@Controller('probe')
class Probe {
  constructor(private readonly health: HealthCheckService) {}
  @Get()
  check() {
    return this.health.check([]);
  }
}

beforeEach(() => {
  held = latch();
  begun = 0;
  guard.asked = 0;
});

const METADATA = {
  controllers: [Shop, Admin, Health, Probe],
  providers: [{ provide: HealthCheckService, useValue: { check: () => 'probed' } }],
};

/** Normal requests are refused where three are in flight, critical ones where four are. */
const FOUR: SheddingOptions = { maxInFlight: 4 };

async function serve(
  platform: Platform,
  shedding: SheddingOptions | undefined,
  inbound: InboundOptions = {},
  options: ResilienceModuleOptions = {},
) {
  const given = shedding === undefined ? inbound : { ...inbound, shedding };
  const server = await listen(platform, METADATA, { ...options, inbound: given });
  const { app, logger, open } = server;
  const { port } = app.getHttpServer().address() as AddressInfo;
  const service = app.get(ResilienceService);
  const told: ResilienceEvent[] = [];
  app.get(ResilienceEvents).events$.subscribe((event) => told.push(event));
  const inFlight = () => service.shedding()?.inFlight;
  return {
    app,
    open,
    service,
    logger,
    metrics: app.get(InMemoryMetrics),
    inFlight,
    shed: () => told.filter(({ type }) => type === 'shed'),
    told,
    /** So many requests are in flight from now on. */
    async fill(count: number): Promise<void> {
      for (let i = 0; i < count; i++) {
        open('/hold').response.catch(() => undefined);
        await until(() => begun === i + 1, 'the handler');
      }
    },
    send(path: string, criticality?: string, method = 'GET'): Promise<Answer> {
      const headers = criticality === undefined ? {} : { 'x-request-criticality': criticality };
      return soon(answerTo({ host: '127.0.0.1', port, path, method, headers }), 'the answer');
    },
  };
}

interface Answer {
  status: number;
  retryAfter: string | undefined;
  body: string;
}

function answerTo(options: object): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ ...options, agent: false }, (response) => {
      let body = '';
      response.on('data', (chunk) => {
        body += chunk;
      });
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          retryAfter: response.headers['retry-after'],
          body,
        }),
      );
    });
    request.on('error', reject).end();
  });
}

describe.each([EXPRESS, FASTIFY])('An overloaded server on $name', (platform) => {
  it('refuses what matters least first, and lets what matters most in until its limit', async () => {
    const server = await serve(platform, FOUR);
    await server.fill(2);
    expect(await server.send('/hints')).toMatchObject({ status: 503 });
    expect(await server.send('/items/7')).toMatchObject({ status: 200, body: 'an item' });
    await server.fill(0);
    server.open('/hold');
    await until(() => begun === 3, 'the handler');
    const asked = guard.asked;
    expect(await server.send('/items/7')).toMatchObject({ status: 503 });
    expect(await server.send('/orders', undefined, 'POST')).toMatchObject({ status: 503 });
    expect(guard.asked).toBe(asked); // it is refused before the guards
    expect(await server.send('/payments/7')).toMatchObject({ status: 200, body: 'paid' });
    expect(await server.send('/admin')).toMatchObject({ status: 200, body: 'all' });
    expect(server.shed().map(({ timestamp: _, ...event }) => event)).toEqual([
      shed('sheddable', 'GET', '/hints'),
      shed('normal', 'GET', '/items/:id'),
      shed('normal', 'POST', '/orders'),
    ]);
    server.open('/payments/hold');
    held.open();
  });

  it('refuses critical requests at the limit, and lets everything in again when it has answered', async () => {
    const server = await serve(platform, { maxInFlight: 1 });
    await server.fill(1);
    expect(await server.send('/payments/7')).toMatchObject({ status: 503 });
    held.open();
    await until(() => server.inFlight() === 0, 'the end of the request');
    expect(await server.send('/hints')).toMatchObject({ status: 200 });
    expect(server.service.shedding()).toMatchObject({
      mode: 'enforce',
      refused: { sheddable: 0, normal: 0, critical: 1 },
    });
  });

  it('answers 503 as other errors are answered, with when to come again in whole seconds', async () => {
    const server = await serve(platform, { maxInFlight: 1, retryAfterMs: 4_000 });
    await server.fill(1);
    jest.spyOn(Math, 'random').mockReturnValueOnce(0).mockReturnValueOnce(0.99);
    const answer = await server.send('/items/7');
    expect(answer).toMatchObject({ status: 503, retryAfter: '2' });
    expect(JSON.parse(answer.body)).toEqual({
      statusCode: 503,
      error: 'Service Unavailable',
      message: 'The server is overloaded',
      code: 'OVERLOADED',
    });
    expect(await server.send('/items/7')).toMatchObject({ status: 503, retryAfter: '6' });
    expect(server.metrics.get('shedding.rejected')).toBe(2);
    held.open();
  });

  it('answers 503 also where errors are not mapped', async () => {
    const server = await serve(platform, { maxInFlight: 1 }, {}, { mapErrors: false });
    await server.fill(1);
    expect(await server.send('/items/7')).toMatchObject({ status: 503 });
    held.open();
  });

  it('never refuses probes, nor what says so itself', async () => {
    const server = await serve(platform, { maxInFlight: 1, exempt: ['/items/7'] });
    await server.fill(1);
    for (const path of ['/health/deep', '/health/deep?full=1', '/state', '/probe', '/items/7'])
      expect(await server.send(path)).toMatchObject({ status: 200 });
    for (const path of ['/healthy', '/items/77'])
      expect(await server.send(path)).toMatchObject({ status: 503 });
    held.open();
  });

  it('believes what a request says of itself only where callers are trusted', async () => {
    const server = await serve(platform, FOUR);
    await server.fill(3);
    expect(await server.send('/items/7', 'critical')).toMatchObject({ status: 503 });
    held.open();
    const trusting = await serve(platform, FOUR, { trustCriticality: true });
    held = latch();
    begun = 0;
    await trusting.fill(2);
    expect(await trusting.send('/items/7', 'sheddable')).toMatchObject({ status: 503 });
    expect(await trusting.send('/payments/7', 'sheddable')).toMatchObject({ status: 200 });
    await trusting.fill(0);
    trusting.open('/hold');
    await until(() => begun === 3, 'the handler');
    expect(await trusting.send('/items/7', 'critical')).toMatchObject({ status: 200 });
    held.open();
  });

  it('does not count event streams and files that are still being sent', async () => {
    const server = await serve(platform, FOUR);
    server.open('/events');
    server.open('/file');
    server.open('/raw');
    await until(() => guard.asked === 4, 'the handlers');
    await until(() => server.inFlight() === 0, 'that nothing is in flight');
  });

  it('counts a request whose client offers another protocol that nobody takes up', async () => {
    const server = await serve(platform, { maxInFlight: 1 });
    const headers = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c' };
    const { port } = server.app.getHttpServer().address() as AddressInfo;
    const offer = answerTo({ host: '127.0.0.1', port, path: '/hold', headers });
    await until(() => begun === 1, 'the handler');
    expect(server.inFlight()).toBe(1);
    expect(await server.send('/items/7')).toMatchObject({ status: 503 });
    held.open();
    expect(await offer).toMatchObject({ status: 200, body: 'held' });
    await until(() => server.inFlight() === 0, 'that nothing is in flight');
  });

  it('counts a request no more whose client has left', async () => {
    const server = await serve(platform, FOUR);
    const exchange = server.open('/hold');
    exchange.response.catch(() => undefined);
    await until(() => begun === 1 && server.inFlight() === 1, 'the request');
    exchange.leave();
    await until(() => server.inFlight() === 0, 'that nothing is in flight');
    held.open();
  });

  it('refuses nobody in shadow mode, and tells whom it would have', async () => {
    const server = await serve(platform, { maxInFlight: 1, mode: 'shadow' });
    await server.fill(1);
    expect(await server.send('/items/7')).toMatchObject({ status: 200 });
    expect(server.shed()).toEqual([]);
    const reason = { stage: 'shedding', name: 'server', reason: 'in-flight' };
    expect(server.told).toContainEqual(
      expect.objectContaining({ type: 'would-reject', ...reason }),
    );
    expect(server.metrics.get('shadow.rejected', reason)).toBe(1);
    expect(server.metrics.get('shedding.rejected')).toBe(0);
    held.open();
  });

  it('says once that it sheds, and once that it has shed', async () => {
    const server = await serve(platform, { maxInFlight: 1 }, {}, { errorTracker: { log: true } });
    await server.fill(1);
    await server.send('/items/7');
    await server.send('/hints');
    expect(server.logger.messages('warn', 'Shedding')).toEqual([
      expect.objectContaining({ event: 'shedding', state: 'began', reason: 'in-flight' }),
    ]);
    held.open();
    await server.app.close();
    expect(server.logger.messages('log', 'Shedding')).toEqual([
      expect.objectContaining({ state: 'ended', refused: 2, sheddable: 1, normal: 1, critical: 0 }),
    ]);
  });

  it('counts and refuses nothing without the option', async () => {
    const server = await serve(platform, undefined);
    await server.fill(3);
    expect(await server.send('/hints')).toMatchObject({ status: 200 });
    expect(server.service.shedding()).toBeUndefined();
    held.open();
  });
});

function shed(criticality: string, method: string, path: string) {
  return { type: 'shed', reason: 'in-flight', criticality, method, path };
}

@Controller()
class Messages {
  events = 0;

  @MessagePattern('hold')
  async hold(): Promise<string> {
    begun++;
    await held.opened;
    return 'held';
  }
  @MessagePattern('find')
  find(): string {
    return 'found';
  }
  @Critical()
  @MessagePattern('pay')
  async pay(): Promise<string> {
    return 'paid';
  }
  @EventPattern('happened')
  happened(_: unknown): void {
    this.events++;
  }
}

describe('An overloaded microservice', () => {
  it('refuses messages that are answered, and never an event', async () => {
    const port = await freePort();
    const module = await Test.createTestingModule({
      imports: [resilienceModule({ inbound: { shedding: FOUR } })],
      controllers: [Messages],
    }).compile();
    const app: INestMicroservice = module.createNestMicroservice<MicroserviceOptions>({
      transport: Transport.TCP,
      options: { host: '127.0.0.1', port },
      logger: false,
    });
    await app.listen();
    track(app);
    const client = ClientProxyFactory.create({
      transport: Transport.TCP,
      options: { host: '127.0.0.1', port },
    });
    track({ close: async () => client.close() });
    const send = (pattern: string) => firstValueFrom(client.send<string>(pattern, {}));
    const holding = [send('hold'), send('hold'), send('hold')];
    await until(() => begun === 3, 'the handlers');
    await expect(send('find')).rejects.toMatchObject({ code: 'OVERLOADED' });
    expect(await send('pay')).toBe('paid');
    await firstValueFrom(client.emit('happened', {}), { defaultValue: undefined });
    const messages = module.get(Messages);
    await until(() => messages.events === 1, 'the event');
    held.open();
    expect(await Promise.all(holding)).toEqual(['held', 'held', 'held']);
    expect(await send('find')).toBe('found');
  });
});
