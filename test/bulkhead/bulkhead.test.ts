import { AsyncLocalStorage } from 'node:async_hooks';
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  jest,
} from '@jest/globals';
import { Injectable } from '@nestjs/common';
import fc from 'fast-check';
import {
  Bulkhead,
  BulkheadPolicy,
  BulkheadRejectedError,
  type BulkheadRejectionReason,
  currentSignal,
  type Pipeline,
  ResilienceConfigurationError,
  ResilienceError,
  TimeoutError,
} from '../../lib/index.js';
import {
  Deferred,
  elapse,
  failure,
  flush,
  never,
  ResilienceApp,
  type Watched,
  watch,
} from '../support/resilience-app.js';

@Injectable()
class Reports {
  readonly works: Deferred<string>[] = [];

  @Bulkhead({ maxConcurrent: 1, queueLimit: 0 })
  async render(): Promise<string> {
    return this.work();
  }

  @Bulkhead({ maxConcurrent: 1, queueLimit: 0 })
  async archive(): Promise<string> {
    return this.work();
  }

  private async work(): Promise<string> {
    const work = new Deferred<string>();
    this.works.push(work);
    return work.promise;
  }
}

const SECOND = Symbol('second');

const user = new AsyncLocalStorage<string>();

/** A bulkhead and the calls that are made through it. */
class Crowd {
  readonly works: Deferred<number>[] = [];
  readonly calls: Watched<number>[] = [];
  /** Which calls have run, in the order in which they began. */
  readonly began: number[] = [];

  constructor(private readonly enter: (fn: () => Promise<number>) => Promise<number>) {}

  call(): Watched<number> {
    const index = this.works.length;
    const work = new Deferred<number>();
    this.works.push(work);
    const call = watch(
      this.enter(() => {
        this.began.push(index);
        return work.promise;
      }),
    );
    this.calls.push(call);
    return call;
  }

  finish(index: number): Promise<void> {
    this.works[index]?.resolve(index);
    return flush();
  }
}

function rejection(reason: BulkheadRejectionReason, bulkhead?: string) {
  return bulkhead === undefined
    ? expect.objectContaining({ name: 'BulkheadRejectedError', reason })
    : expect.objectContaining({ name: 'BulkheadRejectedError', reason, bulkhead });
}

