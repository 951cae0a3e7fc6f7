import { EventEmitter } from 'node:events';
import { jest } from '@jest/globals';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { firstValueFrom, NEVER, Observable, of, throwError } from 'rxjs';
import { now } from '../../lib/common/clock.js';
import { ClientScope } from '../../lib/edge/client-scope.js';
import type { Connection } from '../../lib/edge/connection.js';
import type { Inbound } from '../../lib/edge/inbound.js';
import { withinDeadline } from '../../lib/edge/within-deadline.js';
import {
  Bulkhead,
  BulkheadRegistry,
  CircuitBreakerRegistry,
  Hedge,
  LoggerAlertChannel,
  ResilienceModule,
  type ResilienceModuleOptions,
  ResilienceService,
  Retry,
  Timeout,
} from '../../lib/index.js';
import { boot, closeAll } from '../binding/support.js';
import { Deferred, elapse, flush, never, watch } from '../support/resilience-app.js';

/** How the methods of the service below behave in a test. */
let work: () => Promise<unknown>;

@Injectable()
class Service {
  calls = 0;

  @Retry({ maxAttempts: 2, baseDelayMs: 40, jitter: 'none' })
  retried(): Promise<unknown> {
    this.calls++;
    return work();
  }

  @Retry({ maxAttempts: 2, baseDelayMs: 60_000, maxDelayMs: 60_000, jitter: 'none' })
  patient(): Promise<unknown> {
    this.calls++;
    return work();
  }

  @Bulkhead({ maxConcurrent: 2 })
  inSlot(): Promise<unknown> {
    this.calls++;
    return work();
  }

  @Timeout(60_000)
  timed(): Promise<unknown> {
    return work();
  }

  @Hedge(60_000)
  hedged(): Promise<unknown> {
    this.calls++;
    return work();
  }

  @Retry({ maxAttempts: 2, baseDelayMs: 40, jitter: 'none' })
  stream(): Observable<string> {
    return this.calls++ === 0 ? throwError(() => new Error('down')) : of('up');
  }

  @Timeout(60_000)
  flowing(): Observable<string> {
    return new Observable((subscriber) => {
      subscriber.next('first');
      return NEVER.subscribe(subscriber);
    });
  }

  @Retry({ maxAttempts: 2, baseDelayMs: 40, jitter: 'none' })
  async *generated(): AsyncGenerator<string> {
    if (this.calls++ === 0) throw new Error('down');
    yield 'up';
  }
}

/** Fails once, and answers from then on. */
const failingOnce = () => {
  let failed = false;
  return async () => {
    if (failed) return 'up';
    failed = true;
    throw new Error('down');
  };
};

beforeEach(() => {
  work = never;
});
afterEach(async () => {
  jest.useRealTimers();
  await closeAll();
});

let othersTimers = 0;
const timers = () => jest.getTimerCount() - othersTimers;

async function booted(options: ResilienceModuleOptions = {}, providers: unknown[] = []) {
  const withGrace = { shutdown: {}, ...options }; // `boot` would leave it out
  const { app } = await boot({ providers: [Service, ...(providers as [])] }, withGrace);
  jest.useFakeTimers();
  now(); // calls that hang in tests before this one follow the clock
  othersTimers = jest.getTimerCount();
  return { app, service: app.get(Service), close: () => watch(app.close()) };
}

