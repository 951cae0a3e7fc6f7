import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { firstValueFrom, Observable } from 'rxjs';
import {
  CircuitBreaker,
  CircuitBreakerOpenError,
  CircuitBreakerPolicy,
  type Fleet,
  Hedge,
  ResilienceConfigurationError,
  type ResilienceModuleOptions,
  ResilienceService,
  Retry,
  Timeout,
} from '../../lib/index.js';
import { MemoryFleet, type MemoryLink, settled } from '../support/memory-fleet.js';
import { booting, type ResilienceApp } from '../support/resilience-app.js';

const BREAKER = {
  failureThreshold: 1,
  successThreshold: 1,
  timeoutMs: 1_000,
  shared: true,
} as const;

let isDown = true;
let reached = 0;

function dependency(): string {
  reached++;
  if (isDown) throw new Error('down');
  return 'up';
}

@Injectable()
class Partner {
  @CircuitBreaker('payments')
  async charge(): Promise<string> {
    return dependency();
  }

  @CircuitBreaker('payments')
  watch(): Observable<string> {
    return new Observable((subscriber) => {
      subscriber.next(dependency());
      subscriber.complete();
    });
  }

  @CircuitBreaker('payments')
  async *list(): AsyncGenerator<string> {
    yield dependency();
    yield 'more';
  }

  @Retry({ maxAttempts: 3, delayMs: [400], retryableErrors: () => true })
  @CircuitBreaker('payments')
  async insist(): Promise<string> {
    return dependency();
  }

  @Hedge({ delayMs: 10 })
  @CircuitBreaker('payments')
  async hurry(): Promise<string> {
    const answer = dependency();
    await new Promise((resolve) => setTimeout(resolve, 50));
    return answer;
  }

  @CircuitBreaker('payments')
  @Timeout(50)
  async inTime(): Promise<string> {
    return dependency();
  }

  @CircuitBreaker({ ...BREAKER, shared: { quorum: 1 } })
  async own(): Promise<string> {
    return dependency();
  }

  @CircuitBreaker('tenants', { key: (tenant: string) => tenant })
  async of(_tenant: string): Promise<string> {
    return dependency();
  }
}

