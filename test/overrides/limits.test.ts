import { beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { lastValueFrom, Observable } from 'rxjs';
import {
  Bulkhead,
  BulkheadRegistry,
  RateLimit,
  RateLimitRegistry,
  Resilience,
  type ResilienceEvent,
  ResilienceService,
} from '../../lib/index.js';
import {
  booting,
  Deferred,
  elapse,
  flush,
  type ResilienceApp,
  watch,
} from '../support/resilience-app.js';

const works: Deferred<string>[] = [];
const work = () => {
  const made = new Deferred<string>();
  works.push(made);
  return made.promise;
};

@Injectable()
class Client {
  @Bulkhead('ledger')
  promise(): Promise<string> {
    return work();
  }

  @Bulkhead('ledger')
  observable(): Observable<string> {
    return new Observable((subscriber) => {
      void work().then((value) => {
        subscriber.next(value);
        subscriber.complete();
      });
    });
  }

  @Bulkhead('ledger')
  async *generator(): AsyncGenerator<string> {
    yield await work();
  }

  @Resilience('bank')
  bundled(): Promise<string> {
    return work();
  }

  @Bulkhead('tenants', { key: (tenant: string) => tenant })
  keyed(_tenant: string): Promise<string> {
    return work();
  }

  @RateLimit('quota', { key: (tenant: string) => tenant })
  async limited(_tenant: string): Promise<void> {}
}

const boot = booting();
let app: ResilienceApp;
let client: Client;
let service: ResilienceService;

beforeEach(async () => {
  works.length = 0;
  app = await boot(
    {
      bulkheads: { ledger: { maxConcurrent: 1 }, tenants: { maxConcurrent: 1 } },
      rateLimits: { quota: { limit: 2 } },
      services: { bank: { bulkhead: 'ledger' } },
    },
    [Client],
  );
  client = app.module.get(Client);
  service = app.module.get(ResilienceService);
});

async function first(generator: AsyncGenerator<string>): Promise<unknown> {
  for await (const value of generator) return value;
  return undefined;
}

/** A call of each kind, all of which one bulkhead is around. */
function everyKind(): ReturnType<typeof watch>[] {
  return [
    client.promise(),
    lastValueFrom(client.observable()),
    first(client.generator()),
    client.bundled(),
    app.pipeline({ bulkhead: 'ledger' }).execute(() => work()),
    app.module
      .get(BulkheadRegistry)
      .get('ledger')
      .execute(() => work()),
  ].map((call) => watch<unknown>(call));
}

describe('A limit that is changed while calls are under way', () => {
  it('lets those of every kind begin that wait, and each of them ends well', async () => {
    const calls = everyKind();
    await flush();
    expect(works).toHaveLength(1);
    service.reconfigure({ bulkheads: { ledger: { maxConcurrent: 4 } } });
    await flush();
    expect(works).toHaveLength(4);
    service.reconfigure({ bulkheads: { ledger: { mode: 'shadow' } } });
    await flush();
    expect(works).toHaveLength(6);
    service.reconfigure({ bulkheads: { ledger: { mode: 'enforce', maxConcurrent: 1 } } });
    const more = everyKind();
    for (let ended = 0; ended < 12; ended++) {
      works[ended]?.resolve('done');
      await flush();
      expect(works).toHaveLength(Math.max(6, Math.min(12, ended + 2)));
    }
    for (const call of [...calls, ...more]) expect(call.value).toBe('done');
    const { running, queued } = app.module.get(BulkheadRegistry).get('ledger').getSnapshot();
    expect([running, queued]).toEqual([0, 0]);
  });

  it('tells with the key whom it would have rejected, for keys that are there and those that come', async () => {
    const told: ResilienceEvent[] = [];
    app.events.events$.subscribe((event) => told.push(event));
    watch(client.keyed('a'));
    service.reconfigure({ bulkheads: { tenants: { mode: 'shadow', queueLimit: 0 } } });
    for (const tenant of ['a', 'b', 'b']) watch(client.keyed(tenant));
    await flush();
    expect(works).toHaveLength(4);
    const rejected = { type: 'would-reject', stage: 'bulkhead', reason: 'full' };
    expect(told).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ ...rejected, name: 'tenants[a]', key: 'a' }),
        expect.objectContaining({ ...rejected, name: 'tenants[b]', key: 'b' }),
      ]),
    );
    for (const each of works) each.resolve('done');
    await elapse(0);
  });

  it('goes for all keys by what was said last: of all of them, or by other options', async () => {
    const quotas = app.module.get(RateLimitRegistry).keyed('quota');
    const limitOf = (key: string) => quotas.forKey(key).getSnapshot().limit;
    await client.limited('a');
    quotas.forAll((quota) => quota.setLimit(5));
    expect([limitOf('a'), limitOf('b')]).toEqual([5, 5]);
    service.reconfigure({ rateLimits: { quota: { limit: 9 } } });
    expect([limitOf('a'), limitOf('c')]).toEqual([9, 9]);
    quotas.forAll((quota) => quota.setLimit(4));
    expect([limitOf('b'), limitOf('d')]).toEqual([4, 4]);
    service.reconfigure({ rateLimits: { quota: { queueLimit: 3 } } });
    expect([limitOf('d'), limitOf('e')]).toEqual([4, 4]);
  });
});
