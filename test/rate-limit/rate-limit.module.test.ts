import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Controller, Get, Injectable, Scope } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { lastValueFrom, Observable, toArray } from 'rxjs';
import { currentScope } from '../../lib/context/ambient.js';
import { transportError } from '../../lib/edge/edge-errors.js';
import {
  Fallback,
  getRateLimitToken,
  InjectRateLimit,
  type KeyedPolicies,
  RateLimit,
  RateLimitedError,
  RateLimitPolicy,
  RateLimitRegistry,
  Resilience,
  ResilienceModule,
  type ResilienceModuleOptions,
  ResilienceService,
  Retry,
  Timeout,
} from '../../lib/index.js';
import { closeAll, resilienceModule, track } from '../binding/support.js';
import { booting, elapse, failure, watch } from '../support/resilience-app.js';

const boot = booting();
afterEach(closeAll);

const ONE = { limit: 1, burst: 1, intervalMs: 100 };
const LIMITED = expect.objectContaining({ code: 'RATE_LIMITED' });

@Injectable()
class Partner {
  calls = 0;

  @RateLimit({ ...ONE, maxWaitMs: 100 })
  async promised(): Promise<number> {
    return ++this.calls;
  }

  @RateLimit({ ...ONE, maxWaitMs: 100 })
  observed(): Observable<number> {
    return new Observable((subscriber) => {
      subscriber.next(++this.calls);
      subscriber.next(++this.calls);
      subscriber.complete();
    });
  }

  @RateLimit({ ...ONE, maxWaitMs: 100 })
  async *generated(): AsyncGenerator<number> {
    yield ++this.calls;
    yield ++this.calls;
  }
}

async function collected(values: AsyncIterable<number>): Promise<number[]> {
  const all: number[] = [];
  for await (const value of values) all.push(value);
  return all;
}

