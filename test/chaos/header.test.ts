import { get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  Injectable,
  Scope,
  type Type,
} from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { of } from 'rxjs';
import { parseChaosHeader } from '../../lib/chaos/chaos-header.js';
import {
  Chaos,
  type ChaosGuard,
  CircuitBreaker,
  Coalesce,
  detached,
  ErrorTracker,
  type ResilienceModuleOptions,
  Retry,
  Timeout,
} from '../../lib/index.js';
import { boot, closeAll, RecordingLogger, resilienceModule, track } from '../binding/support.js';
import { EXPRESS, FASTIFY, type Platform } from '../edge/adapters.support.js';
import { until } from '../edge/waiting.js';

afterEach(closeAll);

@Injectable()
class Bank {
  calls = 0;

  @CircuitBreaker({ failureThreshold: 100 })
  async pay(): Promise<string> {
    this.calls++;
    return 'paid';
  }

  @Timeout(400)
  async books(): Promise<string> {
    this.calls++;
    return 'books';
  }

  @Coalesce({ key: () => 'rates' })
  async rates(): Promise<string> {
    return 'rates';
  }
}

@Controller()
class Shop {
  later: Promise<unknown> | undefined = undefined;
  private go: () => void = () => undefined;

  constructor(private readonly bank: Bank) {}

  @Get('pay')
  async pay(): Promise<string> {
    return this.bank.pay();
  }

  @Get('books')
  @Retry({ maxAttempts: 2, baseDelayMs: 0 })
  async books(): Promise<string> {
    return this.bank.books();
  }

  @Get('stream')
  stream() {
    return of(1);
  }

  @Get('detached')
  async detached(): Promise<string> {
    return detached(() => this.bank.pay());
  }

  @Get('shared')
  async shared(): Promise<string> {
    return this.bank.rates();
  }

  @Get('leave')
  leave(): string {
    const left = new Promise<void>((resolve) => {
      this.go = resolve;
    });
    this.later = left.then(() => this.bank.pay());
    return 'left';
  }

  proceed(): void {
    this.go();
  }
}

@Injectable()
class Allowed {
  readonly yes = 'yes';
}

@Injectable()
class TesterGuard implements CanActivate {
  constructor(private readonly allowed: Allowed) {}

  canActivate(context: ExecutionContext) {
    const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string> }>();
    return of(headers['x-tester'] === this.allowed.yes);
  }
}

const isTester = async (context: ExecutionContext): Promise<boolean> => {
  const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string> }>();
  return headers['x-tester'] === 'yes';
};

async function serve(
  platform: Platform,
  allow: ChaosGuard = isTester,
  options: ResilienceModuleOptions = {},
) {
  const logger = new RecordingLogger();
  const chaos = { header: { name: 'X-Chaos', allow } };
  const module = await Test.createTestingModule({
    imports: [resilienceModule({ errorTracker: { log: false }, ...options, chaos })],
    controllers: [Shop],
    providers: [Bank, Allowed, TesterGuard],
  })
    .setLogger(logger)
    .compile();
  const app = track(module.createNestApplication(platform.adapter(), { logger }));
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  return {
    app,
    logger,
    chaos: app.get(Chaos),
    shop: app.get(Shop),
    async status(path: string, header?: string, tester = 'yes', more = {}): Promise<number> {
      const headers: Record<string, string> = { 'x-tester': tester, connection: 'close', ...more };
      if (header !== undefined) headers['x-chaos'] = header;
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers });
      await response.text();
      return response.status;
    },
  };
}