describe('An application that closes', () => {
  it('waits for nothing, and for no time, when no call is in flight', async () => {
    const { app, service } = await booted();
    work = async () => 'up';
    await Promise.all([service.retried(), service.inSlot(), service.timed(), service.hedged()]);
    await app.close();
    expect(timers()).toBe(0);
  });

  it('lets a call that backs off go on to its answer, and waits for it', async () => {
    const { service, close } = await booted();
    work = failingOnce();
    const call = watch(service.retried());
    await flush();
    const closing = close();
    await elapse(39);
    expect([call.state, closing.state]).toEqual(['pending', 'pending']);
    await elapse(1);
    expect(call.value).toBe('up');
    expect(closing.state).toBe('fulfilled');
    expect(timers()).toBe(0);
  });

  it.each([
    ['an Observable', (service: Service) => firstValueFrom(service.stream())],
    ['an async generator', (service: Service) => service.generated().next()],
  ])('does so for %s', async (_what, run) => {
    const { service, close } = await booted();
    const call = watch<unknown>(run(service));
    await flush();
    const closing = close();
    await elapse(40);
    expect(call.state).toBe('fulfilled');
    expect(service.calls).toBe(2);
    expect(closing.state).toBe('fulfilled');
  });

  it('does so for a pipeline made in code', async () => {
    const { app, close } = await booted();
    const pipeline = app
      .get(ResilienceService)
      .pipeline({ retry: { maxAttempts: 2, baseDelayMs: 40, jitter: 'none' } });
    const call = watch(pipeline.execute(failingOnce()));
    await flush();
    const closing = close();
    await elapse(40);
    expect(call.value).toBe('up');
    expect(closing.state).toBe('fulfilled');
  });

  it('serves its queues, and ends when the last one has been served', async () => {
    const { service, close } = await booted();
    const works = [new Deferred(), new Deferred(), new Deferred()];
    let next = 0;
    work = () => (works[next++] as Deferred).promise;
    const calls = works.map(() => watch(service.inSlot()));
    await flush();
    const closing = close();
    works[0]?.resolve('first');
    works[1]?.resolve('second');
    await flush();
    expect(service.calls).toBe(3);
    expect(closing.state).toBe('pending');
    works[2]?.resolve('third');
    await flush();
    expect(calls.map(({ value }) => value)).toEqual(['first', 'second', 'third']);
    expect(closing.state).toBe('fulfilled');
  });

  it.each(['bulkhead', 'breaker'] as const)(
    'waits for a call through a %s by itself',
    async (kind) => {
      const { app, close } = await booted({
        breakers: { a: {} },
        bulkheads: { a: { maxConcurrent: 1 } },
      });
      const policy = {
        bulkhead: app.get(BulkheadRegistry),
        breaker: app.get(CircuitBreakerRegistry),
      };
      const works = [new Deferred(), new Deferred()];
      const calls = works.map(({ promise }) => watch(policy[kind].get('a').execute(() => promise)));
      await flush();
      const closing = close();
      works[0]?.resolve('first');
      await flush();
      expect(closing.state).toBe('pending');
      works[1]?.reject(new Error('down'));
      await flush();
      expect(calls.map(({ state }) => state)).toEqual(['fulfilled', 'rejected']);
      expect(closing.state).toBe('fulfilled');
    },
  );

  it('waits for what follows at once on the last call', async () => {
    const { service, close } = await booted();
    const [first, second] = [new Deferred(), new Deferred()];
    work = () => first.promise;
    const task = watch(
      (async () => {
        await service.timed();
        for (let n = 0; n < 5; n++) await undefined; // others look at the answer first
        work = () => second.promise;
        return service.timed();
      })(),
    );
    await flush();
    const closing = close();
    await flush();
    first.resolve(undefined);
    await flush();
    expect(closing.state).toBe('pending');
    second.resolve('done');
    await flush();
    expect(task.value).toBe('done');
    expect(closing.state).toBe('fulfilled');
  });

  it('does not wait for a stream that flows, whose call is over', async () => {
    const { service, close } = await booted();
    const seen: string[] = [];
    const subscription = service.flowing().subscribe((value) => seen.push(value));
    await flush();
    const closing = close();
    await flush();
    expect(seen).toEqual(['first']);
    expect(closing.state).toBe('fulfilled');
    subscription.unsubscribe();
  });

  it('forgets a call whose subscriber leaves', async () => {
    const { service, close } = await booted();
    const subscription = service.stream().subscribe();
    await flush();
    const closing = close();
    await elapse(1);
    expect(closing.state).toBe('pending');
    subscription.unsubscribe();
    await flush();
    expect(closing.state).toBe('fulfilled');
    expect(timers()).toBe(0);
  });

  it('sends alerts that are on their way, whatever hangs', async () => {
    const channel = new LoggerAlertChannel();
    const flushed = jest.fn(async () => undefined);
    const { service, close } = await booted({ alerts: Object.assign(channel, { flush: flushed }) });
    watch(service.timed());
    await flush();
    const closing = close();
    await elapse(5_000);
    expect(flushed).toHaveBeenCalledTimes(1);
    expect(closing.state).toBe('fulfilled');
  });

  it('closes again at once', async () => {
    const { app, service, close } = await booted({ shutdown: { graceMs: 100 } });
    watch(service.timed());
    const closing = close();
    await elapse(100);
    expect(closing.state).toBe('fulfilled');
    await app.close();
  });
});