describe('@RateLimit', () => {
  it.each<[string, (partner: Partner) => Promise<unknown>, unknown, unknown]>([
    ['a Promise', (partner) => partner.promised(), 1, 2],
    [
      'an Observable',
      (partner) => lastValueFrom(partner.observed().pipe(toArray())),
      [1, 2],
      [3, 4],
    ],
    ['an async generator', (partner) => collected(partner.generated()), [1, 2], [3, 4]],
  ])('limits, lets wait and refuses what returns %s', async (_, call, first, second) => {
    const app = await boot({}, [Partner]);
    const partner = app.module.get(Partner);
    const calls = [call(partner), call(partner), call(partner)].map(watch);
    await elapse(0);
    expect(calls.map(({ state }) => state)).toEqual(['fulfilled', 'pending', 'rejected']);
    expect(calls[2]?.error).toEqual(LIMITED);
    await elapse(100);
    expect(calls.slice(0, 2).map(({ value }) => value)).toEqual([first, second]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('opens no scope for a call that is let in at once', async () => {
    @Injectable()
    class Plain {
      @RateLimit({ limit: 1, maxWaitMs: 2_000 })
      async call(): Promise<unknown> {
        return currentScope();
      }
    }
    const app = await boot({}, [Plain]);
    const plain = app.module.get(Plain);
    const calls = [watch(plain.call()), watch(plain.call())];
    await elapse(1_000);
    expect(calls).toMatchObject([{ state: 'fulfilled', value: undefined }, { state: 'fulfilled' }]);
  });

  it.each([
    ['graphql', { extensions: { code: 'RATE_LIMITED' }, message: 'The service is busy' }],
    ['ws', { error: { status: 'error', code: 'RATE_LIMITED', message: 'The service is busy' } }],
    ['grpc', { error: { code: 8, message: 'RATE_LIMITED: The service is busy' } }],
    ['rpc', { error: { status: 'error', code: 'RATE_LIMITED', message: 'The service is busy' } }],
  ] as const)(
    'fails by an error that tells nothing of the inside, over %s',
    async (transport, told) => {
      const error = new RateLimitedError('secret', 'limit', 1_500);
      const mapped = await transportError(error, transport);
      expect(mapped).toMatchObject(told);
      expect(JSON.stringify(mapped)).not.toContain('secret');
    },
  );

  it('refuses at once what would have its turn after its total time', async () => {
    @Injectable()
    class Late {
      @Timeout({ attemptMs: 50, totalMs: 900 })
      @RateLimit({ limit: 1, maxWaitMs: 60_000 })
      async call(): Promise<string> {
        return 'answer';
      }
    }
    const app = await boot({}, [Late]);
    const late = app.module.get(Late);
    expect(await late.call()).toBe('answer');
    expect(await failure(late.call())).toMatchObject({ code: 'RATE_LIMITED', reason: 'deadline' });
    await elapse(150);
    const call = watch(late.call());
    await elapse(850);
    expect(call.value).toBe('answer'); // it has waited longer than an attempt may take
  });

  it('forgets an Observable that nobody waits for any more', async () => {
    const app = await boot({}, [Partner]);
    const partner = app.module.get(Partner);
    await lastValueFrom(partner.observed());
    const subscription = partner.observed().subscribe();
    const rateLimit = app.rateLimits.get('Partner.observed');
    expect(rateLimit.getSnapshot()).toMatchObject({ queued: 1 });
    subscription.unsubscribe();
    expect(rateLimit.getSnapshot()).toMatchObject({ queued: 0 });
    expect(jest.getTimerCount()).toBe(0);
  });

  it.each([
    ['singletons', Scope.DEFAULT],
    ['request scope', Scope.REQUEST],
    ['transient scope', Scope.TRANSIENT],
  ])('is one for all instances of a class, in %s', async (_, scope) => {
    @Injectable({ scope })
    class Scoped {
      @RateLimit({ limit: 1 })
      async call(): Promise<string> {
        return 'answer';
      }
    }
    const app = await boot({}, [Scoped]);
    const instance = () =>
      scope === Scope.DEFAULT ? app.module.get(Scoped) : app.module.resolve(Scoped);
    const [one, other] = [await instance(), await instance()];
    expect(await one.call()).toBe('answer');
    expect(await failure(other.call())).toEqual(LIMITED);
  });

  it('is said of a class, of a method, by name, in bundles and pipelines, and has what defaults say', async () => {
    @Injectable()
    @RateLimit({ limit: 7 })
    class Whole {
      @RateLimit({ maxWaitMs: 5 })
      async one(): Promise<void> {}
      @RateLimit('shared')
      async other(): Promise<void> {}
      @RateLimit()
      async third(): Promise<void> {}
    }
    @Injectable()
    class Bundled {
      @Resilience('bundle')
      async call(): Promise<void> {}
    }
    const options: ResilienceModuleOptions = {
      rateLimits: { shared: { limit: 3, burst: 1 } },
      services: { bundle: { rateLimit: { limit: 4 } }, named: { rateLimit: 'shared' } },
      defaults: { rateLimit: { intervalMs: 60_000, queueLimit: 5 } },
    };
    const app = await boot(options, [Whole, Bundled]);
    const defaults = { intervalMs: 60_000, queueLimit: 5, adaptToResponses: false };
    const service = app.module.get(ResilienceService);
    app.pipeline({ name: 'made', rateLimit: { limit: 9 } });
    const described = Object.fromEntries(
      service.describe().map(({ operation, stages }) => [operation, stages.rateLimit]),
    );
    expect(described).toMatchObject({
      'Whole.one': { name: 'Whole.one', limit: 7, burst: 7, maxWaitMs: 5, ...defaults },
      'Whole.other': { name: 'shared', limit: 3, burst: 1, maxWaitMs: 0, ...defaults },
      'Whole.third': { name: 'Whole.third', limit: 7, burst: 7, ...defaults },
      'Bundled.call': { name: 'bundle', limit: 4, ...defaults },
      made: { name: 'made', limit: 9 },
    });
    await service.execute('named', async () => 1);
    expect(await failure(app.module.get(Whole).other())).toMatchObject({ rateLimit: 'shared' });
  });

  it.each<[string, ResilienceModuleOptions, unknown]>([
    [
      'Partner.call @RateLimit(): there is no rate limit "partnr"; known: partner; did you mean partner?',
      { rateLimits: { partner: { limit: 1 } } },
      'partnr',
    ],
    ['Partner.call @RateLimit().limit: is missing; allowed: how many calls may begin', {}, {}],
    ['Partner.call @RateLimit().burst: is 0; allowed', {}, { limit: 1, burst: 0 }],
    [
      'Partner.call @RateLimit().maxWait: there is no such option; known: limit, ',
      {},
      { maxWait: 1 },
    ],
    [
      'rateLimits.partner.limit: is "5"; allowed: a whole number from 1 to 1000000; pass the number 5',
      { rateLimits: { partner: { limit: '5' as never } } },
      { limit: 1 },
    ],
    [
      'defaults.rateLimit.queueLimit: is -1; allowed',
      { defaults: { rateLimit: { queueLimit: -1 } } },
      { limit: 1 },
    ],
    [
      'services.shop.rateLimit: is 5; allowed: an object with limit',
      { services: { shop: { rateLimit: 5 as never } } },
      { limit: 1 },
    ],
  ])('fails the boot: %s', async (message, options, argument) => {
    @Injectable()
    class Partner {
      @RateLimit(argument as never)
      async call(): Promise<void> {}
    }
    expect(String(await failure(boot(options, [Partner])))).toContain(message);
  });

  it('waits by key, and a key that has used its own keeps no other from its', async () => {
    const app = await boot({
      rateLimits: { partner: { limit: 2, key: (tenant: string) => tenant } },
    });
    const pipeline = app.pipeline({ name: 'keyed', rateLimit: 'partner' });
    const call = (tenant: string) => pipeline.execute(async () => tenant, { args: [tenant] });
    await call('acme');
    await call('acme');
    expect(await failure(call('acme'))).toMatchObject({ rateLimit: 'partner[acme]' });
    expect(await call('other')).toBe('other');
    const policies = app.module.get<KeyedPolicies<RateLimitPolicy>>(getRateLimitToken('partner'));
    expect(policies.forKey('acme').retention).toBe('kept'); // a new one would let in two more
    await elapse(1_000);
    expect(policies.forKey('acme').retention).toBe('none');
    const [view] = app.module
      .get(ResilienceService)
      .instances()
      .flatMap(({ stage, instances }) => (stage === 'rateLimit' ? instances : []));
    expect(view?.snapshot()).toMatchObject({ keys: 2, queued: 0, rejected: 1, pausedKeys: 0 });
  });

  it('is injected, looked up, and changed at run time', async () => {
    @Injectable()
    class Quota {
      constructor(
        @InjectRateLimit('partner') readonly rateLimit: RateLimitPolicy,
        readonly registry: RateLimitRegistry,
      ) {}
    }
    const app = await boot({ rateLimits: { partner: { limit: 1 } } }, [Quota]);
    const { rateLimit, registry } = app.module.get(Quota);
    expect(rateLimit).toBe(registry.get('partner'));
    expect(rateLimit).toBe(app.module.get(getRateLimitToken('partner')));
    expect(await rateLimit.execute(async () => 'alone')).toBe('alone');
    const pipeline = app.pipeline({ rateLimit: 'partner' });
    expect(await failure(pipeline.execute(async () => 1))).toEqual(LIMITED);
    rateLimit.setLimit(5);
    await elapse(200);
    expect(await pipeline.execute(async () => 'more')).toBe('more');
  });

  it('is what a test puts in its place', async () => {
    @Injectable()
    class Named {
      @RateLimit('partner')
      async call(): Promise<string> {
        return 'answer';
      }
    }
    const start = async (substitute: object) => {
      const builder = Test.createTestingModule({
        imports: [ResilienceModule.forRoot({ rateLimits: { partner: { limit: 1 } } })],
        providers: [Named],
      });
      builder.overrideProvider(getRateLimitToken('partner')).useValue(substitute);
      return track(await builder.compile()).init();
    };
    const generous = new RateLimitPolicy('partner', { limit: 10, intervalMs: 3_600_000 });
    const module = await start(generous);
    const { call } = { call: () => module.get(Named).call() };
    for (let made = 0; made < 5; made++) expect(await call()).toBe('answer');
    expect(module.get(RateLimitRegistry).get('partner')).toBe(generous);
    expect(generous.getSnapshot()).toMatchObject({ available: 5 });
    expect(String(await failure(start({})))).toContain('RateLimitPolicy');
  });

  it('answers by a fallback, and is in health and on the dashboard what it is', async () => {
    @Injectable()
    class Shop {
      @RateLimit({ limit: 1, intervalMs: 60_000 })
      @Fallback(() => 'later')
      async call(): Promise<string> {
        return 'now';
      }
    }
    const app = await boot({}, [Shop]);
    const shop = app.module.get(Shop);
    expect([await shop.call(), await shop.call()]).toEqual(['now', 'later']);
    const views = app.module.get(ResilienceService).instances();
    const { section, instances } = views.find(({ stage }) => stage === 'rateLimit') ?? {};
    expect(section).toBe('rateLimits');
    expect(instances?.map((each) => [each.snapshot(), each.health()])).toEqual([
      [
        {
          name: 'Shop.call',
          limit: 1,
          intervalMs: 60_000,
          available: 0,
          queued: 0,
          queueLimit: 0,
          rejected: 1,
          pausedMs: 0,
        },
        { status: 'degraded', limit: 1, available: 0, queued: 0 },
      ],
    ]);
    await elapse(60_000);
    expect(instances?.[0]?.health()).toMatchObject({ status: 'up', available: 1 });
  });

  it('lets who waits finish while the application closes, and refuses the others when it has no more time', async () => {
    jest.useRealTimers();
    const app = await boot({ shutdown: { graceMs: 50 } });
    const pipeline = app.pipeline({
      name: 'slow',
      rateLimit: { ...ONE, intervalMs: 60_000, maxWaitMs: 100_000 },
    });
    await pipeline.execute(async () => 1);
    const waiting = failure(pipeline.execute(async () => 2)) as Promise<RateLimitedError>;
    await app.close();
    expect(await waiting).toMatchObject({ code: 'RATE_LIMITED', reason: 'shutdown' });
  });
});

@Controller()
class Api {
  @Get('limited')
  @RateLimit({ limit: 1, intervalMs: 60_000 })
  async limited(): Promise<string> {
    return 'answer';
  }

  @Get('retried')
  @Retry({ maxAttempts: 2, baseDelayMs: 0 })
  @RateLimit({ limit: 1, intervalMs: 40 })
  async retried(): Promise<string> {
    return 'answer';
  }
}

describe.each([
  ['Express', () => new ExpressAdapter()],
  ['Fastify', () => new FastifyAdapter()],
])('Over HTTP on %s', (_, adapter) => {
  it('a call that is refused is answered by 503 with Retry-After, and one that is retried by what it answers', async () => {
    jest.useRealTimers();
    const module = await Test.createTestingModule({
      imports: [resilienceModule()],
      controllers: [Api],
    }).compile();
    const app = track(module.createNestApplication(adapter(), { logger: false }));
    await app.listen(0, '127.0.0.1');
    const get = async (path: string) => {
      const response = await fetch(`${await app.getUrl()}/${path}`);
      return { response, text: await response.text() };
    };
    expect((await get('limited')).text).toBe('answer');
    const { response, text } = await get('limited');
    expect(response.status).toBe(503);
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(50);
    expect(JSON.parse(text)).toEqual({
      statusCode: 503,
      error: 'Service Unavailable',
      message: 'The service is busy',
      code: 'RATE_LIMITED',
    });
    const retried = [await get('retried'), await get('retried')];
    expect(retried.map(({ text }) => text)).toEqual(['answer', 'answer']);
  });
});