describe.each([EXPRESS, FASTIFY])('The header of chaos on $name', (platform) => {
  it('makes the operations of its own request fail, hang or wait', async () => {
    const { status, app } = await serve(platform);
    expect(await status('/pay', 'Bank.pay=error')).toBe(500);
    expect(await status('/books', 'Bank.*=hang, Other.*=error')).toBe(504);
    expect(await status('/books', 'Bank.books=latency:1')).toBe(200);
    expect(await status('/books', 'Bank.books=latency:5000')).toBe(504);
    expect(app.get(Bank).calls).toBe(1);
    expect(await status('/pay', '')).toBe(200);
    expect(await status('/pay')).toBe(200);
  });

  it('is no more than that request’s: others are served at the same time as ever', async () => {
    const { status, chaos } = await serve(platform);
    const [slow, other] = await Promise.all([
      status('/books', 'Bank.books=hang'),
      status('/books'),
    ]);
    expect([slow, other]).toEqual([504, 200]);
    expect(chaos.requests).toBe(0);
    expect(chaos.isOn).toBe(false);
  });

  it('lets go of what hangs when its client goes away', async () => {
    const { app, chaos } = await serve(platform);
    const { port } = app.getHttpServer().address() as AddressInfo;
    const headers = { 'x-tester': 'yes', 'x-chaos': 'Bank.pay=hang' };
    const client = get({ port, path: '/pay', headers });
    client.on('error', () => undefined); // it is we who hang up
    await until(() => chaos.requests === 1, 'the request');
    client.destroy();
    await until(() => chaos.requests === 0, 'the end of the request');
    expect(app.get(Bank).calls).toBe(0);
  });

  it('is ended with all other chaos, also for what hangs already', async () => {
    const { status, chaos } = await serve(platform);
    const sent = status('/pay', 'Bank.pay=hang');
    await until(() => chaos.requests === 1, 'the request');
    chaos.stopAll();
    expect(await sent).toBe(200);
  });

  it('is ignored where the request is not allowed to bring chaos along', async () => {
    const { status, logger } = await serve(platform);
    expect(await status('/pay', 'Bank.pay=error', 'no')).toBe(200);
    expect(logger.messages('debug', 'Chaos')).toEqual([
      'A request with the header X-Chaos is not allowed to bring chaos along',
    ]);
    expect(logger.messages('warn', 'Chaos')).toEqual([]);
  });

  it('is ignored where that cannot be told', async () => {
    const allow = (): boolean => {
      throw new Error('no session');
    };
    const { status, logger } = await serve(platform, allow);
    expect(await status('/pay', 'Bank.pay=error')).toBe(200);
    expect(await status('/pay', 'Bank.pay=error')).toBe(200);
    expect(logger.messages('warn', 'Resilience')).toEqual([
      expect.stringContaining('allow of chaos.header failed: no session'),
    ]);
  });

  it('is ignored where the answer is no true', async () => {
    const { status } = await serve(platform, (() => 'yes') as unknown as ChaosGuard);
    expect(await status('/pay', 'Bank.pay=error')).toBe(200);
  });

  it.each<[string, ChaosGuard]>([
    ['the class of one', TesterGuard],
    ['one that was made', new TesterGuard({ yes: 'yes' })],
  ])('asks a guard: %s', async (_, guard) => {
    const { status } = await serve(platform, guard as Type<CanActivate>);
    expect(await status('/pay', 'Bank.pay=error')).toBe(500);
    expect(await status('/pay', 'Bank.pay=error', 'no')).toBe(200);
  });

  it('leaves out what it does not know, and says so in the log', async () => {
    const { status, logger } = await serve(platform);
    expect(await status('/pay', 'Bank.refund=error, Bank.pay=explode, Bank.books=error')).toBe(200);
    expect(logger.messages('warn', 'Chaos')).toEqual([
      {
        event: 'chaos_header_ignored',
        message:
          'Of the header X-Chaos of a request, this is ignored: "Bank.pay=explode" is no operations=error, =hang or =latency:<ms, at most 60000>; there is no operation Bank.refund',
      },
    ]);
  });

  it('does not come to work that is detached or shared, nor to what outlives the request', async () => {
    const { status, shop, chaos } = await serve(platform);
    expect(await status('/detached', 'Bank.pay=error')).toBe(200);
    expect(await status('/shared', 'Bank.rates=error')).toBe(200);
    expect(await status('/leave', 'Bank.pay=error')).toBe(200);
    const other = status('/books', 'Bank.books=hang');
    await until(() => chaos.requests === 1, 'another request that brings chaos along');
    shop.proceed();
    expect(await shop.later).toBe('paid');
    expect(await other).toBe(504);
  });

  it('is why the deadline of its request passed, where that is trusted', async () => {
    const { app, status } = await serve(platform, isTester, { inbound: { trustDeadline: true } });
    expect(await status('/pay', 'Bank.pay=hang', 'yes', { 'x-request-timeout-ms': '1000' })).toBe(
      504,
    );
    expect(app.get(ErrorTracker).getRecentErrors()).toMatchObject([
      { type: 'TimeoutError', chaos: true },
    ]);
  });

  it('comes before the rules of the application', async () => {
    const { status, chaos } = await serve(platform);
    chaos.add({ operations: 'Bank.books', result: 'made up' });
    expect(await status('/books')).toBe(200);
    expect(await status('/books', 'Bank.books=error')).toBe(500);
    expect(await status('/pay', 'Bank.books=error')).toBe(200);
  });
});

describe('The guard of the header', () => {
  it.each([Scope.DEFAULT, Scope.REQUEST])(
    'has to be one that the application provides and has one of (%s)',
    async (scope) => {
      @Injectable({ scope })
      class Strange implements CanActivate {
        canActivate(): boolean {
          return true;
        }
      }
      const chaos = { header: { name: 'x-chaos', allow: Strange } };
      const providers = scope === Scope.REQUEST ? [Strange] : [];
      await expect(boot({ providers }, { chaos })).rejects.toThrow(
        'chaos.header.allow: is function Strange, of which the application provides no single one; allowed: a guard among',
      );
    },
  );
});

describe('The value of the header of chaos', () => {
  it('is entries of operations and effects', () => {
    expect(
      parseChaosHeader('Bank.*=error,  Shop.find=hang ,, mail=latency:60000,a/b: c-d=error'),
    ).toEqual({
      rules: [
        { operations: 'Bank.*', error: true },
        { operations: 'Shop.find', hang: true },
        { operations: 'mail', latencyMs: 60_000 },
        { operations: 'a/b: c-d', error: true },
      ],
      ignored: [],
    });
  });

  it.each([
    'Bank.pay',
    'Bank.pay=',
    '=error',
    'Bank.pay=latency',
    'Bank.pay=latency:0',
    'Bank.pay=latency:60001',
    'Bank.pay=latency:1e3',
    'Bank.pay=latency:-1',
    'Bank.pay=result:1',
    'Bank.pay=error=hang',
    '(a+)+$=error',
    '[Bank]=error',
    '__proto__=latency:constructor',
    `${'a'.repeat(201)}=error`,
  ])('leaves out %s', (entry) => {
    const { rules, ignored } = parseChaosHeader(`${entry}, ok=hang`);
    expect(rules).toEqual([{ operations: 'ok', hang: true }]);
    expect(ignored).toHaveLength(1);
  });

  it('is bounded in its length and its entries', () => {
    expect(parseChaosHeader(`a=error,${' '.repeat(1_000)}`)).toEqual({
      rules: [],
      ignored: ['its value has more than 1000 characters'],
    });
    const { rules, ignored } = parseChaosHeader('a=error,'.repeat(12));
    expect(rules).toHaveLength(10);
    expect(ignored).toEqual(['it has more than 10 entries']);
  });
});