describe('Hooks of an application that closes', () => {
  const HOOKS = ['onModuleDestroy', 'beforeApplicationShutdown', 'onApplicationShutdown'] as const;

  it.each(HOOKS)('can send five messages, two at a time, in %s', async (hook) => {
    @Injectable()
    class Outbox {
      sent: unknown[] = [];
      constructor(private readonly service: Service) {}
      async flush() {
        this.sent = await Promise.allSettled(
          Array.from({ length: 5 }, () => this.service.inSlot()),
        );
      }
    }
    Outbox.prototype[hook as 'flush'] = Outbox.prototype.flush;
    const { app, close } = await booted({}, [Outbox]);
    work = async () => 'sent';
    const closing = close();
    await flush();
    const sent = { status: 'fulfilled', value: 'sent' };
    expect(app.get(Outbox).sent).toEqual([sent, sent, sent, sent, sent]);
    expect(closing.state).toBe('fulfilled');
  });

  it('have the same grace where the application is closed twice', async () => {
    const { service, close } = await booted({ shutdown: { graceMs: 100 } });
    const first = close();
    await elapse(60);
    expect(first.state).toBe('fulfilled');
    const second = close();
    await flush();
    expect(second.state).toBe('fulfilled');
    work = () => Promise.reject(new Error('down'));
    const waiting = watch(service.patient());
    await elapse(39);
    expect(waiting.state).toBe('pending');
    await elapse(1);
    expect(waiting.error).toMatchObject({ message: 'down' });
  });

  it('can retry after the module has nothing left to wait for, until the grace ends', async () => {
    const { service, close } = await booted();
    const closing = close();
    await flush();
    expect(closing.state).toBe('fulfilled');
    work = failingOnce();
    const retried = watch(service.retried());
    await elapse(40);
    expect(retried.value).toBe('up');
    await elapse(5_000);
    work = failingOnce();
    await expect(service.retried()).rejects.toThrow('down');
    expect(timers()).toBe(0);
  });
});