describe('Applications of a fleet that share circuit breakers', () => {
  const boot = booting();
  let hub: MemoryFleet;

  beforeEach(() => {
    hub = new MemoryFleet();
    isDown = true;
    reached = 0;
  });

  function start(options: ResilienceModuleOptions = {}): Promise<ResilienceApp> {
    const breakers = { payments: BREAKER, tenants: { ...BREAKER, shared: { quorum: 1 } } };
    return boot({ fleet: hub.fleet(), breakers, ...options }, [Partner]);
  }

  const partnerOf = ({ module }: ResilienceApp) => module.get(Partner);
  const stateIn = (app: ResilienceApp, name = 'payments') => app.breakers.get(name).getState();
  const wait = (ms: number) => jest.advanceTimersByTimeAsync(ms);
  const quietly = (call: PromiseLike<unknown>) =>
    Promise.resolve(call).catch((error: unknown) => error);

  /** Both have opened it, and it is time for probes. */
  async function halfOpen() {
    const apps = [await start(), await start()] as const;
    for (const app of apps) await quietly(partnerOf(app).charge());
    await settled();
    expect(apps.map((app) => stateIn(app))).toEqual(['OPEN', 'OPEN']);
    await wait(1_000);
    isDown = false;
    reached = 0;
    return apps;
  }

  it.each<[string, (partner: Partner) => Promise<unknown>]>([
    ['of a method that answers by a Promise', (partner) => partner.charge()],
    ['of one that answers by an Observable', (partner) => firstValueFrom(partner.watch())],
    ['of an async generator', async (partner) => (await partner.list().next()).value],
    ['of one with a timeout', (partner) => partner.inTime()],
    ['of one that is tried again', (partner) => partner.insist()],
  ])('let a call %s probe, which closes it in all', async (_of, call) => {
    const [one, other] = await halfOpen();
    expect(await call(partnerOf(one))).toBe('up');
    await settled();
    expect([stateIn(one), stateIn(other)]).toEqual(['CLOSED', 'CLOSED']);
  });

  it('let a hedged call be one probe, and not more than there may be', async () => {
    const [one, other] = await halfOpen();
    const answer = partnerOf(one).hurry();
    await wait(100);
    expect(await answer).toBe('up');
    expect(reached).toBe(1);
    await settled();
    expect([stateIn(one), stateIn(other)]).toEqual(['CLOSED', 'CLOSED']);
  });

  it('let a call be tried again that was no probe, when it is worth it', async () => {
    const [one, other] = await halfOpen();
    let finish: (value: string) => void = () => undefined;
    const running = one.breakers.get('payments').execute(
      () =>
        new Promise<string>((resolve) => {
          finish = resolve;
        }),
    );
    await settled();
    const insisting = partnerOf(other).insist();
    await settled();
    finish('up');
    await running;
    await wait(400);
    expect(await insisting).toBe('up');
  });

  it('let pipelines, and calls of a breaker by itself, be probes', async () => {
    const [one, other] = await halfOpen();
    const pipeline = one.pipeline({ circuitBreaker: 'payments' });
    expect(await pipeline.execute(async () => dependency())).toBe('up');
    await settled();
    expect([stateIn(one), stateIn(other)]).toEqual(['CLOSED', 'CLOSED']);
  });

  it('give a permit back whose call was cut while it waited for it', async () => {
    const [one] = await halfOpen();
    const link = hub.links[0] as MemoryLink;
    const pipeline = one.pipeline({ circuitBreaker: 'payments', totalTimeoutMs: 20 });
    hub.isHolding = true;
    const cut = quietly(pipeline.execute(async () => dependency()));
    expect(hub.parcels[0]).toMatchObject({ kind: 'question', link });
    hub.deliver();
    await wait(20);
    expect(await cut).toMatchObject({ name: 'TimeoutError' });
    await hub.deliverAll();
    expect(hub.boards.verdicts.store.running('payments', Date.now())).toBe(0);
    expect(reached).toBe(0);
  });

  it('share those of a method, and those by key, by their names', async () => {
    const [one, other] = [await start(), await start()];
    await quietly(partnerOf(one).own());
    await quietly(partnerOf(one).of('acme'));
    await settled();
    expect(await quietly(partnerOf(other).own())).toBeInstanceOf(CircuitBreakerOpenError);
    reached = 0;
    await quietly(partnerOf(other).of('acme'));
    await settled();
    expect(await quietly(partnerOf(other).of('acme'))).toBeInstanceOf(CircuitBreakerOpenError);
    await quietly(partnerOf(other).of('globex'));
    expect(reached).toBe(2);
  });

  it('forget one of a key without losing what was decided of it', async () => {
    const [one, other] = [await start(), await start()];
    await quietly(partnerOf(one).of('acme'));
    await settled();
    const tenants = other.breakers.keyed('tenants');
    expect(tenants.forKey('acme').getState()).toBe('CLOSED');
    await settled();
    expect(tenants.forKey('acme').getState()).toBe('OPEN');
    tenants.forget('acme');
    tenants.forKey('acme');
    await settled();
    expect(tenants.forKey('acme').getState()).toBe('OPEN');
  });

  it('give permits back when they end', async () => {
    const [one] = await halfOpen();
    void quietly(one.breakers.get('payments').execute(() => new Promise(() => undefined)));
    await settled();
    const running = () => hub.boards.verdicts.store.running('payments', Date.now());
    expect(running()).toBe(1);
    await one.close();
    expect(running()).toBe(0);
  });

  it('are told in options where instances share, also by defaults, of which one may be an exception', async () => {
    const app = await start({
      breakers: {
        payments: {},
        local: { shared: false },
        many: { shared: { quorum: 5 } },
        tenants: {},
      },
      defaults: { circuitBreaker: { shared: true } },
    });
    const sharedOf = (name: string) => app.breakers.get(name).options.shared;
    expect(['payments', 'local', 'many'].map(sharedOf)).toEqual([
      { quorum: 2 },
      false,
      { quorum: 5 },
    ]);
    const operations = app.module.get(ResilienceService).describe();
    expect(
      operations.find(({ operation }) => operation === 'Partner.charge')?.stages,
    ).toMatchObject({
      circuitBreaker: { name: 'payments', shared: { quorum: 2 } },
    });
  });

  describe('without a fleet', () => {
    const refused = async (options: ResilienceModuleOptions, providers: (typeof Partner)[] = []) =>
      boot(options, providers).then(
        () => undefined,
        (error: unknown) => error as ResilienceConfigurationError,
      );

    it.each<[string, ResilienceModuleOptions, string]>([
      ['breakers.payments.shared', { breakers: { payments: { shared: true } } }, 'is true'],
      [
        'breakers.payments.shared',
        { breakers: { payments: { shared: { quorum: 3 } } } },
        'is {"quorum":3}',
      ],
      [
        'services.payments.circuitBreaker.shared',
        { services: { payments: { circuitBreaker: { shared: true } } } },
        'is true',
      ],
      [
        'breakers.payments.shared',
        { breakers: { payments: {} }, defaults: { circuitBreaker: { shared: true } } },
        'is true',
      ],
    ])('say at boot that %s has nobody to share with', async (place, options, is) => {
      const error = await refused(options);
      expect(error).toBeInstanceOf(ResilienceConfigurationError);
      expect(error?.message).toContain(`${place}: ${is}, and there is no fleet to share with`);
      expect(error?.message).toContain('ResilienceModule.forRoot()');
    });

    it('say so of a breaker that is made by itself', () => {
      expect(() => new CircuitBreakerPolicy('payments', { shared: true })).toThrow(
        'circuit breaker "payments".shared: is true, and there is no fleet to share with',
      );
      expect(new CircuitBreakerPolicy('payments', { shared: false }).getState()).toBe('CLOSED');
    });
  });

  it.each<[unknown, string]>([
    ['yes', 'breakers.payments.shared: is "yes"; allowed: true, false, or { quorum }'],
    [{ quorum: 0 }, 'breakers.payments.shared.quorum: is 0; allowed: a whole number'],
    [
      { quorom: 2 },
      'breakers.payments.shared.quorom: there is no such option; known: quorum; did you mean quorum?',
    ],
    [2, 'allowed: true, false, or { quorum }'],
  ])('refuse %j for how a breaker is shared', async (shared, message) => {
    const options = { breakers: { payments: { shared } } } as ResilienceModuleOptions;
    await expect(start(options)).rejects.toThrow(message);
  });

  it('say what a fleet is to whom gives its options in its place', async () => {
    const fleet = { client: {}, namespace: 'shop' } as unknown as Fleet;
    await expect(boot({ fleet })).rejects.toThrow(
      "fleet: is an object; allowed: a Fleet, such as new RedisFleet({ client, namespace: 'shop' })",
    );
  });
});