describe('Bulkhead', () => {
  let app: ResilienceApp;
  let crowds = 0;

  beforeAll(async () => {
    app = await ResilienceApp.boot(
      { errorContext: () => ({ userId: user.getStore() ?? 'nobody' }) },
      [Reports, { provide: SECOND, useClass: Reports }],
    );
  });
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });
  afterAll(() => app.close());

  /** The rules are the same for the policy by itself and in a pipeline. */
  const bulkheads: [string, (options: BulkheadOptionsGiven) => [Crowd, BulkheadPolicy]][] = [
    [
      'BulkheadPolicy',
      (options) => {
        const policy = new BulkheadPolicy('tested', options);
        return [new Crowd((fn) => policy.execute(fn)), policy];
      },
    ],
    [
      'a pipeline',
      (options) => {
        const name = `crowd-${crowds++}`;
        const pipeline = app.pipeline({ name, bulkhead: options });
        return [new Crowd((fn) => pipeline.execute(fn)), app.bulkheads.get(name)];
      },
    ],
  ];
  interface BulkheadOptionsGiven {
    maxConcurrent?: number;
    queueLimit?: number;
    queueTimeoutMs?: number;
  }

  describe.each(bulkheads)('%s', (_, make) => {
    it('without a queue rejects the fourth of three slots at once, and one release admits one', async () => {
      const [crowd] = make({ maxConcurrent: 3, queueLimit: 0 });
      for (let call = 0; call < 4; call++) crowd.call();
      await flush();
      expect(crowd.began).toEqual([0, 1, 2]);
      expect(crowd.calls[3]?.error).toEqual(rejection('full'));
      await crowd.finish(1);
      crowd.call();
      crowd.call();
      await flush();
      expect(crowd.began).toEqual([0, 1, 2, 4]);
      expect(crowd.calls[5]?.error).toEqual(rejection('full'));
      for (const index of [0, 2, 4]) await crowd.finish(index);
    });

    it('with 10 running and 10 queued rejects the 21st, and a completion starts exactly the oldest', async () => {
      const [crowd, policy] = make({ maxConcurrent: 10, queueLimit: 10 });
      for (let call = 0; call < 21; call++) crowd.call();
      await flush();
      expect(crowd.began).toHaveLength(10);
      expect(crowd.calls[20]?.error).toEqual(rejection('full', policy.name));
      expect(policy.getSnapshot()).toMatchObject({ running: 10, queued: 10, rejected: 1 });
      await crowd.finish(4);
      expect(crowd.began).toHaveLength(11);
      expect(crowd.began.at(-1)).toBe(10);
      await crowd.finish(0);
      expect(crowd.began.slice(10)).toEqual([10, 11]);
      for (const index of crowd.works.keys()) await crowd.finish(index);
      expect(policy.getSnapshot()).toMatchObject({ running: 0, queued: 0 });
      expect(crowd.calls.slice(0, 20).every(({ state }) => state === 'fulfilled')).toBe(true);
    });

    it('has 10 slots and a queue of 100 by default', async () => {
      const [crowd, policy] = make({});
      for (let call = 0; call < 111; call++) crowd.call();
      await flush();
      expect(policy.getSnapshot()).toEqual({
        name: policy.name,
        running: 10,
        queued: 100,
        maxConcurrent: 10,
        queueLimit: 100,
        rejected: 1,
      });
      for (const index of crowd.works.keys()) await crowd.finish(index);
    });

    it('rejects a call that has waited for queueTimeoutMs, exactly then, and never runs it', async () => {
      const [crowd] = make({ maxConcurrent: 1, queueTimeoutMs: 100 });
      crowd.call();
      const early = crowd.call();
      await elapse(60);
      const late = crowd.call();
      await elapse(39);
      expect(early.state).toBe('pending');
      await elapse(1);
      expect(early.error).toEqual(rejection('queue-timeout'));
      expect(late.state).toBe('pending');
      await crowd.finish(0);
      expect(crowd.began).toEqual([0, 2]);
      await crowd.finish(2);
    });

    it('lets a call run as long as it likes once it has left the queue in time', async () => {
      const [crowd] = make({ maxConcurrent: 1, queueTimeoutMs: 100 });
      crowd.call();
      const queued = crowd.call();
      await elapse(99);
      await crowd.finish(0);
      await elapse(1_000);
      await crowd.finish(1);
      expect(queued.value).toBe(1);
    });

    it('gives the slot back after a rejection, a synchronous throw and a thenable that throws', async () => {
      const [, policy] = make({ maxConcurrent: 1, queueLimit: 0 });
      const error = new Error('own');
      const fns: (() => PromiseLike<never>)[] = [
        () => Promise.reject(error),
        () => {
          throw error;
        },
        () => ({
          // biome-ignore lint/suspicious/noThenProperty: a query builder is one
          then() {
            throw error;
          },
        }),
      ];
      for (const fn of fns) {
        expect(await failure(policy.execute(fn))).toBe(error);
        expect(policy.getSnapshot().running).toBe(0);
      }
    });

    it('gives the slot back after a rejection, whoever waits', async () => {
      const [crowd] = make({ maxConcurrent: 1 });
      const first = crowd.call();
      crowd.call();
      crowd.works[0]?.reject(new Error('down'));
      await flush();
      expect(first.error).toMatchObject({ message: 'down' });
      expect(crowd.began).toEqual([0, 1]);
      await crowd.finish(1);
    });

    it('rejects what waits at its shutdown, and what would have to wait from then on', async () => {
      const [crowd, policy] = make({ maxConcurrent: 1, queueTimeoutMs: 100 });
      for (let call = 0; call < 3; call++) crowd.call();
      await flush();
      policy.shutdown();
      await flush();
      expect(crowd.calls.map(({ error }) => error)).toEqual([
        undefined,
        rejection('shutdown', policy.name),
        rejection('shutdown', policy.name),
      ]);
      const late = crowd.call();
      await flush();
      expect(late.error).toEqual(rejection('shutdown'));
      await crowd.finish(0);
      expect(crowd.calls[0]?.value).toBe(0);
      expect(crowd.began).toEqual([0]);
    });
  });

  it('says in its error which bulkhead it was, why and by which code', () => {
    const error = new BulkheadRejectedError('write', 'full');
    expect(error).toBeInstanceOf(ResilienceError);
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ bulkhead: 'write', reason: 'full', code: 'BULKHEAD_FULL' });
  });

  it.each<[BulkheadRejectionReason, string]>([
    ['full', 'is full'],
    ['queue-timeout', 'had no free slot in time'],
    ['deadline', 'had no free slot early enough for a typical run to meet the deadline'],
    ['displaced', 'is full, and a critical call took the place in its queue'],
    ['shutdown', 'is shutting down'],
  ])('says in words why it is, and of whom: %s', (reason, words) => {
    expect(new BulkheadRejectedError('write', reason).message).toBe(`Bulkhead "write" ${words}`);
  });

  it.each([
    { maxConcurrent: 0 },
    { maxConcurrent: 1.5 },
    { maxConcurrent: -1 },
    { maxConcurrent: Number.NaN },
    { maxConcurrent: Number.POSITIVE_INFINITY },
    { queueLimit: -1 },
    { queueLimit: 0.5 },
    { queueTimeoutMs: 0 },
    { queueTimeoutMs: -1 },
    { queueTimeoutMs: Number.POSITIVE_INFINITY },
    { maxConcurent: 1 },
  ])('refuses the options %j', (options) => {
    expect(() => new BulkheadPolicy('wrong', options)).toThrow(ResilienceConfigurationError);
  });

  it('keeps its defaults where a field is undefined', () => {
    const policy = new BulkheadPolicy('undefined', {
      maxConcurrent: undefined,
      queueLimit: undefined,
      queueTimeoutMs: undefined,
    });
    expect(policy.getSnapshot()).toMatchObject({ maxConcurrent: 10, queueLimit: 100 });
  });

  it('belongs to its application: another one in the same process has its own', async () => {
    const other = await ResilienceApp.boot({}, [Reports]);
    const work = watch(app.module.get(Reports).render());
    const elsewhere = watch(other.module.get(Reports).render());
    await flush();
    expect([work.state, elsewhere.state]).toEqual(['pending', 'pending']);
    app.module.get(Reports).works.at(-1)?.resolve('here');
    other.module.get(Reports).works.at(-1)?.resolve('there');
    await flush();
    expect([work.value, elsewhere.value]).toEqual(['here', 'there']);
    await other.close();
    jest.useFakeTimers();
  });

  describe('of a decorated method', () => {
    it('is shared by two instances of one class, but not by two methods', async () => {
      const first = app.module.get(Reports);
      const second = app.module.get<Reports>(SECOND);
      expect(second).not.toBe(first);
      const render = watch(first.render());
      expect(await failure(second.render())).toEqual(rejection('full', 'Reports.render'));
      const archive = watch(second.archive());
      await flush();
      expect(archive.state).toBe('pending');
      first.works.at(-1)?.resolve('rendered');
      second.works.at(-1)?.resolve('archived');
      await flush();
      expect([render.value, archive.value]).toEqual(['rendered', 'archived']);
    });

    it('gives each instance its own results', async () => {
      const first = app.module.get(Reports);
      const second = app.module.get<Reports>(SECOND);
      const render = watch(first.render());
      first.works.at(-1)?.resolve('of the first');
      await flush();
      const again = watch(second.render());
      second.works.at(-1)?.resolve('of the second');
      await flush();
      expect([render.value, again.value]).toEqual(['of the first', 'of the second']);
    });
  });

  describe('with a caller that gives up', () => {
    it('drops a queued call at once, which never runs', async () => {
      const pipeline = app.pipeline({ name: 'abandoned', bulkhead: { maxConcurrent: 1 } });
      const work = new Deferred();
      const caller = new AbortController();
      const run = jest.fn(async () => 'ran');
      watch(pipeline.execute(() => work.promise));
      const queued = watch(pipeline.execute(run, { signal: caller.signal }));
      const next = watch(pipeline.execute(async () => 'next'));
      await flush();
      caller.abort(new Error('lost interest'));
      await flush();
      expect(queued.error).toBe(caller.signal.reason);
      expect(app.bulkheads.get('abandoned').getSnapshot().queued).toBe(1); // the next one
      work.resolve(undefined);
      await flush();
      expect(run).not.toHaveBeenCalled();
      expect(next.value).toBe('next');
    });

    it('drops a call of BulkheadPolicy too, when the call around it gives up', async () => {
      const policy = new BulkheadPolicy('by-hand', { maxConcurrent: 1 });
      const work = new Deferred();
      const run = jest.fn(async () => 'ran');
      const around = app.pipeline({ timeoutMs: 100 });
      watch(policy.execute(() => work.promise));
      let inner: unknown;
      const call = watch(
        around.execute(async () => {
          inner = await failure(policy.execute(run));
        }),
      );
      await elapse(99);
      expect(policy.getSnapshot().queued).toBe(1);
      await elapse(1);
      expect(policy.getSnapshot().queued).toBe(0);
      expect(inner).toBe(call.error);
      work.resolve(undefined);
      await flush();
      expect(run).not.toHaveBeenCalled();
      expect(policy.getSnapshot()).toMatchObject({ running: 0, rejected: 0 });
    });
  });

  describe('under a timeout', () => {
    it('counts the time in the queue against the budget, and a call that timed out there never runs', async () => {
      const pipeline = app.pipeline({ timeoutMs: 100, bulkhead: { maxConcurrent: 1 } });
      const work = new Deferred();
      const run = jest.fn(async () => 'ran');
      watch(pipeline.execute(() => work.promise));
      await elapse(50);
      const queued = watch(pipeline.execute(run));
      await elapse(50); // the first one is given up, but goes on
      expect(queued.state).toBe('pending');
      await elapse(50);
      expect(queued.error).toBeInstanceOf(TimeoutError);
      work.resolve(undefined);
      await flush();
      expect(run).not.toHaveBeenCalled();
    });

    it('holds the slot until the real call settles', async () => {
      const pipeline = app.pipeline({
        name: 'held',
        timeoutMs: 100,
        bulkhead: { maxConcurrent: 1, queueLimit: 0 },
      });
      const work = new Deferred();
      const call = watch(pipeline.execute(() => work.promise));
      await elapse(100);
      expect(call.error).toBeInstanceOf(TimeoutError);
      expect(app.bulkheads.get('held').getSnapshot().running).toBe(1);
      expect(await failure(pipeline.execute(never))).toEqual(rejection('full', 'held'));
      work.reject(new Error('at last'));
      await flush();
      expect(app.bulkheads.get('held').getSnapshot().running).toBe(0);
    });

    it('loses no slot when a call is admitted at the very moment of its timeout', async () => {
      const pipeline = app.pipeline({
        name: 'photo-finish',
        timeoutMs: 100,
        bulkhead: { maxConcurrent: 1 },
      });
      const work = new Deferred();
      const holder = app.bulkheads.get('photo-finish').execute(() => work.promise);
      const run = jest.fn(async () => 'ran');
      const queued = watch(pipeline.execute(run));
      setTimeout(() => work.resolve(undefined), 100); // the same turn of the event loop
      await elapse(100);
      await holder;
      await flush();
      expect(queued.state).not.toBe('pending');
      expect(app.bulkheads.get('photo-finish').getSnapshot()).toMatchObject({
        running: 0,
        queued: 0,
      });
    });

    it('neither runs a call nor loses its slot when that is given up the moment it is admitted', async () => {
      const pipeline = app.pipeline({ name: 'admitted', bulkhead: { maxConcurrent: 1 } });
      const policy = app.bulkheads.get('admitted');
      const caller = new AbortController();
      const run = jest.fn(async () => 'ran');
      policy.tryAcquire();
      const queued = watch(pipeline.execute(run, { signal: caller.signal }));
      policy.release();
      caller.abort();
      await flush();
      expect(queued.error).toBe(caller.signal.reason);
      expect(run).not.toHaveBeenCalled();
      expect(policy.getSnapshot()).toMatchObject({ running: 0, queued: 0 });
    });

    it('does so neither where the bulkhead is by itself inside the call', async () => {
      const policy = new BulkheadPolicy('by itself', { maxConcurrent: 1 });
      const caller = new AbortController();
      const run = jest.fn(async () => 'ran');
      policy.tryAcquire();
      let inner: unknown;
      const call = watch(
        app.pipeline({}).execute(
          async () => {
            inner = await failure(policy.execute(run));
          },
          { signal: caller.signal },
        ),
      );
      await flush();
      policy.release();
      caller.abort();
      await flush();
      expect(call.error).toBe(caller.signal.reason);
      expect(inner).toBe(caller.signal.reason);
      expect(run).not.toHaveBeenCalled();
      expect(policy.getSnapshot()).toMatchObject({ running: 0, queued: 0 });
    });

    it('leaks no slot when an outer stage gives up, nor under retry', async () => {
      const pipeline = app.pipeline({
        name: 'outer-gives-up',
        timeoutMs: 50,
        retry: { maxAttempts: 3, baseDelayMs: 10, jitter: 'none' },
        circuitBreaker: { failureThreshold: 20 },
        bulkhead: { maxConcurrent: 2, queueLimit: 1 },
      });
      const calls = Array.from({ length: 10 }, () =>
        watch(
          pipeline.execute(
            ({ signal }) =>
              new Promise((_, reject) =>
                signal.addEventListener('abort', () => reject(signal.reason)),
              ),
          ),
        ),
      );
      await elapse(1_000);
      expect(calls.every(({ state }) => state === 'rejected')).toBe(true);
      expect(app.bulkheads.get('outer-gives-up').getSnapshot()).toMatchObject({
        running: 0,
        queued: 0,
      });
    });
  });

  describe('the async context of each caller', () => {
    it('is there in the method, retries, fallbacks, errorContext and abort listeners, whoever made room or timed out', async () => {
      const seen: Record<string, string[]> = {};
      const note = (who: string, where: string) => {
        seen[who] ??= [];
        seen[who].push(`${where}: ${user.getStore()}`);
      };
      const pipeline = app.pipeline({
        name: 'contexts',
        timeoutMs: 100,
        retry: { maxAttempts: 2, baseDelayMs: 10, jitter: 'none' },
        bulkhead: { maxConcurrent: 2 },
        fallback: (error) => {
          note((error as { who?: string }).who ?? 'timed out', 'fallback');
          return user.getStore();
        },
      });
      const people = ['ann', 'bob', 'cid', 'dan', 'eve'];
      const calls = people.map((who) =>
        user.run(who, () =>
          watch(
            pipeline.execute(async (attempt) => {
              note(who, `attempt ${attempt.attempt}`);
              await new Promise((_, reject) => {
                currentSignal().addEventListener('abort', () => {
                  note(who, 'abort');
                  reject(attempt.signal.reason);
                });
              });
            }),
          ),
        ),
      );
      await user.run('nobody else', () => elapse(1_000));
      expect(calls.map(({ value }) => value)).toEqual(people);
      for (const who of people) {
        for (const entry of seen[who] ?? []) expect(entry).toMatch(new RegExp(`: ${who}$`));
      }
      expect(seen.ann).toEqual(['attempt 1: ann', 'abort: ann', 'attempt 2: ann', 'abort: ann']);
      expect(seen['timed out']?.toSorted()).toEqual(people.map((who) => `fallback: ${who}`));
      const tracked = app.tracker
        .getRecentErrors()
        .filter(({ context }) => context.operation === 'contexts');
      expect(tracked.map(({ context }) => context.userId).toSorted()).toEqual(people);
    });

    it('is that of the one who waited when a slot becomes free in the context of another', async () => {
      const policy = new BulkheadPolicy('handed-over', { maxConcurrent: 1 });
      const pipeline = app.pipeline({ bulkhead: { maxConcurrent: 1 } });
      for (const enter of [policy, pipeline]) {
        const works = new Map<string, Deferred>();
        const seen: string[] = [];
        const calls = ['ann', 'bob', 'cid'].map((who) =>
          user.run(who, () =>
            watch(
              enter.execute(() => {
                seen.push(`${who} ran as ${user.getStore()}`);
                const work = new Deferred();
                works.set(who, work);
                return work.promise;
              }),
            ),
          ),
        );
        for (const who of ['ann', 'bob', 'cid']) {
          await user.run('janitor', async () => works.get(who)?.resolve(undefined));
          await flush();
        }
        expect(seen).toEqual(['ann ran as ann', 'bob ran as bob', 'cid ran as cid']);
        expect(calls.every(({ state }) => state === 'fulfilled')).toBe(true);
      }
    });
  });

  it('never makes a full bulkhead a failure of the breaker around it', async () => {
    const pipeline = app.pipeline({
      name: 'held-by-one',
      circuitBreaker: { failureThreshold: 1 },
      bulkhead: { maxConcurrent: 1, queueLimit: 0 },
    });
    const work = new Deferred();
    watch(pipeline.execute(() => work.promise));
    for (let call = 0; call < 10; call++)
      expect(await failure(pipeline.execute(never))).toEqual(rejection('full'));
    expect(app.breakers.get('held-by-one').getSnapshot()).toMatchObject({
      state: 'CLOSED',
      calls: 0,
    });
    work.resolve(undefined);
    await flush();
  });

  it('rejects what waits when the application closes, and lets what runs end', async () => {
    const closing = await ResilienceApp.boot();
    const pipeline = closing.pipeline({
      name: 'closing',
      bulkhead: { maxConcurrent: 1 },
      retry: { maxAttempts: 3 },
    });
    const crowd = new Crowd((fn) => pipeline.execute(fn));
    crowd.call();
    const queued = crowd.call();
    await flush();
    await closing.close();
    jest.useFakeTimers();
    expect(queued.error).toEqual(rejection('shutdown', 'closing'));
    await crowd.finish(0);
    expect(crowd.calls[0]?.value).toBe(0);
    expect(crowd.began).toEqual([0]);
  });

  describe('under any interleaving', () => {
    type Step =
      | { type: 'enter' }
      | { type: 'finish'; pick: number }
      | { type: 'fail'; pick: number }
      | { type: 'abort'; pick: number }
      | { type: 'elapse'; ms: number };

    const step: fc.Arbitrary<Step> = fc.oneof(
      { weight: 4, arbitrary: fc.constant<Step>({ type: 'enter' }) },
      {
        weight: 4,
        arbitrary: fc
          .tuple(fc.constantFrom('finish', 'fail', 'abort'), fc.nat(20))
          .map(([type, pick]) => ({ type, pick }) as Step),
      },
      {
        weight: 1,
        arbitrary: fc.integer({ min: 1, max: 80 }).map((ms): Step => ({ type: 'elapse', ms })),
      },
    );

    let names = 0;
    const gauge = (bulkhead: string, what: string) =>
      app.metrics.get(`bulkhead.${what}`, { bulkhead });

    it('never runs more than maxConcurrent, keeps the order and loses no slot', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.integer({ min: 1, max: 3 }),
          fc.integer({ min: 0, max: 4 }),
          fc.option(fc.constant(50), { nil: undefined }),
          fc.option(fc.constant(70), { nil: undefined }),
          fc.array(fc.tuple(step, fc.boolean()), { minLength: 5, maxLength: 60 }),
          async (maxConcurrent, queueLimit, queueTimeoutMs, timeoutMs, steps) => {
            const name = `interleaved-${names++}`;
            const pipeline: Pipeline = app.pipeline({
              name,
              bulkhead: { maxConcurrent, queueLimit, queueTimeoutMs },
              timeoutMs,
            });
            const policy = app.bulkheads.get(name);
            const calls: Visit[] = [];
            const began: number[] = [];
            const running = new Set<number>();
            let most = 0;

            const enter = () => {
              const index = calls.length;
              const caller = new AbortController();
              const work = new Deferred<number>();
              const visit: Visit = { caller, work, call: undefined as never };
              visit.call = watch(
                pipeline.execute(
                  async () => {
                    began.push(index);
                    running.add(index);
                    most = Math.max(most, running.size);
                    try {
                      return await work.promise;
                    } finally {
                      running.delete(index);
                    }
                  },
                  { signal: caller.signal },
                ),
              );
              calls.push(visit);
            };
            const consistent = () => {
              const { running: slots, queued } = policy.getSnapshot();
              expect(slots).toBe(running.size); // a slot for each call that runs, and for no other
              expect(queued).toBeLessThanOrEqual(queueLimit);
              if (queued > 0) expect(slots).toBe(maxConcurrent); // nobody waits for nothing
              expect(gauge(name, 'running') ?? 0).toBe(slots);
              expect(gauge(name, 'queued') ?? 0).toBe(queued);
            };

            for (const [each, settles] of steps) {
              const ofRunning = (pick: number) =>
                calls[[...running][pick % Math.max(1, running.size)] ?? -1];
              switch (each.type) {
                case 'enter':
                  enter();
                  break;
                case 'finish':
                  ofRunning(each.pick)?.work.resolve(each.pick);
                  break;
                case 'fail':
                  ofRunning(each.pick)?.work.reject(new Error('down'));
                  break;
                case 'abort':
                  calls[each.pick % Math.max(1, calls.length)]?.caller.abort();
                  break;
                case 'elapse':
                  await elapse(each.ms);
              }
              if (!settles) continue; // several things in the same turn of the event loop
              await flush();
              consistent();
            }
            for (let left = 0; left <= calls.length; left++) {
              for (const { work } of calls) work.resolve(0);
              await flush();
              consistent();
            }
            expect(most).toBeLessThanOrEqual(maxConcurrent);
            expect(began).toEqual(began.toSorted((a, b) => a - b));
            expect(calls.every(({ call }) => call.state !== 'pending')).toBe(true);
            expect(policy.getSnapshot()).toMatchObject({ running: 0, queued: 0 });
            const unrun = calls.filter((_, index) => !began.includes(index));
            expect(unrun.every(({ call }) => call.state === 'rejected')).toBe(true);
          },
        ),
        { numRuns: 150 },
      );
    });

    interface Visit {
      caller: AbortController;
      work: Deferred<number>;
      call: Watched<number>;
    }
  });
});