describe('The end of the grace', () => {
  it('comes after five seconds', async () => {
    const { service, close } = await booted();
    const hanging = watch(service.timed());
    const closing = close();
    await elapse(4_999);
    expect(closing.state).toBe('pending');
    await elapse(1);
    expect(closing.state).toBe('fulfilled');
    expect(hanging.state).toBe('pending');
  });

  it('ends a backoff with the last error, a queued call with a rejection, and makes no hedge', async () => {
    const { service, close } = await booted({ shutdown: { graceMs: 200 } });
    const [first, second] = [watch(service.inSlot()), watch(service.inSlot())];
    const queued = watch(service.inSlot());
    watch(service.hedged());
    work = () => Promise.reject(new Error('down'));
    const waiting = watch(service.patient());
    await flush();
    expect(service.calls).toBe(4);
    const closing = close();
    await elapse(199);
    expect([waiting.state, queued.state, closing.state]).toEqual(['pending', 'pending', 'pending']);
    await elapse(1);
    expect(waiting.error).toMatchObject({ message: 'down' });
    expect(queued.error).toMatchObject({ name: 'BulkheadRejectedError', reason: 'shutdown' });
    expect(closing.state).toBe('fulfilled');
    expect([first.state, second.state]).toEqual(['pending', 'pending']);
    expect(timers()).toBe(0);
    await elapse(120_000);
    expect(service.calls).toBe(4);
  });

  it('ends what a hook has called, while the hook is still awaited', async () => {
    @Injectable()
    class Slow {
      error: unknown;
      constructor(private readonly service: Service) {}
      async beforeApplicationShutdown() {
        await this.service.patient().catch((error) => {
          this.error = error;
        });
      }
    }
    const { app, close } = await booted({ shutdown: { graceMs: 200 } }, [Slow]);
    work = () => Promise.reject(new Error('down'));
    const closing = close();
    await elapse(200);
    expect(app.get(Slow).error).toMatchObject({ message: 'down' });
    expect(closing.state).toBe('fulfilled');
  });

  it('lets later calls through that need no wait, and only those', async () => {
    const { service, close } = await booted({ shutdown: { graceMs: 200 } });
    watch(service.timed());
    close();
    await elapse(200);
    const running = [watch(service.inSlot()), watch(service.inSlot())];
    await flush();
    expect(running.map(({ state }) => state)).toEqual(['pending', 'pending']);
    await expect(service.inSlot()).rejects.toMatchObject({ reason: 'shutdown' });
  });
});

describe('An application that has not booted', () => {
  @Injectable()
  class Broken implements OnModuleInit {
    constructor(private readonly service: Service) {}
    onModuleInit(): never {
      this.service.timed().catch(() => undefined); // it hangs, and nobody is left to hear of it
      throw new Error('no database');
    }
  }

  it('closes within the grace too', async () => {
    const module = await Test.createTestingModule({
      imports: [ResilienceModule.forRoot({ shutdown: { graceMs: 100 } })],
      providers: [Service, Broken],
    }).compile();
    jest.useFakeTimers();
    await expect(module.init()).rejects.toThrow('no database');
    const closing = watch(module.close());
    await elapse(100);
    expect(closing.state).toBe('fulfilled');
  });

  it('closes also where its options are wrong', async () => {
    const module = Test.createTestingModule({
      imports: [ResilienceModule.forRoot({ shutdown: { graceMs: -1 } })],
    });
    await expect(module.compile()).rejects.toThrow(/shutdown\.graceMs/);
  });
});

describe('The deadline of a request', () => {
  it('keeps no process alive', () => {
    const processTimers = () =>
      process.getActiveResourcesInfo().filter((each) => each === 'Timeout').length;
    const connection: Connection = {
      emitter: new EventEmitter(),
      goneEvent: 'close',
      isGone: () => false,
      isOver: () => false,
      isCommitted: () => false,
    } as unknown as Connection;
    const before = processTimers();
    const scope = new ClientScope(connection, {
      expiresAt: now() + 60_000,
      timeoutMs: 60_000,
    } as Inbound);
    const subscription = withinDeadline(NEVER, scope, false).subscribe();
    expect(processTimers()).toBe(before);
    subscription.unsubscribe();
  });
});

describe('shutdown', () => {
  it.each([
    [{ graceMs: -1 }, /^shutdown\.graceMs: is -1; allowed: a number of milliseconds from 0/],
    [{ graceMs: Number.NaN }, /^shutdown\.graceMs: is NaN/],
    [{ graceMs: Number.POSITIVE_INFINITY }, /^shutdown\.graceMs: is Infinity/],
    [{ graceMs: '5000' }, /^shutdown\.graceMs: is "5000"/],
    [{ grace: 1 }, /^shutdown\.grace: there is no such option; .*graceMs/],
    [5_000, /^shutdown: is 5000; allowed: an object with graceMs/],
  ])('fails the boot when it is %p', async (shutdown, message) => {
    await expect(boot({}, { shutdown: shutdown as object })).rejects.toThrow(message);
  });
});
